package control

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
)

// world is a mirror and a resolver with links 1 to 3, which are ports, and 4,
// which is none. On each link fe80::1 is resolved and fe80::2 is not.
type world struct {
	testing.TB
	m   *Mirror
	r   *resolver
	now time.Time
}

func newWorld(tb testing.TB) *world {
	m, r := newModel()
	w := &world{tb, m, r, modelClock}
	r.now = func() time.Time { return w.now }
	for i := 1; i <= 4; i++ {
		w.tell(link(i), &rtnl.Neighbor{
			Ifindex: i, Addr: netip.MustParseAddr("fe80::1"), State: nudReachable, HasMAC: true, MAC: [6]byte{4, byte(i)},
		})
	}
	return w
}

func link(i int, change ...func(*rtnl.Link)) *rtnl.Link {
	l := &rtnl.Link{
		Ifindex: i, Name: string(rune('q'+i)) + "0", Type: arphrdEther, Flags: iffRunning | iffLowerUp, Up: true, Carrier: true,
		HasMAC: true, MAC: [6]byte{2, byte(i)}, HasIPv6: true, MTU: 1500, MTU6: 1500,
	}
	for _, c := range change {
		c(l)
	}
	return l
}

func (w *world) tell(objects ...rtnl.Object) { w.events(false, objects) }
func (w *world) untell(o ...rtnl.Object)     { w.events(true, o) }

func (w *world) events(deleted bool, objects []rtnl.Object) {
	var ch Change
	for _, o := range objects {
		w.m.Apply(rtnl.Event{Deleted: deleted, Object: o}, w.now, &ch)
	}
	w.r.update(&ch)
}

