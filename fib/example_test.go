package fib_test

import (
	"fmt"
	"net/netip"

	"github.com/fwd6/fwd6/fib"
)

// The whole way from an address to a next hop.
func Example() {
	groups, table := fib.NewGroups(), fib.New()

	// Two next hops; the second takes three flows of four.
	g, err := fib.NewGroup([]fib.Leg{{NextHop: 7, Weight: 1}, {NextHop: 8, Weight: 3}})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := groups.Add(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := table.Add(netip.MustParsePrefix("2001:db8::/32"), id); err != nil {
		fmt.Println(err)
		return
	}

	there := fib.AddrFrom(netip.MustParseAddr("2001:db8::1"))
	elsewhere := fib.AddrFrom(netip.MustParseAddr("2001:db9::1"))
	for flow := range uint32(4) {
		fmt.Print(groups.Get(table.Lookup(there)).Select(flow), " ")
	}
	fmt.Println(groups.Get(table.Lookup(elsewhere)).Select(0))
	// Output: 7 8 8 8 0
}

func ExampleTable_LookupPrefix() {
	table := fib.New()
	for i, s := range []string{"::/0", "2001:db8::/32", "2001:db8:1::/48"} {
		if err := table.Add(netip.MustParsePrefix(s), fib.GroupID(i+1)); err != nil {
			fmt.Println(err)
		}
	}
	for _, s := range []string{"2001:db8:1::1", "2001:db8:2::1", "2001:db9::1"} {
		p, g, _ := table.LookupPrefix(fib.AddrFrom(netip.MustParseAddr(s)))
		fmt.Println(s, "is in", p, "group", g)
	}
	// Output:
	// 2001:db8:1::1 is in 2001:db8:1::/48 group 3
	// 2001:db8:2::1 is in 2001:db8::/32 group 2
	// 2001:db9::1 is in ::/0 group 1
}

func ExampleTable_Covered() {
	table := fib.New()
	for _, s := range []string{"2001:db8:f::/48", "2001:db8::/32", "2001:db8::1/128", "2001:db9::/32"} {
		if err := table.Add(netip.MustParsePrefix(s), 1); err != nil {
			fmt.Println(err)
		}
	}
	for p := range table.Covered(netip.MustParsePrefix("2001:db8::/32")) {
		fmt.Println(p)
	}
	// Output:
	// 2001:db8::/32
	// 2001:db8::1/128
	// 2001:db8:f::/48
}

// A group leaves in three steps, because a worker may hold its ID.
func ExampleGroups_Release() {
	groups, table := fib.NewGroups(), fib.New()
	p := netip.MustParsePrefix("2001:db8::/32")
	g, err := fib.NewGroup([]fib.Leg{{NextHop: 7, Weight: 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := groups.Add(g)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := table.Add(p, id); err != nil {
		fmt.Println(err)
		return
	}

	table.Remove(p)   // 1: no prefix leads there any more
	groups.Remove(id) // 2: nobody new can come by the ID
	n := groups.Quarantined()
	fmt.Println("a worker in mid-batch gets", groups.Get(id).Select(0))
	// … every worker has finished the batch that it was in …
	groups.Release(n) // 3: nobody holds the ID
	fmt.Println("in use:", groups.Len())
	// Output:
	// a worker in mid-batch gets 7
	// in use: 0
}
