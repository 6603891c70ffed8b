package fib_test

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/fib/internal/oracle"
)

// When memory runs out in the middle of a change and a reader does not leave,
// there is no route for anybody, but never a wrong one. It is over as soon as
// the reader leaves.
func TestMemoryRunsOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 31))
	ps := oracle.RandomPrefixes(rng, 200)
	tab, want := fib.New(), new(oracle.Table[fib.GroupID])
	for i, p := range ps {
		if err := tab.Add(p, fib.GroupID(i+1)); err != nil {
			t.Fatal(err)
		}
		want.Add(p, fib.GroupID(i+1))
	}
	answers := func(when string, lost bool) {
		t.Helper()
		if tab.Lost() != lost {
			t.Fatalf("%s: lost = %v, want %v", when, tab.Lost(), lost)
		}
		for _, p := range ps {
			for _, a := range oracle.Edges(p) {
				w, _ := want.Lookup(a)
				if lost {
					w.Value = fib.NoRoute
				}
				if g := tab.Lookup(fib.AddrFrom(a)); g != w.Value {
					t.Fatalf("%s: Lookup(%v) = %d, want %d", when, a, g, w.Value)
				}
			}
		}
	}
	longest := slices.MaxFunc(ps, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	remove := func() {
		t.Helper()
		if !tab.Remove(longest) || !want.Remove(longest) {
			t.Fatalf("Remove(%v) = false", longest)
		}
	}

	tab.Squeeze()
	remove()
	answers("without readers it is made anew at once", false)

	r := tab.NewReader()
	defer r.Close()
	r.Enter()
	tab.Squeeze()
	if err := tab.Add(longest, 1000); err != nil {
		t.Errorf("Add without room in one half: %v", err)
	}
	want.Add(longest, 1000)
	tab.Squeeze() // nor can it go back to the other half, where the reader is
	if err := tab.Add(ps[0], 1001); !errors.Is(err, fib.ErrFull) {
		t.Errorf("Add without room: error %v, want %v", err, fib.ErrFull)
	}
	answers("refused", false)
	for range 20 { // until a removal needs a new block
		if tab.Lost() {
			break
		}
		longest = slices.MaxFunc(collect(tab.All()), func(a, b route) int { return a.Prefix.Bits() - b.Prefix.Bits() }).Prefix
		remove()
	}
	answers("with a reader that is stuck", true)
	if tab.Tidy(1 << 20); !tab.Lost() {
		t.Error("found again although the reader may still be in it")
	}
	r.Leave()
	tab.Tidy(1 << 20)
	answers("when it has left", false)
	check(t, tab, want, ps)
}