// goes fails the test unless the packets for addr are shared out as wanted, as
// ports "0", "1", "2" or names of reasons.
func (w *world) goes(addr string, want ...string) {
	w.Helper()
	var got []string
	for _, o := range fibLookup(w.r.fib, netip.MustParseAddr(addr)) {
		if o.reason == dataplane.Forward {
			got = append(got, string(rune('0'+o.port)))
		} else {
			got = append(got, o.reason.String())
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.Errorf("%s goes %v, want %v", addr, got, want)
	}
}

// to is a route of the table main to prefix by link i and gateway, if any.
func to(prefix string, i int, gateway string, change ...func(*rtnl.Route)) *rtnl.Route {
	r := &rtnl.Route{
		Table: tableMain, Dst: netip.MustParsePrefix(prefix), Src: netip.MustParsePrefix("::/0"), Type: rtnUnicast,
		Metric: 1024, Protocol: 4, Legs: []rtnl.Leg{by(i, gateway)},
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func by(i int, gateway string) rtnl.Leg {
	l := rtnl.Leg{Ifindex: i, Weight: 1}
	if gateway != "" {
		l.Gateway = netip.MustParseAddr(gateway)
	}
	return l
}

func neighbor(i int, addr string, state uint16) *rtnl.Neighbor {
	return &rtnl.Neighbor{Ifindex: i, Addr: netip.MustParseAddr(addr), State: state, HasMAC: true, MAC: [6]byte{6, byte(i)}}
}

func local(r *rtnl.Route)     { r.Table = tableLocal }
func localHost(r *rtnl.Route) { r.Table, r.Type, r.Metric = tableLocal, rtnLocal, 0 }
func nextHop(id uint32) func(*rtnl.Route) {
	return func(r *rtnl.Route) { r.NextHop, r.Legs = id, nil }
}
func metric(n uint32) func(*rtnl.Route) { return func(r *rtnl.Route) { r.Metric = n } }
func kind(n uint8) func(*rtnl.Route) {
	return func(r *rtnl.Route) { r.Type, r.Legs = n, []rtnl.Leg{{Ifindex: 9, Weight: 1}} }
}

// Each rule of the kernel's lookup, on its own.
func TestRules(t *testing.T) {
	tests := []struct {
		name  string
		told  []rtnl.Object
		addr  string
		wants []string
	}{
		{"nothing", nil, "2001:db8::1", []string{"punt_no_route"}},
		{"gateway", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1")}, "2001:db8::1", []string{"0"}},
		{"default", []rtnl.Object{to("::/0", 2, "fe80::1")}, "2001:db8::1", []string{"1"}},
		{"longest match", []rtnl.Object{to("::/0", 2, "fe80::1"), to("2001:db8::/32", 1, "fe80::1")}, "2001:db8::1", []string{"0"}},
		{"lowest metric", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1"), to("2001:db8::/32", 2, "fe80::1", metric(5))}, "2001:db8::1", []string{"1"}},
		{"gateway unresolved", []rtnl.Object{to("2001:db8::/32", 1, "fe80::2")}, "2001:db8::1", []string{"punt_neighbor"}},
		{"no port", []rtnl.Object{to("2001:db8::/32", 4, "fe80::1")}, "2001:db8::1", []string{"punt_egress"}},
		{"unknown device", []rtnl.Object{to("2001:db8::/32", 8, "fe80::1")}, "2001:db8::1", []string{"punt_egress"}},
		{"other table", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Table = 100 })}, "2001:db8::1", []string{"punt_no_route"}},
		{"clone", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Flags = rtmCloned })}, "2001:db8::1", []string{"punt_no_route"}},

		{"blackhole", []rtnl.Object{to("::/0", 1, "fe80::1"), to("2001:db8::/32", 0, "", kind(6))}, "2001:db8::1", []string{"punt_route"}},
		{"unreachable", []rtnl.Object{to("2001:db8::/32", 0, "", kind(7))}, "2001:db8::1", []string{"punt_route"}},
		{"prohibit", []rtnl.Object{to("2001:db8::/32", 0, "", kind(8))}, "2001:db8::1", []string{"punt_route"}},
		{"throw", []rtnl.Object{to("2001:db8::/32", 0, "", kind(9))}, "2001:db8::1", []string{"punt_route"}},
		{"multicast", []rtnl.Object{to("2001:db8::/32", 0, "", kind(5))}, "2001:db8::1", []string{"punt_route"}},
		{"local", []rtnl.Object{to("2001:db8::1/128", 1, "", localHost)}, "2001:db8::1", []string{"punt_local"}},
		{"anycast", []rtnl.Object{to("2001:db8::/128", 1, "", localHost, func(r *rtnl.Route) { r.Type = rtnAnycast })}, "2001:db8::", []string{"punt_local"}},
		{"anycast on two links", []rtnl.Object{
			to("2001:db8::/128", 1, "", localHost, func(r *rtnl.Route) { r.Type = rtnAnycast }),
			to("2001:db8::/128", 2, "", localHost, func(r *rtnl.Route) { r.Type = rtnAnycast }),
		}, "2001:db8::", []string{"punt_local"}},

		{"AnyIP hides what is inside", []rtnl.Object{to("2001:db8::/32", 1, "", localHost), to("2001:db8:1::/48", 1, "fe80::1")}, "2001:db8:1::1", []string{"punt_local"}},
		{"AnyIP hides what is told first", []rtnl.Object{to("2001:db8:1::/48", 1, "fe80::1"), to("2001:db8::/32", 1, "", localHost)}, "2001:db8:1::1", []string{"punt_local"}},
		{"AnyIP hides no more", []rtnl.Object{to("2001::/16", 1, "fe80::1"), to("2001:db8::/32", 1, "", localHost)}, "2001:db9::1", []string{"0"}},
		{"unicast in local before main", []rtnl.Object{to("2001:db8::/32", 2, "fe80::1", local), to("2001:db8::/32", 1, "fe80::1", metric(1))}, "2001:db8::1", []string{"1"}},

		{"source-specific", []rtnl.Object{
			to("2001:db8::/32", 1, "fe80::1"),
			to("2001:db8::/32", 2, "fe80::1", func(r *rtnl.Route) { r.Src = netip.MustParsePrefix("2001:db8:5::/48") }),
		}, "2001:db8::1", []string{"punt_route"}},
		{"inside source-specific", []rtnl.Object{
			to("2001:db8:1::/48", 1, "fe80::1"),
			to("2001:db8::/32", 2, "fe80::1", func(r *rtnl.Route) { r.Src = netip.MustParsePrefix("2001:db8:5::/48") }),
		}, "2001:db8:1::1", []string{"0"}},
		{"around source-specific", []rtnl.Object{
			to("2001::/16", 1, "fe80::1"),
			to("2001:db8::/32", 2, "fe80::1", func(r *rtnl.Route) { r.Src = netip.MustParsePrefix("2001:db8:5::/48") }),
		}, "2001:db9::1", []string{"0"}},
		{"source-specific in local hides main", []rtnl.Object{
			to("2001:db8:1::/48", 1, "fe80::1"),
			to("2001:db8::/32", 2, "fe80::1", local, func(r *rtnl.Route) { r.Src = netip.MustParsePrefix("2001:db8:5::/48") }),
		}, "2001:db8:1::1", []string{"punt_route"}},

		{"connected on two links", []rtnl.Object{to("2001:db8::/64", 1, "", metric(256)), to("2001:db8::/64", 2, "", metric(256))}, "2001:db8::1", []string{"punt_route"}},
		{"gateway beside on-link", []rtnl.Object{to("2001:db8::/64", 1, "fe80::1"), to("2001:db8::/64", 2, "")}, "2001:db8::1", []string{"punt_route"}},
		{"two advertised defaults", []rtnl.Object{
			to("::/0", 1, "fe80::1", func(r *rtnl.Route) { r.Protocol = rtProtRA }),
			to("::/0", 2, "fe80::1", func(r *rtnl.Route) { r.Protocol = rtProtRA }),
		}, "2001:db8::1", []string{"punt_route"}},
		{"multipath", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) {
			r.Legs = append(r.Legs, by(2, "fe80::1"), by(3, "fe80::2"))
		})}, "2001:db8::1", []string{"0", "1", "punt_neighbor"}},
		{"multipath with a leg by no port", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) {
			r.Legs = append(r.Legs, by(4, "fe80::1"))
		})}, "2001:db8::1", []string{"punt_egress"}},
		{"multipath with a dead leg by no port", []rtnl.Object{
			to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Legs = append(r.Legs, by(4, "fe80::1"), by(2, "fe80::1")) }),
			link(4, func(l *rtnl.Link) { l.Up, l.Carrier, l.Flags = false, false, 0 }),
		}, "2001:db8::1", []string{"0", "1"}},
		{"multipath of one protocol ra", []rtnl.Object{
			to("::/0", 1, "fe80::1", func(r *rtnl.Route) { r.Protocol = rtProtRA }),
			to("::/0", 1, "fe80::1", func(r *rtnl.Route) {
				r.Protocol, r.Append = rtProtRA, true
				r.Legs = append(r.Legs, by(2, "fe80::1"))
			}),
		}, "2001:db8::1", []string{"0", "1"}},

		{"encapsulation", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Legs[0].Encap = true })}, "2001:db8::1", []string{"punt_route"}},
		{"via another family", []rtnl.Object{to("2001:db8::/32", 1, "", func(r *rtnl.Route) { r.Legs[0].Via = true })}, "2001:db8::1", []string{"punt_route"}},
		{"locked MTU", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.MTU, r.MTULock = 1300, true })}, "2001:db8::1", []string{"punt_route"}},
		{"route with an MTU", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.MTU = 1300 })}, "2001:db8::1", []string{"punt_route"}},
		{"expired", []rtnl.Object{to("::/0", 2, "fe80::1"), to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Expires, r.HasExpires = -1, true })}, "2001:db8::1", []string{"1"}},
		{"no leg", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Legs = nil })}, "2001:db8::1", []string{"punt_route"}},

		{"object", []rtnl.Object{&rtnl.NextHop{ID: 7, Leg: by(1, "fe80::1")}, to("2001:db8::/32", 0, "", nextHop(7))}, "2001:db8::1", []string{"0"}},
		{"object group", []rtnl.Object{
			&rtnl.NextHop{ID: 7, Leg: by(1, "fe80::1")}, &rtnl.NextHop{ID: 8, Leg: by(2, "fe80::1")},
			&rtnl.NextHop{ID: 9, Group: []rtnl.GroupMember{{ID: 7, Weight: 1}, {ID: 8, Weight: 3}}}, to("2001:db8::/32", 0, "", nextHop(9)),
		}, "2001:db8::1", []string{"0", "1"}},
		{"object blackhole", []rtnl.Object{&rtnl.NextHop{ID: 7, Blackhole: true}, to("2001:db8::/32", 0, "", kind(6), nextHop(7))}, "2001:db8::1", []string{"punt_route"}},
		{"object once a blackhole", []rtnl.Object{
			&rtnl.NextHop{ID: 7, Blackhole: true}, to("2001:db8::/32", 0, "", kind(6), nextHop(7)), &rtnl.NextHop{ID: 7, Leg: by(1, "fe80::1")},
		}, "2001:db8::1", []string{"0"}},
		{"object of another family", []rtnl.Object{&rtnl.NextHop{ID: 7, Leg: rtnl.Leg{Ifindex: 1, Via: true}}, to("2001:db8::/32", 0, "", nextHop(7))}, "2001:db8::1", []string{"punt_route"}},
		{"object unknown", []rtnl.Object{to("::/0", 1, "fe80::1"), to("2001:db8::/32", 0, "", nextHop(7))}, "2001:db8::1", []string{"punt_route"}},

		{"proxied address", []rtnl.Object{to("2001:db8::/32", 1, "fe80::1"), &rtnl.Neighbor{Ifindex: 2, Addr: netip.MustParseAddr("2001:db8::1"), Flags: ntfProxy}}, "2001:db8::1", []string{"punt_route"}},
		{"IPv4-mapped", []rtnl.Object{to("::ffff:0:0/96", 1, "fe80::1"), to("::/0", 2, "fe80::1")}, "2001:db8::1", []string{"1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.tell(tt.told...)
			w.goes(tt.addr, tt.wants...)
			checkBooks(t, w.r, "at the end")
		})
	}
}

