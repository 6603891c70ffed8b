package workload

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// Hits are n addresses, each in a prefix of the table that is drawn at random,
// at a random place in it: an address may well be in a longer prefix, too.
func Hits(table []netip.Prefix, n int, seed uint64) []netip.Addr {
	r := rand.New(rand.NewPCG(seed, streamHits))
	return fill(n, func() netip.Addr { return within(r, table[r.IntN(len(table))]) })
}

// Zipf are n addresses in prefixes of the table, of which the k-th most popular
// is drawn in proportion to k to the power of -s, with s above 1. Popularity
// has nothing to do with the place in the table. Processors that round
// logarithms differently may now and then draw another prefix.
func Zipf(table []netip.Prefix, n int, s float64, seed uint64) []netip.Addr {
	r := rand.New(rand.NewPCG(seed, streamZipf))
	ranks, z := r.Perm(len(table)), rand.NewZipf(r, s, 1, uint64(len(table)-1))
	return fill(n, func() netip.Addr { return within(r, table[ranks[z.Uint64()]]) })
}

// Hot are n addresses of which only few differ, each as often as the others:
// hot of them, at random places of the table, drawn again and again.
func Hot(table []netip.Prefix, n, hot int, seed uint64) []netip.Addr {
	r := rand.New(rand.NewPCG(seed, streamHot))
	few := fill(hot, func() netip.Addr { return within(r, table[r.IntN(len(table))]) })
	return fill(n, func() netip.Addr { return few[r.IntN(hot)] })
}

// Misses are n addresses of 2000::/3 that no prefix of the table covers; none
// if the table covers all of it.
func Misses(table []netip.Prefix, n int, seed uint64) []netip.Addr {
	r := rand.New(rand.NewPCG(seed, streamMisses))
	cover := newCover(table)
	if cover.coversAll(global) {
		return nil
	}
	return fill(n, func() netip.Addr {
		for {
			if a := within(r, global); !cover.contains(a) {
				return a
			}
		}
	})
}

// NearMisses are n addresses that no prefix of the table covers, each the first
// behind a prefix, so that a lookup finds out late. None if there is no such
// address.
func NearMisses(table []netip.Prefix, n int, seed uint64) []netip.Addr {
	r := rand.New(rand.NewPCG(seed, streamNearMisses))
	var behind []netip.Addr
	for _, s := range newCover(table) {
		if a := s.last.Next(); a.IsValid() {
			behind = append(behind, a)
		}
	}
	if len(behind) == 0 {
		return nil
	}
	return fill(n, func() netip.Addr { return behind[r.IntN(len(behind))] })
}

// Streams of random numbers, so that no two lists from one seed are akin.
const (
	streamHits = iota + 1<<32
	streamZipf
	streamMisses
	streamNearMisses
	streamHot
	streamHosts
)

func fill(n int, next func() netip.Addr) []netip.Addr {
	all := make([]netip.Addr, n)
	for i := range all {
		all[i] = next()
	}
	return all
}

// global is what the Internet is (RFC 4291 §2.4): nobody forwards to multicast
// and link-local addresses, so a default route's packets are for the rest.
var global = netip.PrefixFrom(address(1<<61, 0), 3)

// within is a random address of a prefix: of its global part if it has more.
func within(r *rand.Rand, p netip.Prefix) netip.Addr {
	if p.Bits() < global.Bits() && p.Contains(global.Addr()) {
		p = global
	}
	a := p.Addr().As16()
	high, low := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
	if p.Bits() <= 64 {
		high |= r.Uint64() & (1<<(64-p.Bits()) - 1)
		low = r.Uint64()
	} else {
		low |= r.Uint64() & (1<<(128-p.Bits()) - 1)
	}
	return address(high, low)
}

// cover is what a table covers, as spans in order with gaps between them.
type cover []span

type span struct{ first, last netip.Addr }

func newCover(table []netip.Prefix) cover {
	sorted := slices.SortedFunc(slices.Values(table), netip.Prefix.Compare)
	var c cover
	for _, p := range sorted {
		switch {
		case len(c) > 0 && !c[len(c)-1].last.Less(p.Addr()): // inside
		case len(c) > 0 && c[len(c)-1].last.Next() == p.Addr():
			c[len(c)-1].last = last(p)
		default:
			c = append(c, span{p.Addr(), last(p)})
		}
	}
	return c
}

// coversAll says whether every address of a prefix is covered.
func (c cover) coversAll(p netip.Prefix) bool {
	return slices.ContainsFunc(c, func(s span) bool {
		return s.first.Compare(p.Addr()) <= 0 && s.last.Compare(last(p)) >= 0
	})
}

func (c cover) contains(a netip.Addr) bool {
	_, found := slices.BinarySearchFunc(c, a, func(s span, a netip.Addr) int {
		if s.last.Less(a) {
			return -1
		}
		return max(0, s.first.Compare(a))
	})
	return found
}

// last is the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	a := p.Addr().As16()
	for bit := p.Bits(); bit < 128; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom16(a)
}
