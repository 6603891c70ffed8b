package control

import (
	"net/netip"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
)

// passed lists the addresses whose packets the XDP program passes to the kernel
// whatever else is true of them: check_addr in xdp/bpf/sort.c.
var passed = []struct {
	prefix  prefixKey
	verdict xdp.Verdict
	text    string
}{
	{keyOf(netip.MustParsePrefix("ff00::/8")), xdp.PassMulticast, "multicast"},
	{keyOf(netip.MustParsePrefix("fe80::/10")), xdp.PassLinkLocal, "link-local destination"},
	{keyOf(netip.MustParsePrefix("::/96")), xdp.PassReserved, "unspecified, loopback or reserved destination"},
	{mappedKey, xdp.PassReserved, "IPv4-mapped destination"},
}

// setPass notes if no worker sees packets to any address in k.
func (r *RouteInfo) setPass(k prefixKey) {
	for _, p := range passed {
		if p.prefix.covers(k) {
			r.Pass, r.Why = p.verdict, p.text
		}
	}
}

// setPassing notes why all traffic is left to the kernel, if it is: whatever the
// route, the XDP program passes its packets, and for this before all else.
func (r *RouteInfo) setPassing(why string) {
	if why != "" {
		r.Pass, r.Why = xdp.PassPassing, why
	}
}

// routeTo returns the route that packets to addr take.
func (r *resolver) routeTo(addr netip.Addr) RouteInfo {
	info := RouteInfo{Reason: dataplane.PuntNoRoute}
	if k, _, ok := r.targets.longest(hostKey(addr)); ok {
		info = r.routeInfo(k, addr)
	}
	info.setPass(hostKey(addr))
	return info
}

// routesAfter lists the next routes after a prefix, or the first ones.
func (r *resolver) routesAfter(k prefixKey, first bool) ([]RouteInfo, prefixKey) {
	some := make([]RouteInfo, 0, routesAtOnce)
	if _, ok := r.targets.get(prefixKey{}); ok && first {
		some = append(some, r.routeInfo(prefixKey{}, netip.Addr{}))
	}
	for next := range r.targets.after(k) {
		if len(some) == routesAtOnce {
			break
		}
		some = append(some, r.routeInfo(next, netip.Addr{}))
		k = next
	}
	return some, k
}

// routeInfo describes where k leads, and if addr is valid, how packets to addr
// go on from there.
func (r *resolver) routeInfo(k prefixKey, addr netip.Addr) RouteInfo {
	v, _ := r.decide(k)
	info := RouteInfo{Dst: k.prefix(), Reason: v.reason, Type: typeUnicast}
	info.setPass(k)
	if k.bits == 128 {
		addr = k.addr.Netip()
	}
	if g, _ := r.targets.get(k); g != nil && g.starved {
		info.Reason = dataplane.PuntRoute
	} else if v.reason == dataplane.Forward && r.mixed(v.hops) {
		info.Reason = dataplane.PuntEgress
	}
	if len(v.routes) == 0 {
		return info // an address that the kernel answers for
	}
	best := v.routes[0]
	info.Table, info.Protocol, info.Metric, info.NextHop = best.Table, best.Protocol, best.Metric, best.NextHop
	info.PrefSrc, info.MTU, info.Pref = best.PrefSrc, best.MTU, best.Pref
	if info.Type = typeNames[best.Type]; info.Type == "" {
		info.Type = "unspec"
	}
	for _, l := range r.legsOf(best) {
		info.Legs = append(info.Legs, r.legInfo(l, addr, info.Reason))
	}
	if len(info.Legs) == 1 {
		info.Flags, info.Legs[0].Flags = info.Legs[0].Flags, nil
	}
	return info
}

// legsOf lists the legs of a route as they are now.
func (r *resolver) legsOf(rt route) []rtnl.Leg {
	if rt.NextHop == 0 {
		return rt.Legs
	}
	h := r.mirror.nextHops[rt.NextHop]
	switch {
	case h == nil:
		return nil
	case len(h.Group) == 0:
		return []rtnl.Leg{h.Leg}
	}
	legs := make([]rtnl.Leg, 0, len(h.Group))
	for _, g := range h.Group {
		if member := r.mirror.nextHops[g.ID]; member != nil {
			l := member.Leg
			l.Weight = g.Weight
			legs = append(legs, l)
		}
	}
	return legs
}

// legInfo describes l, and the neighbor that packets to addr take by it.
func (r *resolver) legInfo(l rtnl.Leg, addr netip.Addr, reason dataplane.Reason) LegInfo {
	info := LegInfo{Dev: r.mirror.linkName(l.Ifindex), Weight: max(l.Weight, 1), Reason: reason}
	to := addr
	if l.Gateway.IsValid() && !l.Gateway.IsUnspecified() {
		info.Gateway, to = l.Gateway, l.Gateway
	}
	if l.Flags&rtnhOnlink != 0 {
		info.Flags = append(info.Flags, "onlink")
	}
	if link := r.mirror.links[l.Ifindex]; link != nil && (!link.Up || !link.Carrier) {
		if r.mirror.linkDead(l.Ifindex) {
			info.Flags = append(info.Flags, "dead")
		}
		info.Flags = append(info.Flags, "linkdown")
	}
	if reason != dataplane.Forward {
		return info
	}
	key := rtnl.NeighborKey{Ifindex: l.Ifindex, Addr: to}
	info.Reason = r.adjacencyContent(key).Reason
	if info.Reason == dataplane.Forward {
		info.MAC = macOf(r.mirror.neighbors[key])
	}
	if info.Reason == dataplane.PuntNeighbor && !info.Gateway.IsValid() {
		info.Reason = dataplane.PuntGlean
	}
	return info
}