// On-link prefixes: hosts that are resolved have entries, others are asked for.
func TestOnLink(t *testing.T) {
	w := newWorld(t)
	w.tell(to("2001:db8::/64", 1, "", metric(256)))
	w.goes("2001:db8::5", "punt_glean")
	w.tell(neighbor(1, "2001:db8::5", nudReachable))
	w.goes("2001:db8::5", "0")
	w.goes("2001:db8::6", "punt_glean")
	w.tell(neighbor(2, "2001:db8::6", nudReachable)) // on another link
	w.goes("2001:db8::6", "punt_glean")

	w.tell(to("2001:db8::/80", 2, "fe80::1")) // takes the host away
	w.goes("2001:db8::5", "1")
	w.untell(to("2001:db8::/80", 2, "fe80::1"))
	w.goes("2001:db8::5", "0")

	w.tell(to("2001:db8::5/128", 2, "fe80::1")) // a route of its own
	w.goes("2001:db8::5", "1")
	w.untell(to("2001:db8::5/128", 2, "fe80::1"))
	w.goes("2001:db8::5", "0")

	w.tell(to("2001:db8::/64", 0, "", localHost)) // AnyIP
	w.goes("2001:db8::5", "punt_local")
	w.untell(to("2001:db8::/64", 0, "", localHost))
	w.goes("2001:db8::5", "0")

	w.tell(neighbor(1, "2001:db8::5", nudFailed))
	w.goes("2001:db8::5", "punt_glean")
	w.tell(neighbor(1, "2001:db8::5", nudStale))
	w.goes("2001:db8::5", "0")
	w.untell(to("2001:db8::/64", 1, "", metric(256)))
	w.goes("2001:db8::5", "punt_no_route")
	checkBooks(t, w.r, "at the end")

	w.tell(to("2001:db8::7/128", 1, "")) // to one host: its next hop is known
	w.goes("2001:db8::7", "punt_neighbor")
	w.tell(neighbor(1, "2001:db8::7", nudReachable))
	w.goes("2001:db8::7", "0")
}

