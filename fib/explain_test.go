package fib_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/fib/internal/oracle"
)

// What is explained is what is looked up.
func TestExplainLeadsThere(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 21))
		ps := oracle.RandomPrefixes(rng, 200)
		tab := fib.New()
		for i, p := range ps {
			g := fib.GroupID(i)
			if seed%2 == 0 {
				g += 1 << 17 // wide
			}
			if err := tab.Add(p, g); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range ps {
			for _, a := range oracle.Edges(p) {
				addr := fib.AddrFrom(a)
				steps, g := tab.Explain(addr)
				if want := tab.Lookup(addr); g != want || len(steps) < 2 {
					t.Fatalf("seed %d: Explain(%v) = %v, group %d, want group %d", seed, a, steps, g, want)
				}
			}
		}
	}
}

func ExampleTable_Explain() {
	table := fib.New()
	for i, s := range []string{"2001:db8::/32", "2001:db8:1::/48", "2001:db8:1:2::/64", "2001:db8:1:3::/64"} {
		if err := table.Add(netip.MustParsePrefix(s), fib.GroupID(i+1)); err != nil {
			fmt.Println(err)
		}
	}
	steps, g := table.Explain(fib.AddrFrom(netip.MustParseAddr("2001:db8:1:3::1")))
	for _, s := range steps {
		fmt.Printf("/%d %s\n", s.Bits, s.Kind)
	}
	fmt.Println("group", g)
	// Output:
	// /4 root
	// /12 skip
	// /31 inner
	// /38 inner
	// /45 inner
	// /52 inner
	// /60 inner
	// /64 leaf
	// group 4
}
