package control

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

func pick[T any](rnd *rand.Rand, all []T) T { return all[rnd.IntN(len(all))] }

func (k *fakeKernel) chance(oneIn int) bool { return k.rnd.IntN(oneIn) == 0 }

var gateways = []netip.Addr{
	netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2"), netip.MustParseAddr("2001:db8:ffff::1"),
}

var fakeSource = netip.MustParsePrefix("2001:db8:5::/48")

func (k *fakeKernel) randomLeg() rtnl.Leg {
	l := rtnl.Leg{Ifindex: 1 + k.rnd.IntN(fakePorts+1), Weight: 1}
	if !k.chance(3) {
		l.Gateway = pick(k.rnd, gateways)
	}
	if k.chance(40) {
		l.Encap = true
	}
	return l
}

// step does one random thing.
func (k *fakeKernel) step() {
	switch k.rnd.IntN(20) {
	case 0, 1, 2, 3, 4, 5, 6:
		k.randomRoute()
	case 7, 8, 9:
		k.randomRemoval()
	case 10, 11, 12, 13:
		k.randomNeighbor()
	case 14, 15:
		k.randomObject()
	case 16:
		if len(k.objects) > 0 {
			k.removeObject(k.randomID(), true)
		}
	case 17, 18:
		k.randomLink()
	case 19:
		a := pick(k.rnd, k.addrs)
		if k.proxies[a] = !k.proxies[a]; !k.proxies[a] {
			delete(k.proxies, a)
		}
		k.tell(!k.proxies[a], &rtnl.Neighbor{Ifindex: 1, Addr: a, Flags: ntfProxy})
	}
}

