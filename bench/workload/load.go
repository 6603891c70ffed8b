package workload

import "net/netip"

// Load is a list of addresses to look up and what it is called in figures.
type Load struct {
	Name  string
	Addrs []netip.Addr
}

// Loads are n addresses of each kind for a table.
func Loads(table []netip.Prefix, n int, seed uint64) []Load {
	return []Load{
		{"uniform", Hits(table, n, seed)},
		{"zipf", Zipf(table, n, 1.1, seed)},
		{"missed", Misses(table, n, seed)},
		{"near missed", NearMisses(table, n, seed)},
	}
}
