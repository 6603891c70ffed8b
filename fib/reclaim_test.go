package fib_test

import (
	"math/rand/v2"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

// churn makes so many updates of prefixes in all lengths, with Tidy.
func churn(t *testing.T, m *model, rng *rand.Rand, n int) {
	t.Helper()
	ps := append(aside(populations, "nested").make(rng, 200), aside(populations, "covers").make(rng, 200)...)
	for _, s := range randomSteps(rng, ps, 1000, n) {
		if s.kind == stepBuild {
			continue // it is about one table
		}
		if err := m.do(s); err != nil {
			t.Fatalf("%v: %v", s, err)
		}
	}
}

func aside(all []population, name string) population {
	for _, p := range all {
		if p.name == name {
			return p
		}
	}
	panic("no population " + name)
}

// TestSleepingReader: one that has left, and one that never entered, hold
// nothing up.
func TestSleepingReader(t *testing.T) {
	m := newModel(leastWords)
	defer m.close()
	never, left := m.table.NewReader(), m.table.NewReader()
	defer never.Close()
	defer left.Close()
	left.Enter()
	m.table.Lookup(fib.Addr{})
	left.Leave()
	churn(t, m, rand.New(rand.NewPCG(1, 14)), 10_000)
	if err := m.check(); err != nil { // reclaims
		t.Error(err)
	}
	if s := m.table.Stats(); s.RetiredWords != 0 || m.table.StuckReaders() != 0 {
		t.Errorf("%d words retired, %d times stuck, want none", s.RetiredWords, m.table.StuckReaders())
	}
}

// TestStuckReader: updates go on beside a reader that never leaves, what it holds
// is not used again, and Stats tells. When it has left, all is as ever.
func TestStuckReader(t *testing.T) {
	m := newModel(1 << 21)
	defer m.close()
	rng := rand.New(rand.NewPCG(2, 14))
	churn(t, m, rng, 2000)
	if err := m.check(); err != nil {
		t.Fatal(err)
	}
	r := m.table.NewReader()
	defer r.Close()
	r.Enter()
	// What it may be at: a way for every prefix, each stopped at some word.
	var walks []*fib.Walk
	var answers []fib.GroupID
	for _, route := range m.want.All() {
		if route.Prefix.Bits() <= 12 {
			continue // such are changed in place: readers are waited for
		}
		a := fib.AddrFrom(route.Prefix.Addr())
		want, _ := m.want.Lookup(route.Prefix.Addr())
		w := m.table.Walk(a)
		done := false
		for range rng.IntN(6) {
			if _, done = w.Next(); done {
				break
			}
		}
		if !done {
			walks, answers = append(walks, w), append(answers, want.Value)
		}
	}
	ever := make([]map[fib.GroupID]bool, len(walks)) // answers since
	record := func() {
		for i, w := range walks {
			if ever[i] == nil {
				ever[i] = map[fib.GroupID]bool{answers[i]: true}
			}
			route, _ := m.want.Lookup(w.Addr().Netip())
			ever[i][route.Value] = true
		}
	}
	retired := 0
	ps := aside(populations, "nested").make(rng, 300)
	for i := range 2000 {
		s := step{kind: stepAdd, prefix: ps[rng.IntN(len(ps))], group: fib.GroupID(rng.IntN(1000))}
		if s.prefix.Bits() <= 12 && i%100 > 0 {
			continue // these wait for the reader
		}
		if rng.IntN(2) == 0 {
			s.kind = stepRemove
		}
		if err := m.do(s); err != nil {
			t.Fatalf("%v: %v", s, err)
		}
		if i%8 == 0 {
			m.table.Tidy(8)
		}
		record()
		now := m.table.Stats().RetiredWords
		if now < retired {
			t.Fatalf("step %d: %d words retired, after %d: some were used again", i, now, retired)
		}
		retired = now
	}
	s := m.table.Stats()
	if s.RetiredWords == 0 || m.table.StuckReaders() == 0 || s.UsedWords <= 0 {
		t.Errorf("%d words used, %d retired, %d times stuck, want some of each", s.UsedWords, s.RetiredWords, m.table.StuckReaders())
	}
	for i, w := range walks {
		for {
			got, ok := w.Next()
			if !ok {
				continue
			}
			if !ever[i][got] {
				t.Errorf("Lookup(%v) from before = %d, never right since", w.Addr().Netip(), got)
			}
			break
		}
	}
	r.Leave()
	churn(t, m, rng, 2000)
	if err := m.check(); err != nil {
		t.Error(err)
	}
	if s := m.table.Stats(); s.RetiredWords != 0 {
		t.Errorf("%d words retired after the reader left, want none", s.RetiredWords)
	}
}
