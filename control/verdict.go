package control

import (
	"net/netip"
	"slices"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
)

// verdict is what one table says to packets whose longest match in it is one
// prefix.
type verdict struct {
	// found is false if the lookup goes on as if the prefix were not there.
	found  bool
	reason dataplane.Reason // Forward: by hops; else: to the kernel, because of it
	hops   []hop            // at least one of them alive
	// nextHop is the next-hop object that hops come from, or 0.
	nextHop uint32
	// routes is what decided, the best first; nil if nothing is found.
	routes []route
}

// hop is one leg of a verdict.
type hop struct {
	ifindex int
	gateway netip.Addr // the zero Addr: the destination itself
	weight  uint32     // at least 1
	direct  bool       // gateway is the destination
}

// judge does what fib6_table_lookup (net/ipv6/route.c) does at one prefix,
// given all its routes.
//
// The kernel takes the lowest metric that has a usable route, and beyond that
// metric the best of all. Several that are not one multipath it chooses from
// by where the packet came from and what the neighbors do: that choice is left
// to it.
func (m *Mirror) judge(routes []route, now time.Time) verdict {
	if slices.ContainsFunc(routes, func(r route) bool { return r.Src.Bits() > 0 }) {
		// The source decides, and if it matches no route here the kernel goes
		// on at a less specific prefix, past routes that do not ask for it.
		return verdict{found: true, reason: dataplane.PuntRoute, routes: routes}
	}
	usable := make([]verdict, 0, 4)
	lowest := 0 // of usable
	for _, r := range routes {
		v := m.judgeRoute(r, now)
		if !v.found {
			continue
		}
		usable = append(usable, v)
		if r.Metric == routes[0].Metric {
			lowest++
		}
	}
	if lowest > 0 {
		usable = usable[:lowest]
	}
	switch len(usable) {
	case 0:
		return verdict{}
	case 1:
		return usable[0]
	}
	v := verdict{found: true, reason: usable[0].reason}
	for _, u := range usable {
		v.routes = append(v.routes, u.routes...)
		if u.reason != v.reason {
			v.reason = dataplane.PuntRoute
		}
	}
	if v.reason == dataplane.Forward {
		v.reason = dataplane.PuntRoute
	}
	return v
}

// judgeRoute says what becomes of packets that r is chosen for. It is not found
// if r cannot be chosen now.
func (m *Mirror) judgeRoute(r route, now time.Time) verdict {
	v := verdict{found: true, reason: dataplane.PuntRoute, routes: []route{r}}
	switch {
	case r.HasExpires && r.Expires < 0:
		return verdict{}
	case r.Type == rtnLocal || r.Type == rtnAnycast:
		v.reason = dataplane.PuntLocal
		return v
	case r.Type != rtnUnicast && (r.Type != rtnBlackhole || r.NextHop == 0):
		return v // with an object, the type is what the object was once
	case r.HasExpires && !now.Before(r.deadline):
		return v // it may have been renewed, which is not told
	}
	hops, ok := m.hops(r)
	switch {
	case len(hops) > 0 && !slices.ContainsFunc(hops, m.alive):
		return verdict{}
	case !ok:
		return v
	case r.MTU != 0:
		// Its MTU counts beside the link's, and locked it counts alone
		// (ip6_dst_mtu_maybe_forward, and dst_mtu in __ip6_finish_output).
		return v
	}
	v.reason, v.hops, v.nextHop = dataplane.Forward, hops, r.NextHop
	return v
}

// hops lists the legs of r. It is not ok if only the kernel knows what to do.
func (m *Mirror) hops(r route) (hops []hop, ok bool) {
	if r.NextHop != 0 {
		return m.objectHops(r.NextHop)
	}
	hops, ok = make([]hop, 0, len(r.Legs)), len(r.Legs) > 0
	for _, l := range r.Legs {
		hops = append(hops, hopOf(l, l.Weight))
		ok = ok && !l.Encap && !l.Via
	}
	return hops, ok
}

// objectHops lists the legs of a next-hop object.
func (m *Mirror) objectHops(id uint32) (hops []hop, ok bool) {
	h := m.nextHops[id]
	if h == nil {
		return nil, false
	}
	members := h.Group
	if len(members) == 0 {
		members = []rtnl.GroupMember{{ID: id, Weight: 1}}
	}
	ok = true
	for _, g := range members {
		h := m.nextHops[g.ID]
		if h == nil || h.Blackhole || h.FDB || len(h.Group) != 0 {
			return nil, false
		}
		hops = append(hops, hopOf(h.Leg, g.Weight))
		ok = ok && !h.Leg.Encap && !h.Leg.Via
	}
	return hops, ok
}

func hopOf(l rtnl.Leg, weight int) hop {
	h := hop{ifindex: l.Ifindex, weight: uint32(max(weight, 1))}
	if l.Gateway.IsValid() && !l.Gateway.IsUnspecified() {
		h.gateway = l.Gateway
	}
	return h
}

// alive says whether the kernel would send packets along h.
func (m *Mirror) alive(h hop) bool { return !m.linkDead(h.ifindex) }

// linkDead says whether legs by a link are out of use. RTNH_F_DEAD and
// RTNH_F_LINKDOWN in messages are not asked: they change without one.
func (m *Mirror) linkDead(ifindex int) bool {
	l := m.links[ifindex]
	return l != nil && (!l.Up || !l.Carrier && l.IgnoreLinkdown)
}

// turned lists the prefixes with a route that can be chosen now and could not be
// while the links in wereDead were out of use, or the other way round. It looks
// at every route.
func (m *Mirror) turned(wereDead map[int]struct{}) []prefixKey {
	wasAlive := func(h hop) bool { _, dead := wereDead[h.ifindex]; return !dead }
	differ := func(hops []hop) bool {
		return slices.ContainsFunc(hops, wasAlive) != slices.ContainsFunc(hops, m.alive)
	}
	objects := map[uint32]bool{}
	for id := range m.users {
		hops, _ := m.objectHops(id)
		objects[id] = differ(hops)
	}
	one := make([]hop, 1)
	turned := func(r route) bool {
		switch {
		case r.NextHop != 0:
			return objects[r.NextHop]
		case len(r.Legs) == 1: // nearly all
			one[0].ifindex = r.Legs[0].Ifindex
			return differ(one)
		}
		hops, _ := m.hops(r)
		return differ(hops)
	}
	var found []prefixKey
	for _, t := range []*routeTable{&m.local, &m.main} {
		for k, routes := range t.all() {
			if slices.ContainsFunc(routes, turned) {
				found = append(found, k)
			}
		}
	}
	return found
}
