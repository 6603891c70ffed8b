package workload

import (
	"net/netip"
	"slices"
)

// Load is a list of addresses to look up and what it is called in figures.
type Load struct {
	Name  string
	Addrs []netip.Addr
}

// hot is how many addresses of a hot load differ: about as many destinations as
// a busy router's packets have within a second.
const hot = 64 << 10

// Loads are n addresses of each kind for a table. Kinds of which the table has
// no address are left out: nothing misses a default route.
func Loads(table []netip.Prefix, n int, seed uint64) []Load {
	loads := []Load{
		{"uniform", Hits(table, n, seed)},
		{"zipf", Zipf(table, n, 1.1, seed)},
		{"hot", Hot(table, n, hot, seed)},
		{"missed", Misses(table, n, seed)},
		{"near missed", NearMisses(table, n, seed)},
	}
	return slices.DeleteFunc(loads, func(l Load) bool { return len(l.Addrs) == 0 })
}
