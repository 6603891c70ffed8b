package control

import (
	"slices"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// applyNextHop follows a next-hop object. What its going does to groups and
// routes is done here too, because the kernel does not always tell it.
func (m *Mirror) applyNextHop(h *rtnl.NextHop, deleted bool, ch *Change) {
	if !deleted {
		if old := m.nextHops[h.ID]; old != nil && equalNextHop(old, h) {
			return
		}
		m.nextHops[h.ID] = h
		mark(&ch.nextHops, h.ID)
		return
	}
	m.removeNextHop(h.ID, ch)
}

// removeNextHop removes an object, it from groups, groups that it leaves empty,
// and all routes by any of these (__remove_nexthop in net/ipv4/nexthop.c).
func (m *Mirror) removeNextHop(id uint32, ch *Change) {
	if m.nextHops[id] == nil {
		return
	}
	delete(m.nextHops, id)
	mark(&ch.nextHops, id)
	if m.users[id] > 0 {
		m.removeUsers(&m.local, id, ch)
		m.removeUsers(&m.main, id, ch)
	}
	for _, g := range m.groupsWith(id) {
		changed := *m.nextHops[g]
		changed.Group = slices.DeleteFunc(slices.Clone(changed.Group), func(m rtnl.GroupMember) bool { return m.ID == id })
		if len(changed.Group) == 0 {
			m.removeNextHop(g, ch)
			continue
		}
		m.nextHops[g] = &changed
		mark(&ch.nextHops, g)
	}
}

// groupsWith lists the groups that have the object id as a member.
func (m *Mirror) groupsWith(id uint32) []uint32 {
	var groups []uint32
	for g, h := range m.nextHops {
		if slices.ContainsFunc(h.Group, func(m rtnl.GroupMember) bool { return m.ID == id }) {
			groups = append(groups, g)
		}
	}
	return groups
}

// removeUsers removes the routes of t by the object id.
func (m *Mirror) removeUsers(t *routeTable, id uint32, ch *Change) {
	for _, k := range using(t, func(nextHop uint32) bool { return nextHop == id }) {
		old, _ := t.get(k)
		routes := slices.DeleteFunc(slices.Clone(old), func(r route) bool { return r.NextHop == id })
		m.setRoutes(t, k, old, routes, ch)
	}
}

// flushNextHops removes the objects that lead to a link.
func (m *Mirror) flushNextHops(ifindex int, ch *Change) {
	var gone []uint32
	for id, h := range m.nextHops {
		if h.Leg.Ifindex == ifindex && len(h.Group) == 0 && !h.Blackhole {
			gone = append(gone, id)
		}
	}
	for _, id := range gone {
		m.removeNextHop(id, ch)
	}
}

// using lists the prefixes with a route by an object that wanted picks. It
// looks at every route.
func using(t *routeTable, wanted func(nextHop uint32) bool) []prefixKey {
	var found []prefixKey
	for k, routes := range t.all() {
		if slices.ContainsFunc(routes, func(r route) bool { return r.NextHop != 0 && wanted(r.NextHop) }) {
			found = append(found, k)
		}
	}
	return found
}

func equalNextHop(a, b *rtnl.NextHop) bool {
	return a.Leg == b.Leg && a.Blackhole == b.Blackhole && a.FDB == b.FDB && a.Resilient == b.Resilient &&
		slices.Equal(a.Group, b.Group)
}
