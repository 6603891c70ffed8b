package fib_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

// TestChurnFootprint: after updates several times as many as there are prefixes,
// and Tidy to the end, the trie is as large as one of the same prefixes that is
// built at once, give or take 15 %. So is one that grew from nothing.
//
// Tidy does not mind what its last 256 updates left, so some more come in the end.
func TestChurnFootprint(t *testing.T) {
	n := 4000
	if long() {
		n = 40_000
	}
	for i, kind := range populations {
		for j, groups := range []int{2, 1000, fib.MaxGroups} {
			if i%3 != j && !long() {
				continue
			}
			rng := rand.New(rand.NewPCG(4, uint64(groups)))
			ps := kind.make(rng, n)
			m := newModel(modelWords)
			add := func(p netip.Prefix) {
				g := fib.GroupID(rng.IntN(groups))
				if err := m.table.Add(p, g); err != nil {
					t.Fatal(err)
				}
				m.want.Add(p, g)
			}
			for _, p := range ps {
				add(p)
			}
			compareFootprint(t, m, kind.name+", grown", groups)
			change := func() {
				if p := ps[rng.IntN(n)]; rng.IntN(2) == 0 {
					m.table.Remove(p)
					m.want.Remove(p)
				} else {
					add(p)
				}
			}
			for i := range 4 * n {
				change()
				if i%16 == 0 {
					m.table.Tidy(16)
				}
			}
			for !m.table.Tidy(100) {
			}
			for range 1000 {
				change()
			}
			compareFootprint(t, m, kind.name+", churned", groups)
			m.close()
		}
	}
}

func compareFootprint(t *testing.T, m *model, name string, groups int) {
	t.Helper()
	for !m.table.Tidy(100) {
	}
	if err := m.check(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	fresh := newModel(modelWords)
	defer fresh.close()
	fresh.want = m.want
	if err := fresh.build(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got, want := m.table.Stats(), fresh.table.Stats()
	if want.Wide != got.Wide {
		return // once wide, always wide: not to be compared
	}
	size := func(s fib.Stats) float64 { return float64(s.UsedWords + s.FreeWords) }
	if ratio := size(got) / size(want); ratio < 0.85 || ratio > 1.15 {
		t.Errorf("%s, %d groups, %d prefixes: %d words used, %d free; fresh %d and %d: %.2f times",
			name, groups, m.table.Len(), got.UsedWords, got.FreeWords, want.UsedWords, want.FreeWords, ratio)
	}
}
