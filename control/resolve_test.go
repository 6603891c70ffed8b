package control

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/fib"
)

// outcome is what becomes of one share of the packets for an address.
type outcome struct {
	reason dataplane.Reason
	port   dataplane.PortID
	mac    [6]byte // destination
	source [6]byte
	mtu    uint32
	weight uint32
}

func (o outcome) String() string {
	if o.reason != dataplane.Forward {
		return o.reason.String()
	}
	return fmt.Sprintf("port %d to %x from %x mtu %d weight %d", o.port, o.mac, o.source, o.mtu, o.weight)
}

// lookup says what the kernel does with packets to addr: longest match by a
// loop over prefix lengths, in the table local and then in main.
func (k *fakeKernel) lookup(addr netip.Addr) []outcome {
	if k.proxies[addr] {
		return []outcome{{reason: dataplane.PuntRoute}}
	}
	for _, table := range []uint32{tableLocal, tableMain} {
		for _, p := range slices.Backward(k.prefixes) {
			if !p.Contains(addr) {
				continue
			}
			if found := k.select6(table, p, addr); found != nil {
				return found
			}
		}
	}
	return []outcome{{reason: dataplane.PuntNoRoute}}
}

// select6 is rt6_select at one node; nil lets the lookup go on.
func (k *fakeKernel) select6(table uint32, dst netip.Prefix, addr netip.Addr) []outcome {
	all := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	if k.nodes[fakeNode{table, dst, fakeSource}] != nil {
		return []outcome{{reason: dataplane.PuntRoute}}
	}
	list := k.nodes[fakeNode{table, dst, all}]
	var usable []*fakeRoute
	for _, r := range list {
		if len(usable) > 0 && r.metric != list[0].metric && usable[0].metric == list[0].metric {
			break
		}
		if !r.expired && !k.unusable(r) && !slices.ContainsFunc(usable, func(o *fakeRoute) bool { return o.same(r) && o.metric == r.metric }) {
			usable = append(usable, r)
		}
	}
	if len(usable) == 0 {
		return nil
	}
	first := usable[0]
	different, nonLocal := false, false
	for _, r := range usable {
		siblings := r.qualifies() && first.qualifies() && r.metric == first.metric
		if !siblings && r != first {
			different = true
		}
		if r.typ != rtnLocal && r.typ != rtnAnycast {
			nonLocal = true
		}
	}
	switch {
	case !nonLocal:
		return []outcome{{reason: dataplane.PuntLocal}}
	case different || first.typ != rtnUnicast || first.locked:
		return []outcome{{reason: dataplane.PuntRoute}}
	}
	var legs []rtnl.Leg
	switch h := k.objects[first.nextHop]; {
	case first.nextHop == 0:
		for _, r := range list {
			if r == first || r.qualifies() && first.qualifies() && r.metric == first.metric {
				legs = append(legs, r.leg)
			}
		}
	case h.Blackhole:
		return []outcome{{reason: dataplane.PuntRoute}}
	case len(h.Group) == 0:
		legs = []rtnl.Leg{h.Leg}
		legs[0].Weight = 1
	default:
		for _, m := range h.Group {
			if k.objects[m.ID].Blackhole {
				return []outcome{{reason: dataplane.PuntRoute}}
			}
			leg := k.objects[m.ID].Leg
			leg.Weight = m.Weight
			legs = append(legs, leg)
		}
	}
	if slices.ContainsFunc(legs, func(l rtnl.Leg) bool { return l.Encap }) {
		return []outcome{{reason: dataplane.PuntRoute}} // even if that leg is dead
	}
	several := len(legs) > 1
	legs = slices.DeleteFunc(legs, k.dead)
	if several && slices.ContainsFunc(legs, func(l rtnl.Leg) bool { return l.Ifindex > fakePorts }) {
		return []outcome{{reason: dataplane.PuntEgress}} // the kernel spreads flows over all legs, or none
	}
	var found []outcome
	for _, l := range legs {
		found = append(found, k.egress(l, addr))
	}
	return sortOutcomes(found)
}

// unusable says whether no leg of r is alive.
func (k *fakeKernel) unusable(r *fakeRoute) bool {
	h := k.objects[r.nextHop]
	switch {
	case r.nextHop == 0:
		return k.dead(r.leg)
	case h.Blackhole:
		return false
	case len(h.Group) == 0:
		return k.dead(h.Leg)
	}
	return !slices.ContainsFunc(h.Group, func(m rtnl.GroupMember) bool {
		return k.objects[m.ID].Blackhole || !k.dead(k.objects[m.ID].Leg)
	})
}

