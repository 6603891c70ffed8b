package control

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// fakeKernel keeps routes as the kernel does (one entry for each leg, in one
// list for each destination and source) and tells of them as the kernel does.
// It is the oracle's ground: nothing in it is shared with the mirror.
type fakeKernel struct {
	rnd       *rand.Rand
	links     map[int]*rtnl.Link
	nodes     map[fakeNode][]*fakeRoute
	objects   map[uint32]*rtnl.NextHop
	neighbors map[rtnl.NeighborKey]*rtnl.Neighbor
	proxies   map[netip.Addr]bool
	prefixes  []netip.Prefix // that routes are drawn from
	addrs     []netip.Addr   // that neighbors are drawn from
	out       []rtnl.Event   // told and not yet taken
}

type fakeNode struct {
	table    uint32
	dst, src netip.Prefix
}

// fakeRoute is struct fib6_info.
type fakeRoute struct {
	metric   uint32
	typ      uint8
	protocol uint8
	leg      rtnl.Leg
	nextHop  uint32
	locked   bool
	expired  bool
}

const fakePorts = 3 // links 1 to 3 are ports, 4 is not

func newFakeKernel(seed uint64) *fakeKernel {
	k := &fakeKernel{
		rnd:       rand.New(rand.NewPCG(seed, 7)),
		links:     map[int]*rtnl.Link{},
		nodes:     map[fakeNode][]*fakeRoute{},
		objects:   map[uint32]*rtnl.NextHop{},
		neighbors: map[rtnl.NeighborKey]*rtnl.Neighbor{},
		proxies:   map[netip.Addr]bool{},
	}
	for range 14 {
		p := randomPrefix(k.rnd)
		k.prefixes = append(k.prefixes, p)
		k.addrs = append(k.addrs, p.Addr().Next())
		if p.Bits() == 128 {
			k.addrs = append(k.addrs, p.Addr())
		}
	}
	slices.SortFunc(k.prefixes, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	for i := 1; i <= fakePorts+1; i++ {
		k.links[i] = &rtnl.Link{
			Ifindex: i, Name: string(rune('a' + i)), Type: arphrdEther, Up: true, Carrier: true, HasMAC: true, HasIPv6: true,
			MAC: [6]byte{2, byte(i)}, MTU: 1500, MTU6: 1500, Flags: iffRunning | iffLowerUp,
		}
	}
	return k
}

func (k *fakeKernel) tell(deleted bool, o rtnl.Object) {
	k.out = append(k.out, rtnl.Event{Deleted: deleted, Object: o})
}

// qualifies is rt6_qualify_for_ecmp.
func (r *fakeRoute) qualifies() bool {
	return r.protocol != rtProtRA && r.nextHop == 0 && r.leg.Gateway.IsValid()
}

func (r *fakeRoute) same(o *fakeRoute) bool {
	return r.nextHop == o.nextHop && r.typ == o.typ && r.qualifies() == o.qualifies() && r.leg.Ifindex == o.leg.Ifindex && r.leg.Gateway == o.leg.Gateway && r.leg.Encap == o.leg.Encap
}

// message is what rt6_fill_node makes of r: with its siblings, if it has any.
func (k *fakeKernel) message(n fakeNode, r *fakeRoute) *rtnl.Route {
	m := &rtnl.Route{
		Table: n.table, Dst: n.dst, Src: n.src, Metric: r.metric, Type: r.typ, Protocol: r.protocol,
		NextHop: r.nextHop, MTULock: r.locked,
	}
	if r.locked {
		m.MTU = 1300
	}
	if r.expired {
		m.HasExpires, m.Expires = true, -1
	}
	m.Legs = []rtnl.Leg{r.leg}
	if r.qualifies() {
		m.Legs = nil
		for _, s := range k.nodes[n] {
			if s.metric == r.metric && s.qualifies() {
				m.Legs = append(m.Legs, s.leg)
			}
		}
		if len(m.Legs) == 0 { // already unlinked
			m.Legs = []rtnl.Leg{r.leg}
		}
	}
	return m
}

// add is fib6_add_rt2node for one leg; told is false for all but the last leg.
func (k *fakeKernel) add(n fakeNode, r *fakeRoute, replace, appending, told bool) {
	list := k.nodes[n]
	if slices.ContainsFunc(list, func(o *fakeRoute) bool {
		return o.same(r) && o.metric == r.metric && (o.locked != r.locked || o.expired != r.expired)
	}) {
		return // twins that differ: told as one
	}
	i, fallback, found := 0, -1, false
	for ; i < len(list) && list[i].metric <= r.metric; i++ {
		if list[i].metric != r.metric {
			continue
		}
		if replace {
			if list[i].qualifies() == r.qualifies() {
				found = true
				break
			}
			if fallback < 0 {
				fallback = i
			}
		} else if list[i].same(r) {
			return // EEXIST
		}
	}
	if replace && !found && fallback >= 0 {
		i, found = fallback, true
	}
	if found {
		old := list[i]
		list = slices.Clone(list)
		list[i] = r
		if old.qualifies() {
			list = slices.DeleteFunc(list, func(o *fakeRoute) bool {
				return o != r && o.metric == r.metric && o.qualifies()
			})
		}
	} else {
		list = slices.Insert(slices.Clone(list), i, r)
	}
	k.nodes[n] = list
	if told {
		m := k.message(n, r)
		m.Replace, m.Append = found, appending
		k.tell(false, m)
	}
}

func (k *fakeKernel) remove(n fakeNode, gone func(*fakeRoute) bool, told bool) {
	for {
		i := slices.IndexFunc(k.nodes[n], gone)
		if i < 0 {
			return
		}
		r := k.nodes[n][i]
		k.nodes[n] = slices.Delete(slices.Clone(k.nodes[n]), i, i+1)
		if told {
			m := k.message(n, r)
			m.Legs = []rtnl.Leg{r.leg}
			k.tell(true, m)
		}
		if len(k.nodes[n]) == 0 {
			delete(k.nodes, n)
		}
	}
}

// removeAll is ip6_route_multipath_del of a whole route: one message.
func (k *fakeKernel) removeAll(n fakeNode, r *fakeRoute) {
	m := k.message(n, r)
	k.remove(n, func(o *fakeRoute) bool {
		return o == r || r.qualifies() && o.qualifies() && o.metric == r.metric
	}, false)
	k.tell(true, m)
}

// removeObject is __remove_nexthop; nothing but the object itself is told.
func (k *fakeKernel) removeObject(id uint32, told bool) {
	h := k.objects[id]
	if h == nil {
		return
	}
	delete(k.objects, id)
	if told {
		k.tell(true, h)
	}
	for n := range k.nodes {
		k.remove(n, func(r *fakeRoute) bool { return r.nextHop == id }, false)
	}
	for g, o := range k.objects {
		changed := *o
		changed.Group = slices.DeleteFunc(slices.Clone(o.Group), func(m rtnl.GroupMember) bool { return m.ID == id })
		if len(changed.Group) == len(o.Group) {
			continue
		}
		if len(changed.Group) == 0 {
			k.removeObject(g, false)
		} else {
			k.objects[g] = &changed
		}
	}
}

// dump gives everything as a full dump would, in its order.
func (k *fakeKernel) dump() []rtnl.Event {
	var all []rtnl.Event
	tell := func(o rtnl.Object) { all = append(all, rtnl.Event{Object: o}) }
	for _, l := range k.links {
		copied := *l
		tell(&copied)
	}
	for _, n := range k.neighbors {
		copied := *n
		tell(&copied)
	}
	for a := range k.proxies {
		tell(&rtnl.Neighbor{Ifindex: 1, Addr: a, Flags: ntfProxy})
	}
	for _, h := range k.objects {
		copied := *h
		tell(&copied)
	}
	for n, list := range k.nodes {
		told := map[uint32]bool{}
		for _, r := range list {
			if r.qualifies() {
				if told[r.metric] {
					continue
				}
				told[r.metric] = true
			}
			tell(k.message(n, r))
		}
	}
	return all
}
