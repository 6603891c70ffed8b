package control

import (
	"net/netip"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// Mirror is the kernel's own state as netlink tells it: links, addresses,
// neighbors, next-hop objects, rules, and the routes of the tables local and
// main. It knows nothing of forwarding.
//
// It belongs to one goroutine at a time. Applying an Event twice is harmless,
// and so is applying old Events again in their order: that is how a dump and
// what happened during it are put together.
type Mirror struct {
	links     map[int]*rtnl.Link
	addresses map[rtnl.Address]struct{} // Flags left out
	neighbors map[rtnl.NeighborKey]*rtnl.Neighbor
	proxies   map[netip.Addr]map[int]struct{} // addresses answered for, and on which links
	nextHops  map[uint32]*rtnl.NextHop
	users     map[uint32]int // routes of a next-hop object, by its ID
	shared    map[string]*sharedRoute
	local     routeTable
	main      routeTable
	expiring  map[prefixKey]struct{} // prefixes with routes that expire
	rules     map[rtnl.Rule]struct{}

	forwarding bool // net.ipv6.conf.all.forwarding

	// unreadable says what the kernel told and could not be read: routes may be
	// missing. It is empty if all could be.
	unreadable string
	// doubt says what only a new dump can tell, empty if nothing.
	doubt string
	// dumping says that the Events are of a dump, which tells everything once.
	dumping bool
	// twins are prefixes with two routes alike, which replacing a third can
	// make. They are one here: when one goes, only a dump tells of the other.
	twins map[prefixKey]struct{}
}

// routeTable is one of the kernel's tables. The routes of a prefix are ordered
// by metric, and within a metric as the kernel has them. A slice in it never
// changes; a change is another slice.
type routeTable = prefixMap[[]route]

// route is a route, and when it ends. In a table its Dst means nothing.
type route struct {
	*rtnl.Route
	deadline time.Time // the zero Time: never
}

// NewMirror returns a Mirror of a kernel in which nothing is.
func NewMirror() *Mirror {
	return &Mirror{
		links:     map[int]*rtnl.Link{},
		addresses: map[rtnl.Address]struct{}{},
		neighbors: map[rtnl.NeighborKey]*rtnl.Neighbor{},
		proxies:   map[netip.Addr]map[int]struct{}{},
		nextHops:  map[uint32]*rtnl.NextHop{},
		users:     map[uint32]int{},
		shared:    map[string]*sharedRoute{},
		expiring:  map[prefixKey]struct{}{},
		rules:     map[rtnl.Rule]struct{}{},
	}
}

// Change is what Events have changed in a Mirror, and therefore what has to be
// looked at again. The zero Change is empty.
type Change struct {
	prefixes  map[prefixKey]struct{} // routes of either table
	links     map[int]struct{}
	neighbors map[rtnl.NeighborKey]struct{}
	nextHops  map[uint32]struct{}
	local     bool // addresses of this host
	policy    bool // rules, or whether the kernel forwards
	ask       bool // a link may have changed in a way that is not told
	state     bool // a link came or went, up or down
}

// mark puts k into a set that is made when it is needed.
func mark[K comparable](set *map[K]struct{}, k K) {
	if *set == nil {
		*set = map[K]struct{}{}
	}
	(*set)[k] = struct{}{}
}

// empty says whether nothing changed.
func (ch *Change) empty() bool {
	return len(ch.prefixes)+len(ch.links)+len(ch.neighbors)+len(ch.nextHops) == 0 && !ch.local && !ch.policy
}

// Apply makes e part of the mirror and notes in ch what that changed. now is
// when the kernel told it.
func (m *Mirror) Apply(e rtnl.Event, now time.Time, ch *Change) {
	switch o := e.Object.(type) {
	case *rtnl.Link:
		m.applyLink(o, e.Deleted, ch)
	case *rtnl.Address:
		m.applyAddress(o, e.Deleted, ch)
	case *rtnl.Neighbor:
		m.applyNeighbor(o, e.Deleted, ch)
	case *rtnl.NextHop:
		m.applyNextHop(o, e.Deleted, ch)
	case *rtnl.Route:
		m.applyRoute(o, e.Deleted, now, ch)
	case *rtnl.Rule:
		m.applyRule(o, e.Deleted, ch)
	case *rtnl.Netconf:
		m.applyNetconf(o, e.Deleted, ch)
	}
}

func (m *Mirror) applyLink(l *rtnl.Link, deleted bool, ch *Change) {
	old := m.links[l.Ifindex]
	if old != nil && !deleted && *old == *l {
		return
	}
	if old == nil && deleted {
		return
	}
	mark(&ch.links, l.Ifindex)
	ch.ask = ch.ask || old != nil && old.MTU != l.MTU // IPv6's follows later
	ch.state = ch.state || old == nil || deleted || old.Up != l.Up || old.Carrier != l.Carrier
	if old != nil && (deleted || lost(old, l)) {
		// The kernel drops a link's next-hop objects with it, without a word.
		m.flushNextHops(l.Ifindex, ch)
	}
	if deleted {
		delete(m.links, l.Ifindex)
		return
	}
	m.links[l.Ifindex] = l
}

// lost says whether the kernel drops next-hop objects when a link turns from
// old to l (nh_netdev_event in net/ipv4/nexthop.c).
func lost(old, l *rtnl.Link) bool {
	const carrier = iffRunning | iffLowerUp
	return old.Up && !l.Up || old.Flags&carrier != 0 && l.Flags&carrier == 0
}

func (m *Mirror) applyAddress(a *rtnl.Address, deleted bool, ch *Change) {
	key := *a
	key.Flags = 0 // they change as the address ages
	if _, had := m.addresses[key]; had != deleted {
		return
	}
	ch.local = true
	if deleted {
		delete(m.addresses, key)
		return
	}
	m.addresses[key] = struct{}{}
}

func (m *Mirror) applyNeighbor(n *rtnl.Neighbor, deleted bool, ch *Change) {
	key := rtnl.NeighborKey{Ifindex: n.Ifindex, Addr: n.Addr}
	switch {
	case n.Addr.IsMulticast():
		return
	case n.Flags&ntfProxy != 0:
		m.applyProxy(key, deleted, ch)
		return
	}
	old := m.neighbors[key]
	switch {
	case deleted && old != nil:
		delete(m.neighbors, key)
	case !deleted && (old == nil || *old != *n):
		m.neighbors[key] = n
	default:
		return
	}
	mark(&ch.neighbors, key)
}

// applyProxy notes an address that the kernel answers for. It then looks at
// packets to it more closely than at others (ip6_forward_proxy_check), so they
// are its own: the address counts as a route of its own prefix.
func (m *Mirror) applyProxy(key rtnl.NeighborKey, deleted bool, ch *Change) {
	links := m.proxies[key.Addr]
	if _, had := links[key.Ifindex]; had != deleted {
		return
	}
	if deleted {
		delete(links, key.Ifindex)
	} else {
		mark(&links, key.Ifindex)
	}
	if m.proxies[key.Addr] = links; len(links) == 0 {
		delete(m.proxies, key.Addr)
	}
	mark(&ch.prefixes, hostKey(key.Addr))
}

func (m *Mirror) applyRule(r *rtnl.Rule, deleted bool, ch *Change) {
	if _, had := m.rules[*r]; had != deleted {
		return
	}
	ch.policy = true
	if deleted {
		delete(m.rules, *r)
		return
	}
	m.rules[*r] = struct{}{}
}

func (m *Mirror) applyNetconf(c *rtnl.Netconf, deleted bool, ch *Change) {
	ch.ask = true // IPv6 came to the link or left it
	if deleted {
		return
	}
	if c.Ifindex == netconfAll && c.HasForwarding && m.forwarding != c.Forwarding {
		m.forwarding = c.Forwarding
		ch.policy = true
	}
	if l := m.links[c.Ifindex]; l != nil && c.HasIgnoreLinkdown && l.IgnoreLinkdown != c.IgnoreLinkdown {
		changed := *l
		changed.IgnoreLinkdown = c.IgnoreLinkdown
		m.links[c.Ifindex] = &changed
		mark(&ch.links, c.Ifindex)
	}
}

// proxyKeys lists the addresses that the kernel answers for.
func (m *Mirror) proxyKeys() proxySet {
	all := proxySet{}
	for addr, links := range m.proxies {
		for ifindex := range links {
			all[rtnl.NeighborKey{Ifindex: ifindex, Addr: addr}] = struct{}{}
		}
	}
	return all
}

// linkName is the name of a link for people.
func (m *Mirror) linkName(ifindex int) string {
	if l := m.links[ifindex]; l != nil {
		return l.Name
	}
	return ""
}

// localAddrs are the addresses whose packets are for this host: its own, and
// the hosts that the table local says are (an anycast address is only there).
func (m *Mirror) localAddrs() map[netip.Addr]struct{} {
	all := map[netip.Addr]struct{}{}
	for a := range m.addresses {
		all[a.Addr] = struct{}{}
	}
	for k, routes := range m.local.all() {
		if k.bits != 128 {
			continue
		}
		for _, r := range routes {
			if r.Type == rtnLocal || r.Type == rtnAnycast {
				all[k.addr.Netip()] = struct{}{}
			}
		}
	}
	return all
}