// egress says how a packet leaves by l.
func (k *fakeKernel) egress(l rtnl.Leg, addr netip.Addr) outcome {
	link := k.links[l.Ifindex]
	to := l.Gateway
	if !to.IsValid() {
		to = addr
	}
	n := k.neighbors[rtnl.NeighborKey{Ifindex: l.Ifindex, Addr: to}]
	up := link.Up && link.Carrier && l.Ifindex <= fakePorts
	valid := n != nil && n.State&(nudIncomplete|nudFailed) == 0
	switch {
	case up && valid:
		return outcome{
			port: dataplane.PortID(l.Ifindex - 1), mac: n.MAC, source: link.MAC,
			mtu: uint32(min(link.MTU, link.MTU6)), weight: uint32(l.Weight),
		}
	case up && l.Gateway.IsValid():
		return outcome{reason: dataplane.PuntNeighbor}
	case !up && (valid || l.Gateway.IsValid() || l.Ifindex > fakePorts):
		return outcome{reason: dataplane.PuntEgress}
	}
	return outcome{reason: dataplane.PuntGlean}
}

func sortOutcomes(all []outcome) []outcome {
	slices.SortFunc(all, func(a, b outcome) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

// fibLookup says what workers do with packets to addr.
func fibLookup(f *dataplane.FIB, addr netip.Addr) []outcome {
	var found []outcome
	for _, l := range f.Groups.Get(f.Routes.Lookup(fib.AddrFrom(addr))).Legs() {
		a := f.Adjacencies.Get(l.NextHop)
		o := outcome{reason: a.Reason}
		if a.Reason == dataplane.Forward {
			o = outcome{port: a.Port, mac: [6]byte(a.Rewrite[0:6]), source: [6]byte(a.Rewrite[6:12]), mtu: a.MTU, weight: l.Weight}
		}
		found = append(found, o)
	}
	return sortOutcomes(found)
}

// equalOutcomes also takes two words for "not resolved yet" as one: a route to
// one on-link host knows its next hop, a longer prefix does not.
func equalOutcomes(a, b []outcome) bool {
	same := func(o outcome) outcome {
		switch o.reason {
		case dataplane.PuntGlean, dataplane.PuntNeighbor, dataplane.PuntEgress:
			o.reason = dataplane.PuntNeighbor
		}
		return o
	}
	for _, s := range [][]outcome{a, b} {
		for i := range s {
			s[i] = same(s[i])
		}
		sortOutcomes(s)
	}
	return slices.Equal(a, b)
}

// edges are the addresses at which answers can differ.
func (k *fakeKernel) edges() []netip.Addr {
	all := slices.Concat(k.addrs, gateways)
	for _, p := range k.prefixes {
		last := keyOf(p).last().Netip()
		all = append(all, p.Addr(), p.Addr().Prev(), last, last.Next())
	}
	return slices.DeleteFunc(all, func(a netip.Addr) bool { return !a.IsValid() || a.IsLinkLocalUnicast() })
}

// modelClock stands still.
var modelClock = time.Unix(1000, 0)

func newModel() (*Mirror, *resolver) {
	m := NewMirror()
	r := newResolver(m, dataplane.NewFIB(), slog.New(slog.DiscardHandler), func() time.Time { return modelClock })
	ports := map[int]dataplane.PortID{}
	for i := range fakePorts {
		ports[i+1] = dataplane.PortID(i)
	}
	r.setPorts(ports)
	return m, r
}

func checkModel(t *testing.T, k *fakeKernel, r *resolver, when string) {
	t.Helper()
	for _, a := range k.edges() {
		got, want := fibLookup(r.fib, a), k.lookup(a)
		if !equalOutcomes(got, want) {
			t.Fatalf("%s: %v: FIB says %v, kernel %v%s", when, a, got, want, k.explain(r, a))
		}
	}
	checkBooks(t, r, when)
}

// explain shows all that decides about addr.
func (k *fakeKernel) explain(r *resolver, addr netip.Addr) string {
	var b strings.Builder
	for _, t := range []*routeTable{&r.mirror.local, &r.mirror.main} {
		for p, list := range t.covering(hostKey(addr)) {
			for _, m := range list {
				fmt.Fprintf(&b, "\n  mirror %v: %+v", p.prefix(), m.Route)
			}
		}
	}
	for p, g := range r.targets.covering(hostKey(addr)) {
		fmt.Fprintf(&b, "\n  target %v: %q %v", p.prefix(), g.key, g.hops)
	}
	for p := range r.hiding.covering(hostKey(addr)) {
		fmt.Fprintf(&b, "\n  hiding %v", p.prefix())
	}
	inFIB, _, _ := r.fib.Routes.LookupPrefix(fib.AddrFrom(addr))
	fmt.Fprintf(&b, "\n  in the FIB: %v", inFIB)
	for n, list := range k.nodes {
		if !n.dst.Contains(addr) {
			continue
		}
		for _, r := range list {
			fmt.Fprintf(&b, "\n  table %d %v from %v: %+v", n.table, n.dst, n.src, *r)
		}
	}
	for id, h := range k.objects {
		fmt.Fprintf(&b, "\n  object %d: %+v", id, *h)
	}
	return b.String()
}

// checkBooks counts references.
func checkBooks(t *testing.T, r *resolver, when string) {
	t.Helper()
	refs, legs := map[*group]int{}, map[*adjacency]int{}
	refs[r.groups[reasonKey(dataplane.PuntRoute)]]++ // its own
	for _, g := range r.targets.all() {
		refs[g]++
	}
	for _, h := range r.hosts.all() {
		if h.group != nil {
			refs[h.group]++
		}
	}
	if len(refs) != len(r.groups) || r.fib.Groups.Len() != len(r.groups) {
		t.Fatalf("%s: %d groups are led to, %d kept, %d in the FIB", when, len(refs), len(r.groups), r.fib.Groups.Len())
	}
	for g, n := range refs {
		if g.refs != n {
			t.Fatalf("%s: group %q has %d references, want %d", when, g.key, g.refs, n)
		}
		for _, a := range g.legs {
			legs[a.adjacency]++
		}
	}
	checkMirror(t, r.mirror, when)
	for key, a := range r.adjacencies.byKey {
		if a.refs != legs[a] || a.refs == 0 {
			t.Fatalf("%s: adjacency %v has %d references, want %d", when, key, a.refs, legs[a])
		}
	}
}

// checkMirror counts what routes share.
func checkMirror(t *testing.T, m *Mirror, when string) {
	t.Helper()
	shared, users := map[*rtnl.Route]int{}, map[uint32]int{}
	for _, table := range []*routeTable{&m.local, &m.main} {
		for _, routes := range table.all() {
			for _, r := range routes {
				shared[r.Route]++
				if r.NextHop != 0 {
					users[r.NextHop]++
				}
			}
		}
	}
	if len(m.shared) != len(shared) || !maps.Equal(m.users, users) {
		t.Fatalf("%s: %d contents of routes kept, users of objects %v, want %d, %v", when, len(m.shared), m.users, len(shared), users)
	}
	for _, s := range m.shared {
		if s.refs != shared[s.Route] {
			t.Fatalf("%s: %+v has %d users, want %d", when, s.Route, s.refs, shared[s.Route])
		}
	}
}

// Random things happen in a kernel; the FIB follows by Events alone, all at once
// or piece by piece while more happens.
func TestModel(t *testing.T) {
	for seed := range uint64(60) {
		k := newFakeKernel(seed)
		m, r := newModel()
		var ch Change
		for _, e := range k.dump() {
			m.Apply(e, modelClock, &ch)
		}
		for step := range 150 {
			for range 1 + k.rnd.IntN(3) {
				k.step()
			}
			for _, e := range k.out {
				m.Apply(e, modelClock, &ch)
				if k.chance(4) {
					m.Apply(e, modelClock, &ch) // twice is once
				}
			}
			k.out = nil
			if m.doubt != "" {
				m.doubt = ""
				m = resyncModel(k, m, r, &ch)
			}
			if k.chance(4) {
				r.updateSome(&ch, 1)
				continue
			}
			r.update(&ch)
			if r.reclaimable() {
				r.reclaim()
			}
			checkModel(t, k, r, fmt.Sprintf("seed %d, step %d", seed, step))
		}
	}
}

// resyncModel puts a fresh mirror in place of m.
func resyncModel(k *fakeKernel, m *Mirror, r *resolver, ch *Change) *Mirror {
	fresh := NewMirror()
	fresh.dumping = true
	var ignored Change
	for _, e := range k.dump() {
		fresh.Apply(e, modelClock, &ignored)
	}
	fresh.dumping = false
	m.Diff(fresh, ch)
	r.mirror = fresh
	return fresh
}

// Events get lost; a dump makes good for it.
func TestResyncConverges(t *testing.T) {
	for seed := range uint64(40) {
		k := newFakeKernel(seed)
		m, r := newModel()
		for round := range 10 {
			var ch Change
			for range 30 {
				k.step()
			}
			for _, e := range k.out {
				if !k.chance(2) {
					m.Apply(e, modelClock, &ch)
				}
			}
			k.out = nil
			r.update(&ch)
			m = resyncModel(k, m, r, &ch)
			r.update(&ch)
			checkModel(t, k, r, fmt.Sprintf("seed %d, round %d", seed, round))
		}
	}
}