func (k *fakeKernel) randomID() uint32 {
	ids := []uint32{}
	for id := range k.objects {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return pick(k.rnd, ids)
}

func (k *fakeKernel) randomRoute() {
	n := fakeNode{table: tableMain, dst: pick(k.rnd, k.prefixes), src: netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	if k.chance(5) {
		n.table = tableLocal
	}
	if k.chance(25) {
		n.src = fakeSource
	}
	r := &fakeRoute{metric: uint32(1 + k.rnd.IntN(2)), typ: rtnUnicast, protocol: 4, leg: k.randomLeg()}
	if !r.qualifies() { // of a multipath, one leg's are told for all
		r.locked, r.expired = k.chance(20), k.chance(20)
	}
	if !k.links[r.leg.Ifindex].Up {
		return // ENETDOWN
	}
	replace, appending := k.chance(3), k.chance(3)
	switch k.rnd.IntN(8) {
	case 0:
		r.typ, r.leg = pick(k.rnd, []uint8{rtnLocal, rtnAnycast, 6, 7, 8, 9}), rtnl.Leg{Ifindex: fakeLo, Weight: 1}
	case 1, 2:
		if len(k.objects) > 0 {
			r.nextHop = k.randomID()
			r.leg = rtnl.Leg{}
		}
	case 3:
		if r.leg.Gateway.IsValid() {
			r.protocol = rtProtRA
			replace, appending = false, false
		}
	case 4, 5: // ip6_route_multipath_add: only the last leg is told
		if !r.qualifies() {
			break
		}
		for i := range 1 + k.rnd.IntN(2) {
			k.add(n, r, replace && i == 0, appending, false)
			leg := k.randomLeg()
			leg.Gateway, leg.Weight = pick(k.rnd, gateways), 1+k.rnd.IntN(3)
			r = &fakeRoute{metric: r.metric, typ: rtnUnicast, protocol: 4, leg: leg}
			if !k.links[leg.Ifindex].Up || slices.ContainsFunc(k.nodes[n], r.same) {
				k.tellMultipath(n, r, replace)
				return
			}
		}
		k.add(n, r, false, appending, false)
		k.tellMultipath(n, r, replace)
		return
	}
	k.add(n, r, replace, appending, true)
}

// tellMultipath tells of a route that r is a leg of.
func (k *fakeKernel) tellMultipath(n fakeNode, r *fakeRoute, replace bool) {
	m := k.message(n, r)
	m.Replace = replace
	k.tell(false, m)
}

func (k *fakeKernel) randomRemoval() {
	nodes := []fakeNode{}
	for n := range k.nodes {
		nodes = append(nodes, n)
	}
	if len(nodes) == 0 {
		return
	}
	slices.SortFunc(nodes, func(a, b fakeNode) int {
		if c := a.dst.Compare(b.dst); c != 0 {
			return c
		}
		if c := a.src.Compare(b.src); c != 0 {
			return c
		}
		return int(a.table) - int(b.table)
	})
	n := pick(k.rnd, nodes)
	r := pick(k.rnd, k.nodes[n])
	if r.qualifies() && k.chance(2) {
		k.removeAll(n, r)
		return
	}
	k.remove(n, func(o *fakeRoute) bool { return o == r }, true)
}

func (k *fakeKernel) randomNeighbor() {
	key := rtnl.NeighborKey{Ifindex: 1 + k.rnd.IntN(fakePorts+1), Addr: pick(k.rnd, k.addrs)}
	if k.chance(3) {
		key.Addr = pick(k.rnd, gateways)
	}
	if k.chance(4) {
		if old := k.neighbors[key]; old != nil {
			delete(k.neighbors, key)
			k.tell(true, old)
		}
		return
	}
	n := &rtnl.Neighbor{
		Ifindex: key.Ifindex, Addr: key.Addr, HasMAC: true, MAC: [6]byte{4, byte(k.rnd.IntN(3))},
		State: pick(k.rnd, []uint16{nudReachable, nudStale, nudDelay, nudPermanent, nudFailed, nudIncomplete}),
	}
	k.neighbors[key] = n
	k.tell(false, n)
}

func (k *fakeKernel) randomObject() {
	h := &rtnl.NextHop{ID: uint32(1 + k.rnd.IntN(8))}
	if h.ID <= 5 {
		if h.Blackhole = k.chance(8); !h.Blackhole {
			if h.Leg = k.randomLeg(); !k.links[h.Leg.Ifindex].Up {
				return // ENETDOWN
			}
		}
	} else {
		for id := uint32(1); id <= 5; id++ {
			if o := k.objects[id]; o != nil && !o.Blackhole && k.chance(2) {
				h.Group = append(h.Group, rtnl.GroupMember{ID: id, Weight: 1 + k.rnd.IntN(3)})
			}
		}
		if len(h.Group) == 0 {
			return
		}
	}
	k.objects[h.ID] = h
	k.tell(false, h)
}

// randomLink changes one link. On losing it, the kernel drops the objects that
// lead to it without a word, and tells of the routes.
func (k *fakeKernel) randomLink() {
	i := 1 + k.rnd.IntN(fakePorts+1)
	old := *k.links[i]
	l := old
	switch k.rnd.IntN(5) {
	case 4:
		l.IgnoreLinkdown = !l.IgnoreLinkdown
		k.links[i] = &l
		k.tell(false, &rtnl.Netconf{Ifindex: i, IgnoreLinkdown: l.IgnoreLinkdown, HasIgnoreLinkdown: true})
		return
	case 0:
		l.Up = !l.Up
	case 1:
		l.Carrier = !l.Carrier
	case 2:
		l.MTU6 = pick(k.rnd, []int{1280, 1400, 1500})
	case 3:
		l.MAC[5]++
	}
	l.Flags = 0
	if l.Up && l.Carrier {
		l.Flags = iffRunning | iffLowerUp
	}
	k.links[i] = &l
	told := l
	k.tell(false, &told)
	if old.Up && !l.Up || old.Flags != 0 && l.Flags == 0 {
		for id := uint32(1); id <= 5; id++ {
			if h := k.objects[id]; h != nil && !h.Blackhole && h.Leg.Ifindex == i {
				k.removeObject(id, false)
			}
		}
	}
	if l.Up {
		return
	}
	// fib6_ifdown: a multipath that keeps a leg elsewhere is not told of.
	for n := range k.nodes {
		k.remove(n, func(r *fakeRoute) bool {
			return r.nextHop == 0 && r.leg.Ifindex == i &&
				!(r.qualifies() && slices.ContainsFunc(k.nodes[n], func(o *fakeRoute) bool {
					return o.qualifies() && o.metric == r.metric && k.links[o.leg.Ifindex].Up
				}))
		}, true)
		k.remove(n, func(r *fakeRoute) bool { // legs of other links that were down before
			return r.qualifies() && !slices.ContainsFunc(k.nodes[n], func(o *fakeRoute) bool {
				return o.qualifies() && o.metric == r.metric && k.links[o.leg.Ifindex].Up
			})
		}, true)
	}
}

const fakeLo = 9

// dead is what find_match passes over.
func (k *fakeKernel) dead(l rtnl.Leg) bool {
	link := k.links[l.Ifindex]
	return link != nil && (!link.Up || !link.Carrier && link.IgnoreLinkdown)
}
