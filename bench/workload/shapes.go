package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// Spread makes n /48s at even distances: with density 1 side by side, with
// density 0.01 one of a hundred. They begin at 2000::, sorted.
func Spread(n int, density float64) ([]netip.Prefix, error) {
	const room = 1 << 32 // /48s in 2000::/16
	if !(density > 0 && density <= 1) {
		return nil, fmt.Errorf("spread %d prefixes with density %v: want more than 0 and at most 1", n, density)
	}
	if float64(n)/density > room {
		return nil, fmt.Errorf("spread %d prefixes with density %v: 2000::/16 has room for %.0f", n, density, room*density)
	}
	table := make([]netip.Prefix, n)
	for k := range table {
		position := uint64(math.Round(float64(k) / density))
		table[k] = netip.PrefixFrom(address(0x2000<<48|position<<16, 0), 48)
	}
	return table, nil
}

// Hosts makes n different /128s at random in 2001:db8::/108, which has room for
// 2^20, sorted.
func Hosts(n int, seed uint64) ([]netip.Prefix, error) {
	const room = 1 << 20
	if n > room {
		return nil, fmt.Errorf("make %d hosts in one /108: it has room for %d", n, room)
	}
	r := rand.New(rand.NewPCG(seed, streamHosts))
	places := r.Perm(room)[:n]
	slices.Sort(places)
	table := make([]netip.Prefix, n)
	for i, place := range places {
		table[i] = netip.PrefixFrom(address(0x20010db8<<32, uint64(place)), 128)
	}
	return table, nil
}

// Empty is the table of a host: a default route, its link and its router.
func Empty() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("::/0"),
		netip.MustParsePrefix("2001:db8::/64"),
		netip.MustParsePrefix("2001:db8::1/128"),
	}
}