// Ports that come and go: what leads to them follows.
func TestSetPorts(t *testing.T) {
	w := newWorld(t)
	w.tell(to("2001:db8::/32", 1, "fe80::1"), to("2001:db8:1::/48", 1, "fe80::1", func(r *rtnl.Route) { r.Legs = append(r.Legs, by(2, "fe80::1")) }),
		to("2001:db8:2::/64", 1, "", metric(256)), neighbor(1, "2001:db8:2::5", nudReachable))
	check := func(single, multi, glean, host []string) {
		t.Helper()
		w.goes("2001:db8::1", single...)
		w.goes("2001:db8:1::1", multi...)
		w.goes("2001:db8:2::1", glean...)
		w.goes("2001:db8:2::5", host...)
		checkBooks(t, w.r, "then")
	}
	egress := []string{"punt_egress"}
	check([]string{"0"}, []string{"0", "1"}, []string{"punt_glean"}, []string{"0"})
	w.r.setPorts(map[int]dataplane.PortID{2: 1})
	check(egress, egress, egress, egress)
	w.r.setPorts(nil)
	check(egress, egress, egress, egress)
	w.r.setPorts(map[int]dataplane.PortID{1: 7, 2: 1})
	check([]string{"7"}, []string{"1", "7"}, []string{"punt_glean"}, []string{"7"})
}

