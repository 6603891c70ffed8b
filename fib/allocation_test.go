package fib_test

import (
	"math/rand/v2"
	"testing"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/fib/internal/oracle"
)

// TestNoAllocation: the packet's way must not allocate, by any variant, whatever
// the size of a batch and of values.
func TestNoAllocation(t *testing.T) {
	for _, wide := range []bool{false, true} {
		tab := fib.New()
		var addrs []fib.Addr
		for i, p := range oracle.RandomPrefixes(rand.New(rand.NewPCG(3, 3)), 500) {
			g := fib.GroupID(i)
			if wide && i >= 100 { // short prefixes alone widen nothing
				g = fib.MaxGroups - 1
			}
			if err := tab.Add(p, g); err != nil {
				t.Fatal(err)
			}
			addrs = append(addrs, fib.AddrFrom(oracle.Last(p)))
		}
		if got := tab.Stats().Wide; got != wide {
			t.Fatalf("Wide = %v, want %v", got, wide)
		}
		r := tab.NewReader()
		defer r.Close()
		out := make([]fib.GroupID, 256)
		for name := range fib.EachVariant(t) {
			for n := 1; n <= 256; n++ {
				batch := addrs[n : 2*n : 2*n]
				if n > 250 {
					batch = addrs[:n]
				}
				if got := testing.AllocsPerRun(2, func() {
					r.Enter()
					tab.LookupBatch(batch, out)
					r.Leave()
				}); got != 0 {
					t.Errorf("%s, wide %v: LookupBatch of %d: %v allocations, want 0", name, wide, n, got)
				}
			}
		}
		if got := testing.AllocsPerRun(100, func() {
			for i, a := range addrs[:256] {
				r.Enter()
				out[i] = tab.Lookup(a)
				r.Leave()
			}
		}); got != 0 {
			t.Errorf("wide %v: Lookup: %v allocations, want 0", wide, got)
		}
	}
}
