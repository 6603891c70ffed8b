package control

import (
	"slices"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// Diff notes in ch what has to be looked at again when fresh takes m's place.
func (m *Mirror) Diff(fresh *Mirror, ch *Change) {
	diffMaps(m.links, fresh.links, &ch.links, func(a, b *rtnl.Link) bool { return *a == *b })
	diffMaps(m.neighbors, fresh.neighbors, &ch.neighbors, func(a, b *rtnl.Neighbor) bool { return *a == *b })
	diffMaps(m.nextHops, fresh.nextHops, &ch.nextHops, equalNextHop)
	for addr := range m.proxies {
		if fresh.proxies[addr] == nil {
			mark(&ch.prefixes, hostKey(addr))
		}
	}
	for addr := range fresh.proxies {
		if m.proxies[addr] == nil {
			mark(&ch.prefixes, hostKey(addr))
		}
	}
	diffRoutes(&m.local, &fresh.local, ch)
	diffRoutes(&m.main, &fresh.main, ch)
	for _, expiring := range []map[prefixKey]struct{}{m.expiring, fresh.expiring} {
		for k := range expiring {
			mark(&ch.prefixes, k) // perhaps renewed, which is not told
		}
	}
	// Looking at these is cheaper than finding out whether there is a need.
	ch.local, ch.policy = true, true
}

// diffMaps marks the keys whose values differ or are in one map only.
func diffMaps[K comparable, V any](old, fresh map[K]V, changed *map[K]struct{}, equal func(a, b V) bool) {
	for k, a := range old {
		if b, ok := fresh[k]; !ok || !equal(a, b) {
			mark(changed, k)
		}
	}
	for k := range fresh {
		if _, ok := old[k]; !ok {
			mark(changed, k)
		}
	}
}

func diffRoutes(old, fresh *routeTable, ch *Change) {
	for k, a := range old.all() {
		if b, ok := fresh.get(k); !ok || !slices.EqualFunc(a, b, equalRoute) {
			mark(&ch.prefixes, k)
		}
	}
	for k := range fresh.all() {
		if _, ok := old.get(k); !ok {
			mark(&ch.prefixes, k)
		}
	}
}

// equalRoute says whether a and b have the same effect, but for when they end.
func equalRoute(a, b route) bool {
	return a.Src == b.Src && a.Type == b.Type && a.Protocol == b.Protocol && a.Metric == b.Metric &&
		a.NextHop == b.NextHop && a.MTU == b.MTU && a.MTULock == b.MTULock && a.Flags == b.Flags &&
		a.Pref == b.Pref && a.PrefSrc == b.PrefSrc && a.HasExpires == b.HasExpires &&
		slices.Equal(a.Legs, b.Legs)
}
