package fib

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// fullTable is about as large as the Internet's table and nests like it: /29s
// and /32s, some with runs of /48 inside. Addresses hit it at random.
func fullTable() (ps []netip.Prefix, addrs []Addr) {
	rng := rand.New(rand.NewPCG(12, 12))
	for len(ps) < 160000 {
		hi := 0x2a00<<48 | rng.Uint64N(1<<13)<<35
		ps = append(ps, prefix{Addr{Hi: hi}, uint8(29 + rng.IntN(2)*3)}.netip())
		if rng.IntN(4) > 0 {
			continue
		}
		first := rng.Uint64N(1 << 15)
		for i := range rng.Uint64N(48) {
			ps = append(ps, prefix{Addr{Hi: hi | (first+i)<<16}, 48}.netip())
		}
	}
	rng.Shuffle(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
	for range 1 << 16 {
		a := AddrFrom(ps[rng.IntN(len(ps))].Addr())
		addrs = append(addrs, Addr{a.Hi | rng.Uint64N(1<<16), rng.Uint64()})
	}
	return ps, addrs
}

func build(b *testing.B, ps []netip.Prefix) *Table {
	tab := New()
	for i, p := range ps {
		if err := tab.Add(p, GroupID(i%1000)); err != nil {
			b.Fatal(err)
		}
	}
	return tab
}

func BenchmarkBuild(b *testing.B) {
	ps, _ := fullTable()
	var tab *Table
	for b.Loop() {
		tab = build(b, ps)
	}
	b.ReportMetric(float64(tab.Bytes())/float64(tab.Len()), "B/route")
	b.ReportMetric(float64(tab.Len()), "routes")
}

func BenchmarkLookup(b *testing.B) {
	ps, addrs := fullTable()
	tab := build(b, ps)
	sum := NoRoute
	for i := 0; b.Loop(); i++ {
		sum += tab.Lookup(addrs[i%len(addrs)])
	}
	if sum == NoRoute {
		b.Error("no lookup found a route")
	}
}

// BenchmarkLookupBatch reports the time of one lookup, not of the 64.
func BenchmarkLookupBatch(b *testing.B) {
	const size = 64
	ps, addrs := fullTable()
	tab := build(b, ps)
	out := make([]GroupID, size)
	for i := 0; b.Loop(); i += size {
		at := i % len(addrs)
		tab.LookupBatch(addrs[at:at+size], out)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/lookup")
}

// BenchmarkUpdate takes out a route and puts it back: two updates.
func BenchmarkUpdate(b *testing.B) {
	ps, _ := fullTable()
	tab := build(b, ps)
	for i := 0; b.Loop(); i++ {
		p := ps[i%len(ps)]
		tab.Remove(p)
		if err := tab.Add(p, 1); err != nil {
			b.Fatal(err)
		}
	}
}
