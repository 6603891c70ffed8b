package oracle

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLengths: the faster oracle answers as the slower one.
func TestLengths(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		ps := RandomPrefixes(rng, 60)
		var slow Table[int]
		var fast Lengths[int]
		for i := range 300 {
			p := ps[rng.IntN(len(ps))]
			if rng.IntN(3) == 0 {
				if got, want := fast.Remove(p), slow.Remove(p); got != want {
					t.Fatalf("seed %d: Remove(%v) = %v, want %v", seed, p, got, want)
				}
			} else {
				fast.Add(p, i)
				slow.Add(p, i)
			}
		}
		if fast.Len() != slow.Len() || !slices.Equal(fast.All(), slow.All()) {
			t.Fatalf("seed %d: All = %v, want %v", seed, fast.All(), slow.All())
		}
		for _, p := range ps {
			if got, want := fast.Covered(p), slow.Covered(p); !slices.Equal(got, want) {
				t.Fatalf("seed %d: Covered(%v) = %v, want %v", seed, p, got, want)
			}
			got, ok := fast.Get(p)
			if want, wantOK := slow.Get(p); got != want || ok != wantOK {
				t.Fatalf("seed %d: Get(%v) = %v, %v, want %v, %v", seed, p, got, ok, want, wantOK)
			}
			for _, a := range Edges(p) {
				got, ok := fast.Lookup(a)
				if want, wantOK := slow.Lookup(a); got != want || ok != wantOK {
					t.Fatalf("seed %d: Lookup(%v) = %v, %v, want %v, %v", seed, a, got, ok, want, wantOK)
				}
			}
		}
	}
}
