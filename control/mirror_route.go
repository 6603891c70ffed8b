package control

import (
	"slices"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// multicastKey is ff00::/8, whose route in the table local is there exactly
// while IPv6 runs on a link.
var multicastKey = prefixKey{addr: hiAddr(0xff << 56), bits: 8}

// table returns the table with a number, nil if it is none that matters.
func (m *Mirror) table(number uint32) *routeTable {
	switch number {
	case tableLocal:
		return &m.local
	case tableMain:
		return &m.main
	}
	return nil
}

// applyRoute follows what the kernel does in fib6_add_rt2node and
// fib6_del_route (net/ipv6/ip6_fib.c).
//
// Of the routes with one destination, source and metric, those that may be legs
// of a multipath are one route to netlink, told whole whenever a leg comes. All
// others are routes of their own: there can be several, say the same connected
// prefix on two links.
func (m *Mirror) applyRoute(r *rtnl.Route, deleted bool, now time.Time, ch *Change) {
	t := m.table(r.Table)
	if t == nil || r.Flags&rtmCloned != 0 {
		return
	}
	k := keyOf(r.Dst)
	old, _ := t.get(k)
	if _, twins := m.twins[k]; twins && (deleted || r.Replace) {
		m.doubt = "a route " + r.Dst.String() + " went, of which there may have been two"
	}
	var routes []route
	if deleted {
		routes = withoutRoute(old, r)
	} else {
		routes = m.withRoute(old, route{r, deadline(r, now)})
	}
	m.setRoutes(t, k, old, routes, ch)
}

// deadline is when r ends. The kernel tells it rounded down, so it may live for
// up to a second longer, during which it is asked.
func deadline(r *rtnl.Route, now time.Time) time.Time {
	if !r.HasExpires {
		return time.Time{}
	}
	return now.Add(time.Duration(r.Expires) * time.Second)
}

// expired says whether a route of k may have come to its end since it was told,
// and whether one had ended then.
func (m *Mirror) expired(k prefixKey, now time.Time) (over, ended bool) {
	expires := false
	for _, t := range []*routeTable{&m.local, &m.main} {
		routes, _ := t.get(k)
		for _, r := range routes {
			expires = expires || r.HasExpires
			ended = ended || r.HasExpires && r.Expires < 0
			over = over || r.HasExpires && r.Expires >= 0 && !now.Before(r.deadline)
		}
	}
	if !expires {
		delete(m.expiring, k)
	}
	return over, ended
}

// setRoutes replaces the routes of k, keeps the books, and notes the change. The
// slice is the table's from then on.
func (m *Mirror) setRoutes(t *routeTable, k prefixKey, old, routes []route, ch *Change) {
	for i, r := range routes {
		routes[i].Route = m.share(r.Route)
		if r.NextHop != 0 {
			m.users[r.NextHop]++
		}
		if r.HasExpires {
			m.expiring[k] = struct{}{}
		}
	}
	for _, r := range old {
		m.unshare(r.Route)
		if r.NextHop == 0 {
			continue
		}
		if m.users[r.NextHop]--; m.users[r.NextHop] == 0 {
			delete(m.users, r.NextHop)
		}
	}
	if slices.Equal(old, routes) {
		return
	}
	if len(routes) == 0 {
		t.remove(k)
	} else {
		t.set(k, routes)
	}
	mark(&ch.prefixes, k)
	if t == &m.local {
		ch.local = ch.local || k.bits == 128
		ch.ask = ch.ask || k == multicastKey
	}
}

// siblings says whether r is a multipath, or could become one by another leg
// (rt6_qualify_for_ecmp). Routes learnt from router advertisements cannot, but
// others may be of the same protocol.
func siblings(r *rtnl.Route) bool {
	if r.NextHop != 0 || len(r.Legs) == 0 {
		return false
	}
	if len(r.Legs) > 1 {
		return true
	}
	return r.Legs[0].Gateway.IsValid() && r.Protocol != rtProtRA
}

// samePlace says whether a and b compete by nothing but their age.
func samePlace(a, b *rtnl.Route) bool { return a.Metric == b.Metric && a.Src == b.Src }

// withRoute returns a copy of routes with r added.
func (m *Mirror) withRoute(routes []route, r route) []route {
	first := -1         // of the same place
	at, rivals := -1, 0 // the first that r may take the place of, and how many could be it
	sibling := siblings(r.Route)
	for i, old := range routes {
		if !samePlace(old.Route, r.Route) {
			continue
		}
		if first < 0 {
			first = i
		}
		if siblings(old.Route) != sibling {
			continue
		}
		if sibling || r.Replace || sameRoute(old.Route, r.Route) {
			if rivals++; at < 0 {
				at = i
			}
		}
	}
	if r.Replace && (rivals > 1 || r.Protocol == rtProtRA && first >= 0) {
		m.doubt = "route " + r.Dst.String() + " replaced another, and which is not told"
	}
	if m.dumping && at >= 0 {
		mark(&m.twins, keyOf(r.Dst))
	}
	if at < 0 && r.Replace {
		at = first // the kernel takes what it finds
	}
	if at >= 0 {
		routes = slices.Clone(routes)
		routes[at] = r
	} else {
		routes = insertRoute(routes, r)
	}
	return gathered(routes, r)
}

// gathered returns routes without those that turn out to be legs of r: a route
// of the protocol ra that is one is not the kernel's own, which would stay
// single.
func gathered(routes []route, r route) []route {
	if len(r.Legs) < 2 || r.Protocol != rtProtRA {
		return routes
	}
	return slices.DeleteFunc(routes, func(o route) bool {
		return o.Protocol == rtProtRA && samePlace(o.Route, r.Route) && len(o.Legs) == 1 && hasLeg(r.Legs, o.Legs[0])
	})
}

// insertRoute returns routes with r behind all of its metric.
func insertRoute(routes []route, r route) []route {
	at := len(routes)
	for at > 0 && routes[at-1].Metric > r.Metric {
		at--
	}
	return slices.Insert(slices.Clone(routes), at, r)
}

// withoutRoute returns a copy of routes without r, or without those legs of a
// multipath that r names.
func withoutRoute(routes []route, r *rtnl.Route) []route {
	for i, old := range routes {
		if samePlace(old.Route, r) && sameRoute(old.Route, r) {
			return slices.Delete(slices.Clone(routes), i, i+1)
		}
	}
	for i, old := range routes {
		if !samePlace(old.Route, r) || len(old.Legs) < 2 || old.NextHop != 0 || !siblings(r) && old.Protocol != r.Protocol {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(old.Legs), func(l rtnl.Leg) bool { return hasLeg(r.Legs, l) })
		if len(left) == len(old.Legs) {
			continue
		}
		if len(left) == 0 {
			return slices.Delete(slices.Clone(routes), i, i+1)
		}
		shrunk := *old.Route
		shrunk.Legs = left
		routes = slices.Clone(routes)
		routes[i].Route = &shrunk
		return routes
	}
	return slices.Clone(routes)
}

// sameRoute says whether a and b, of the same place, are one route to the
// kernel (rt6_duplicate_nexthop), told at two times.
func sameRoute(a, b *rtnl.Route) bool {
	if a.NextHop != 0 || b.NextHop != 0 {
		return a.NextHop == b.NextHop
	}
	return a.Type == b.Type && siblings(a) == siblings(b) && slices.EqualFunc(a.Legs, b.Legs, sameLeg)
}

func sameLeg(a, b rtnl.Leg) bool {
	return a.Ifindex == b.Ifindex && a.Gateway == b.Gateway && a.Encap == b.Encap && a.Via == b.Via
}

func hasLeg(legs []rtnl.Leg, l rtnl.Leg) bool {
	return slices.ContainsFunc(legs, func(o rtnl.Leg) bool { return sameLeg(o, l) })
}