// An object that stops being on-link takes the entries of hosts along, and
// brings them back.
func TestObjectOnLink(t *testing.T) {
	w := newWorld(t)
	w.tell(&rtnl.NextHop{ID: 1, Leg: by(1, "")}, to("2001:db8::/64", 0, "", nextHop(1)), neighbor(1, "2001:db8::5", nudReachable))
	w.goes("2001:db8::5", "0")
	w.tell(&rtnl.NextHop{ID: 1, Leg: by(2, "fe80::1")})
	w.goes("2001:db8::5", "1")
	w.tell(&rtnl.NextHop{ID: 1, Leg: by(1, "")})
	w.goes("2001:db8::5", "0")
	w.goes("2001:db8::6", "punt_glean")
}

// A multipath of objects with on-link legs: each leg for itself.
func TestOnLinkMultipath(t *testing.T) {
	w := newWorld(t)
	w.tell(&rtnl.NextHop{ID: 1, Leg: by(1, "")}, &rtnl.NextHop{ID: 2, Leg: by(2, "")}, &rtnl.NextHop{ID: 3, Leg: by(3, "fe80::1")},
		&rtnl.NextHop{ID: 9, Group: []rtnl.GroupMember{{ID: 1, Weight: 1}, {ID: 2, Weight: 1}, {ID: 3, Weight: 1}}},
		to("2001:db8::/64", 0, "", nextHop(9)))
	w.goes("2001:db8::5", "punt_glean", "punt_glean", "2")
	w.tell(neighbor(1, "2001:db8::5", nudReachable))
	w.goes("2001:db8::5", "0", "punt_glean", "2")
	w.tell(neighbor(2, "2001:db8::5", nudReachable))
	w.goes("2001:db8::5", "0", "1", "2")
	w.tell(neighbor(1, "2001:db8::5", nudFailed))
	w.goes("2001:db8::5", "punt_glean", "1", "2")
	w.tell(&rtnl.NextHop{ID: 2, Leg: by(2, "fe80::1")}) // no more on-link
	w.goes("2001:db8::5", "punt_glean", "1", "2")
	w.untell(neighbor(2, "2001:db8::5", nudReachable))
	w.goes("2001:db8::5", "punt_glean", "1", "2")
	checkBooks(t, w.r, "at the end")
}

