package control

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// fullTable is as many routes as the Internet has, by 20 gateways, told as the
// kernel tells them: half by next-hop objects.
func fullTable(n int) []rtnl.Event {
	rnd := rand.New(rand.NewPCG(1, 2))
	var events []rtnl.Event
	tell := func(o rtnl.Object) { events = append(events, rtnl.Event{Object: o}) }
	for i := 1; i <= 3; i++ {
		tell(link(i))
	}
	gateway := func(i int) rtnl.Leg {
		var a [16]byte
		a[0], a[1], a[15] = 0xfe, 0x80, byte(i)
		return rtnl.Leg{Ifindex: 1 + i%3, Weight: 1, Gateway: netip.AddrFrom16(a)}
	}
	for i := range 20 {
		tell(&rtnl.NextHop{ID: uint32(1 + i), Leg: gateway(i)})
		g := gateway(i)
		tell(&rtnl.Neighbor{Ifindex: g.Ifindex, Addr: g.Gateway, State: nudReachable, HasMAC: true})
	}
	for i := range n {
		var a [16]byte
		binary.BigEndian.PutUint64(a[:], 0x2000_0000_0000_0000|rnd.Uint64()>>4)
		r := to("::/0", 1, "fe80::1")
		r.Dst = netip.PrefixFrom(netip.AddrFrom16(a), []int{32, 40, 44, 48, 48, 48}[rnd.IntN(6)]).Masked()
		if r.Legs[0] = gateway(rnd.IntN(20)); i%2 == 0 {
			r.NextHop, r.Legs = uint32(1+rnd.IntN(20)), nil
		}
		tell(r)
	}
	return events
}

func loadTable(events []rtnl.Event) *resolver {
	m, r := newModel()
	var ch Change
	for _, e := range events {
		m.Apply(e, modelClock, &ch)
	}
	r.update(&ch)
	return r
}

// BenchmarkFirstLoad mirrors and resolves a full table from nothing.
func BenchmarkFirstLoad(b *testing.B) {
	events := fullTable(160_000)
	for b.Loop() {
		loadTable(events)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/160_000, "ns/route")
}

// BenchmarkRouteChange moves one route of a full table to another gateway.
func BenchmarkRouteChange(b *testing.B) {
	events := fullTable(160_000)
	r := loadTable(events)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := events[len(events)-1-i%100_000]
		moved := *e.Object.(*rtnl.Route)
		moved.NextHop, moved.Legs = uint32(1+i%20), nil
		var ch Change
		r.mirror.Apply(rtnl.Event{Object: &moved}, modelClock, &ch)
		r.update(&ch)
		if i%1000 == 0 {
			r.reclaim()
		}
	}
}

// BenchmarkNeighborMoved publishes a MAC that 8,000 routes lead to.
func BenchmarkNeighborMoved(b *testing.B) {
	r := loadTable(fullTable(160_000))
	for i := 0; b.Loop(); i++ {
		n := neighbor(1, "fe80::3", nudReachable)
		n.MAC[5] = byte(i)
		var ch Change
		r.mirror.Apply(rtnl.Event{Object: n}, modelClock, &ch)
		r.update(&ch)
	}
}

// BenchmarkLinkDown takes away a third of a full table, and gives it back.
func BenchmarkLinkDown(b *testing.B) {
	r := loadTable(fullTable(160_000))
	for i := 0; b.Loop(); i++ {
		down := link(1, func(l *rtnl.Link) { l.Up = i%2 == 1 })
		var ch Change
		r.mirror.Apply(rtnl.Event{Object: down}, modelClock, &ch)
		r.update(&ch)
	}
}

// BenchmarkResync compares a full table with an equal one: what a dump costs
// the controller beside the dump itself.
func BenchmarkResync(b *testing.B) {
	events := fullTable(160_000)
	r := loadTable(events)
	fresh := NewMirror()
	var ignored Change
	for _, e := range events {
		fresh.Apply(e, modelClock, &ignored)
	}
	for b.Loop() {
		var ch Change
		r.mirror.Diff(fresh, &ch)
		r.mirror = fresh
		r.update(&ch)
	}
}

// A route change is in the FIB in far less than the 100 ms that are allowed.
func TestRouteChangeIsQuick(t *testing.T) {
	events := fullTable(20_000)
	r := loadTable(events)
	if r.targets.size < 19_000 || r.fib.Groups.Len() > 50 {
		t.Fatalf("%d prefixes, %d groups, want nearly 20000 and at most 50", r.targets.size, r.fib.Groups.Len())
	}
	start := time.Now()
	for _, e := range events[len(events)-1000:] {
		var ch Change
		r.mirror.Apply(rtnl.Event{Deleted: true, Object: e.Object}, modelClock, &ch)
		r.update(&ch)
	}
	if took := time.Since(start) / 1000; took > time.Millisecond {
		t.Errorf("a route change takes %v", took)
	}
}
