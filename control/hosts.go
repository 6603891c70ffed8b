package control

import (
	"net/netip"
	"slices"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
)

// host is an address that is resolved on some link. Where the longest match of
// the address is an on-link prefix of such a link, it has an entry of its own
// in the FIB; the prefix itself leads to the kernel, which resolves hosts that
// nobody has asked for yet.
type host struct {
	links map[int]struct{} // where it is resolved
	group *group           // of its entry; nil: it has none
}

// updateNeighbor follows a neighbor: one store, and perhaps a host to look at.
func (r *resolver) updateNeighbor(key rtnl.NeighborKey) {
	if a := r.adjacencies.byKey[key]; a != nil {
		r.updateAdjacency(a)
	}
	if !canBeHost(key.Addr) {
		return
	}
	k := hostKey(key.Addr)
	h, ok := r.hosts.get(k)
	_, port := r.ports[key.Ifindex]
	here := port && resolved(r.mirror.neighbors[key])
	if ok {
		_, was := h.links[key.Ifindex]
		if was == here {
			return
		}
	} else {
		if !here {
			return
		}
		h = &host{links: map[int]struct{}{}}
		r.hosts.set(k, h)
	}
	if here {
		h.links[key.Ifindex] = struct{}{}
	} else {
		delete(h.links, key.Ifindex)
	}
	r.dirtyHosts[k] = struct{}{}
}

// canBeHost says whether packets to addr are forwarded at all.
func canBeHost(addr netip.Addr) bool {
	return !addr.IsLinkLocalUnicast() && !addr.IsMulticast() && !addr.Is4In6()
}

// touchHosts notes that the routes of the hosts inside k may have changed.
func (r *resolver) touchHosts(k prefixKey) {
	for inside := range r.hosts.inside(k) {
		r.dirtyHosts[inside] = struct{}{}
	}
}

// updateHost decides whether a host has an entry, and where it leads.
func (r *resolver) updateHost(k prefixKey) {
	h, ok := r.hosts.get(k)
	if !ok {
		return
	}
	if len(h.links) == 0 {
		defer r.hosts.remove(k)
	}
	_, hasRoute := r.targets.get(k)
	v := verdict{}
	if !hasRoute {
		v = r.decideHost(k, h)
	}
	if !v.found {
		if h.group != nil {
			r.fib.Routes.Remove(k.prefix())
			r.dropHost(k)
		}
		if !hasRoute {
			r.note(r.refused, k, false)
		}
		return
	}
	g, full := r.acquireGroup(v)
	r.note(r.starving, k, full || g.starved)
	if g == h.group {
		r.note(r.refused, k, false)
		r.releaseGroup(g)
		return
	}
	if !r.add(k, g) {
		r.releaseGroup(g)
		return
	}
	if h.group != nil {
		r.releaseGroup(h.group)
	}
	h.group = g
}

// dropHost ends the entry of a host whose place in the FIB another has taken or
// nobody has.
func (r *resolver) dropHost(k prefixKey) {
	if h, ok := r.hosts.get(k); ok && h.group != nil {
		r.releaseGroup(h.group)
		h.group = nil
		r.note(r.starving, k, false)
		r.note(r.refused, k, false)
	}
}

// decideHost returns the route of an on-link host: its prefix's, with the host
// itself as next hop wherever the prefix has none.
func (r *resolver) decideHost(k prefixKey, h *host) verdict {
	_, g, ok := r.targets.longest(k)
	if !ok || g.reason != dataplane.Forward {
		return verdict{}
	}
	v := verdict{found: true, hops: slices.Clone(g.hops)}
	for i, leg := range v.hops {
		if _, here := h.links[leg.ifindex]; here && !leg.gateway.IsValid() {
			v.hops[i].gateway, v.hops[i].direct = k.addr.Netip(), true
		}
	}
	v.found = hasDirect(v.hops)
	return v
}

// directHops returns the hops of a route to one host: the host is the next hop
// where there is no other.
func directHops(hops []hop, addr netip.Addr) []hop {
	if !slices.ContainsFunc(hops, func(h hop) bool { return !h.gateway.IsValid() }) {
		return hops
	}
	hops = slices.Clone(hops)
	for i, h := range hops {
		if !h.gateway.IsValid() {
			hops[i].gateway, hops[i].direct = addr, true
		}
	}
	return hops
}

func hasDirect(hops []hop) bool {
	return slices.ContainsFunc(hops, func(h hop) bool { return h.direct })
}