// Objects that change or go, with and without a word of the routes.
func TestObjectsCascade(t *testing.T) {
	w := newWorld(t)
	group := &rtnl.NextHop{ID: 9, Group: []rtnl.GroupMember{{ID: 1, Weight: 1}, {ID: 2, Weight: 1}}}
	w.tell(&rtnl.NextHop{ID: 1, Leg: by(1, "fe80::1")}, &rtnl.NextHop{ID: 2, Leg: by(2, "fe80::1")}, group,
		to("::/0", 3, "fe80::1"), to("2001:db8:1::/48", 0, "", nextHop(1)), to("2001:db8:9::/48", 0, "", nextHop(9)))
	w.goes("2001:db8:1::1", "0")
	w.goes("2001:db8:9::1", "0", "1")
	w.tell(&rtnl.NextHop{ID: 1, Leg: by(3, "fe80::1")})
	w.goes("2001:db8:1::1", "2")
	w.goes("2001:db8:9::1", "2", "1")
	w.untell(&rtnl.NextHop{ID: 2}) // leaves the group
	w.goes("2001:db8:9::1", "2")
	w.tell(&rtnl.NextHop{ID: 1, Leg: by(1, "fe80::1")}, link(1, func(l *rtnl.Link) { l.Up, l.Flags = false, 0 }))
	w.goes("2001:db8:1::1", "2") // by the default route: the link took object 1, that its routes and the group
	w.goes("2001:db8:9::1", "2")
	w.tell(link(1))
	w.goes("2001:db8:1::1", "2")
	checkBooks(t, w.r, "at the end")
}

// Links that go down and come back: legs die, routes with no other leg go.
func TestDeadLegs(t *testing.T) {
	w := newWorld(t)
	down := func(l *rtnl.Link) { l.Up, l.Carrier, l.Flags = false, false, 0 }
	noCarrier := func(l *rtnl.Link) { l.Carrier, l.Flags = false, 0 }
	ignore := func(l *rtnl.Link) { l.IgnoreLinkdown = true }
	both := to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Legs = append(r.Legs, by(2, "fe80::1")) })
	w.tell(to("::/0", 3, "fe80::1"), both, to("2001:db8:1::/48", 1, "fe80::1"))
	w.goes("2001:db8::1", "0", "1")
	w.tell(link(1, down))
	w.goes("2001:db8::1", "1")
	w.tell(link(1))
	w.goes("2001:db8::1", "0", "1")
	w.tell(link(1, noCarrier)) // the kernel goes on using it
	w.goes("2001:db8::1", "punt_egress", "1")
	w.goes("2001:db8:1::1", "punt_egress")
	w.tell(link(1, noCarrier, ignore))
	w.goes("2001:db8::1", "1")
	w.goes("2001:db8:1::1", "1")
	w.tell(link(1, noCarrier, ignore), link(2, noCarrier, ignore))
	w.goes("2001:db8:1::1", "2")
	w.tell(link(1), link(2))
	w.goes("2001:db8::1", "0", "1")
	w.goes("2001:db8:1::1", "0")
	checkBooks(t, w.r, "at the end")
}

// A route at its deadline is the kernel's until it has been asked.
func TestDeadline(t *testing.T) {
	w := newWorld(t)
	w.tell(to("::/0", 2, "fe80::1"), to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Expires, r.HasExpires = 10, true }))
	k := keyOf(netip.MustParsePrefix("2001:db8::/32"))
	for _, at := range []struct {
		seconds int
		over    bool
		goes    string
	}{{0, false, "0"}, {9, false, "0"}, {10, true, "punt_route"}} {
		w.now = modelClock.Add(time.Duration(at.seconds) * time.Second)
		if over, ended := w.m.expired(k, w.now); over != at.over || ended {
			t.Errorf("after %d s: over = %v, ended = %v, want %v, false", at.seconds, over, ended, at.over)
		}
		w.r.update(&Change{prefixes: map[prefixKey]struct{}{k: {}}})
		w.goes("2001:db8::1", at.goes)
	}
	w.tell(to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Expires, r.HasExpires = -1, true }))
	w.goes("2001:db8::1", "1")
	if over, ended := w.m.expired(k, w.now); over || !ended {
		t.Errorf("ended: over = %v, ended = %v, want false, true", over, ended)
	}
	w.tell(to("2001:db8::/32", 1, "fe80::1"))
	w.m.expired(k, w.now)
	if len(w.m.expiring) != 0 {
		t.Errorf("%d prefixes expire, want 0", len(w.m.expiring))
	}
}

// What the data plane is given of a neighbor, and when.
func TestAdjacency(t *testing.T) {
	w := newWorld(t)
	w.tell(to("2001:db8::/32", 1, "fe80::1"))
	id := w.r.adjacencies.byKey[rtnl.NeighborKey{Ifindex: 1, Addr: netip.MustParseAddr("fe80::1")}].id
	good := dataplane.Adjacency{
		Rewrite: [14]byte{4, 1, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0x86, 0xdd}, Port: 0, MTU: 1500,
	}
	tests := []struct {
		name   string
		object rtnl.Object
		want   func(*dataplane.Adjacency)
	}{
		{"as it was", link(1), func(*dataplane.Adjacency) {}},
		{"MTU of IPv6", link(1, func(l *rtnl.Link) { l.MTU6 = 1400 }), func(a *dataplane.Adjacency) { a.MTU = 1400 }},
		{"MTU of the device, IPv6's not told yet", link(1, func(l *rtnl.Link) { l.MTU = 1300 }), func(a *dataplane.Adjacency) { a.MTU = 1300 }},
		{"MTU of IPv6 not told", link(1, func(l *rtnl.Link) { l.MTU6 = 0 }), func(*dataplane.Adjacency) {}},
		{"own MAC moved", link(1, func(l *rtnl.Link) { l.MAC[5] = 9 }), func(a *dataplane.Adjacency) { a.Rewrite[11] = 9 }},
		{"no carrier", link(1, func(l *rtnl.Link) { l.Carrier = false }), func(a *dataplane.Adjacency) { *a = dataplane.Adjacency{Reason: dataplane.PuntEgress} }},
		{"in a bridge", link(1, func(l *rtnl.Link) { l.Master = 7 }), func(a *dataplane.Adjacency) { *a = dataplane.Adjacency{Reason: dataplane.PuntEgress} }},
		{"IPv6 off", link(1, func(l *rtnl.Link) { l.Disable6 = true }), func(a *dataplane.Adjacency) { *a = dataplane.Adjacency{Reason: dataplane.PuntEgress} }},
		{"back", link(1), func(*dataplane.Adjacency) {}},
		{"neighbor moved", neighbor(1, "fe80::1", nudProbe), func(a *dataplane.Adjacency) { a.Rewrite[0] = 6 }},
		{"neighbor failed", neighbor(1, "fe80::1", nudFailed), func(a *dataplane.Adjacency) { *a = dataplane.Adjacency{Reason: dataplane.PuntNeighbor} }},
	}
	for _, tt := range tests {
		w.tell(tt.object)
		want := good
		tt.want(&want)
		if got := *w.r.fib.Adjacencies.Get(id); got != want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, want)
		}
	}
}
