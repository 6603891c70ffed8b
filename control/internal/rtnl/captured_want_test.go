package rtnl

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

func is(o Object) Event   { return Event{Object: o} }
func gone(o Object) Event { return Event{Deleted: true, Object: o} }

// static is a route as ip-route(8) adds it, changed by set.
func static(dst string, set func(*Route)) *Route {
	r := &Route{
		Table: 254, Dst: netip.MustParsePrefix(dst), Src: netip.MustParsePrefix("::/0"),
		Type: unix.RTN_UNICAST, Protocol: unix.RTPROT_BOOT, Metric: 1024, Create: true, Excl: true,
	}
	set(r)
	return r
}

// added is a route whose only difference is where it leads to.
func added(dst string, legs ...Leg) *Route {
	return static(dst, func(r *Route) { r.Legs = legs })
}

func replaced(dst string, legs ...Leg) *Route {
	return static(dst, func(r *Route) { r.Legs, r.Replace, r.Create, r.Excl = legs, true, false, false })
}

func appended(dst string, legs ...Leg) *Route {
	return static(dst, func(r *Route) { r.Legs, r.Append, r.Excl = legs, true, false })
}

// plain is a route as deletions and dumps tell it.
func plain(dst string, legs ...Leg) *Route {
	return static(dst, func(r *Route) { r.Legs, r.Create, r.Excl = legs, false, false })
}

func via(gateway string, ifindex int) Leg {
	return Leg{Gateway: netip.MustParseAddr(gateway), Ifindex: ifindex, Weight: 1}
}

func weighted(weight int, l Leg) Leg       { l.Weight = weight; return l }
func flagged(flags uint32, l Leg) Leg      { l.Flags = flags; return l }
func encapsulated(l Leg) Leg               { l.Encap = true; return l }
func dev(ifindex int) Leg                  { return Leg{Ifindex: ifindex, Weight: 1} }
func rt0Address(s string) netip.Addr       { return netip.MustParseAddr("2001:db8:10::" + s) }
func mac(last byte) [6]byte                { return [6]byte{2, 0, 0, 0, 0, last} }
func groupOf(m ...GroupMember) *NextHop    { return &NextHop{Leg: Leg{Weight: 1}, Group: m} }
func group(id uint32, g *NextHop) *NextHop { g.ID = id; return g }

var wantRouteChange = []Event{
	is(added("2001:db8:1::/48", via("2001:db8:10::2", 10))),
	is(replaced("2001:db8:1::/48", via("2001:db8:10::3", 10))),
	is(appended("2001:db8:1::/48", via("2001:db8:11::4", 11), via("2001:db8:10::3", 10))),
	is(appended("2001:db8:1::/48", dev(11))),
	gone(plain("2001:db8:1::/48", via("2001:db8:10::3", 10))),
	is(replaced("2001:db8:1::/48", weighted(3, via("2001:db8:10::5", 10)), weighted(256, via("fe80::6", 11)))),
	gone(plain("2001:db8:1::/48", weighted(3, via("2001:db8:10::5", 10)), weighted(256, via("fe80::6", 11)))),
}

var wantRouteTypes = []Event{
	is(static("2001:db8:3::/48", func(r *Route) { r.Type, r.Legs = unix.RTN_BLACKHOLE, []Leg{dev(1)} })),
	is(static("2001:db8:4::/48", func(r *Route) { r.Type, r.Legs, r.Metric = unix.RTN_UNREACHABLE, []Leg{dev(1)}, 5 })),
	is(static("2001:db8:5::/48", func(r *Route) { r.Type, r.Legs = unix.RTN_PROHIBIT, []Leg{dev(1)} })),
	is(static("2001:db8:6::/48", func(r *Route) { r.Type, r.Legs, r.Table = unix.RTN_THROW, []Leg{dev(1)}, 100 })),
	is(static("2001:db8:10::55/128", func(r *Route) { r.Type, r.Legs, r.Table = unix.RTN_ANYCAST, []Leg{dev(10)}, 255 })),
	is(static("2001:db8:10::56/127", func(r *Route) { r.Type, r.Legs, r.Table = unix.RTN_LOCAL, []Leg{dev(1)}, 255 })),
}

var wantRouteAttributes = []Event{
	is(static("2001:db8:7::/48", func(r *Route) {
		r.Src, r.Legs = netip.MustParsePrefix("2001:db8:8::/47"), []Leg{via("2001:db8:10::2", 10)}
	})),
	is(static("::/0", func(r *Route) {
		r.Legs, r.MTU, r.MTULock = []Leg{via("fe80::1", 10)}, 1300, true
		r.Pref, r.PrefSrc = 1, rt0Address("1")
	})),
	is(static("2001:db8:9::/48", func(r *Route) {
		r.Legs, r.MTU, r.Expires, r.HasExpires = []Leg{dev(10)}, 1400, 7200, true
	})),
	is(static("2001:db8:b::/48", func(r *Route) {
		r.Legs, r.Flags = []Leg{flagged(unix.RTNH_F_ONLINK, via("2001:db8:dead::1", 10))}, unix.RTNH_F_ONLINK
	})),
	is(static("2001:db8:e::/48", func(r *Route) {
		r.Legs, r.Table, r.Protocol, r.Metric = []Leg{via("2001:db8:10::2", 10)}, 100000, unix.RTPROT_BGP, 7
	})),
	is(added("2001:db8:a::/48", encapsulated(dev(10)))),
	is(static("2001:db8:c::/48", func(r *Route) {
		r.Legs = []Leg{via("2001:db8:10::2", 10), encapsulated(via("2001:db8:11::2", 11))}
		r.Excl = false // so it is for every multipath
	})),
}

var wantNextHops = []Event{
	is(&NextHop{ID: 1, Leg: via("2001:db8:10::2", 10)}),
	is(&NextHop{ID: 2, Leg: flagged(unix.RTNH_F_ONLINK, via("fe80::1", 11))}),
	is(&NextHop{ID: 3, Leg: dev(0), Blackhole: true}),
	is(&NextHop{ID: 4, Leg: dev(10)}),
	is(&NextHop{ID: 5, Leg: encapsulated(dev(10))}),
	is(&NextHop{ID: 6, Leg: Leg{Ifindex: 10, Weight: 1, Via: true}}), // a gateway of IPv4
	is(&NextHop{ID: 7, Leg: Leg{Ifindex: 10, Weight: 1, Via: true}}), // a device, for IPv4
	is(&NextHop{ID: 8, Leg: via("fe80::9", 0), FDB: true}),
	is(group(10, groupOf(GroupMember{1, 1}, GroupMember{2, 256}))),
	is(&NextHop{ID: 11, Leg: dev(0), Group: []GroupMember{{1, 1}, {2, 10}}, Resilient: true}),
	is(&NextHop{ID: 1, Leg: via("2001:db8:10::99", 10), Replace: true}),
	gone(&NextHop{ID: 2, Leg: flagged(unix.RTNH_F_ONLINK, via("fe80::1", 11))}),
	is(&NextHop{ID: 11, Leg: dev(0), Group: []GroupMember{{1, 1}}, Resilient: true}),
	is(group(10, groupOf(GroupMember{1, 1}))),
}

func through(nhid uint32, r *Route) *Route { r.NextHop = nhid; return r }

var wantNextHopRoutes = []Event{
	is(&NextHop{ID: 1, Leg: via("2001:db8:10::2", 10)}),
	is(&NextHop{ID: 2, Leg: via("fe80::1", 11)}),
	is(&NextHop{ID: 3, Leg: dev(0), Blackhole: true}),
	is(group(10, groupOf(GroupMember{1, 5}, GroupMember{2, 1}))),
	is(through(1, added("2001:db8:20::/48", via("2001:db8:10::2", 10)))),
	is(through(10, added("2001:db8:21::/48", weighted(5, via("2001:db8:10::2", 10)), via("fe80::1", 11)))),
	is(static("2001:db8:22::/48", func(r *Route) { r.Type, r.NextHop, r.Legs = unix.RTN_BLACKHOLE, 3, []Leg{dev(1)} })),
	is(&NextHop{ID: 2, Leg: via("fe80::2", 11), Replace: true}),
	is(through(10, replaced("2001:db8:21::/48", weighted(5, via("2001:db8:10::2", 10)), via("fe80::2", 11)))),
	gone(&NextHop{ID: 1, Leg: via("2001:db8:10::2", 10)}),
	gone(through(1, plain("2001:db8:20::/48", via("2001:db8:10::2", 10)))),
	is(group(10, groupOf(GroupMember{2, 1}))),
	// From here on with nexthop_compat_mode=0: no Legs, and no word of the
	// routes that go with their object.
	is(through(10, added("2001:db8:23::/48"))),
	gone(group(10, groupOf(GroupMember{2, 1}))),
}

func ruleOf(priority, table uint32, action uint8, text string) *Rule {
	return &Rule{Priority: priority, Table: table, Action: action, Text: text}
}

func lookup(priority, table uint32, text string) *Rule {
	return ruleOf(priority, table, unix.FR_ACT_TO_TBL, fmt.Sprintf("%s lookup %d", text, table))
}

func plainRule(priority, table uint32) *Rule {
	r := lookup(priority, table, "from all")
	r.Plain = true
	return r
}

var wantRules = []Event{
	is(plainRule(100, 100000)),
	is(lookup(101, 101, "from 2001:db8::/32")),
	is(lookup(102, 101, "to 2001:db8::/33")),
	is(lookup(103, 101, "iif rt0")),
	is(lookup(104, 101, "oif rt1")),
	is(lookup(105, 101, "fwmark 0x1 mask 0xff")),
	is(lookup(106, 101, "uidrange 1-2")),
	is(lookup(107, 101, "sport 1-5 dport 80-80 ipproto 17")),
	is(lookup(108, 101, "not tos 0x10")),
	is(lookup(109, 101, "tun_id 5")),
	is(lookup(110, 254, "suppress_prefixlength 0")),
	is(lookup(111, 254, "suppress_ifgroup 3")),
	is(lookup(112, 0, "l3mdev")),
	is(ruleOf(113, 0, unix.FR_ACT_GOTO, "goto 200")),
	is(ruleOf(114, 0, unix.FR_ACT_NOP, "from all nop")),
	is(ruleOf(115, 0, unix.FR_ACT_BLACKHOLE, "from all blackhole")),
	is(ruleOf(116, 0, unix.FR_ACT_UNREACHABLE, "from all unreachable")),
	is(ruleOf(117, 0, unix.FR_ACT_PROHIBIT, "from all prohibit")),
	gone(plainRule(100, 100000)),
}

func neighbor(a netip.Addr, state uint16, flags uint8) *Neighbor {
	return &Neighbor{Ifindex: 10, Addr: a, State: state, Flags: flags, Type: unix.RTN_UNICAST}
}

func at(last byte, n *Neighbor) *Neighbor { n.MAC, n.HasMAC = mac(last), true; return n }

// multicast is what the kernel keeps of an address it has sent to.
func multicast(a string, ifindex int, m [6]byte) *Neighbor {
	return &Neighbor{
		Ifindex: ifindex, Addr: netip.MustParseAddr(a), MAC: m, HasMAC: true,
		State: unix.NUD_NOARP, Type: unix.RTN_MULTICAST,
	}
}

var wantNeighbors = []Event{
	is(at(0x77, neighbor(rt0Address("7"), unix.NUD_PERMANENT, 0))),
	is(at(0x78, neighbor(rt0Address("7"), unix.NUD_REACHABLE, unix.NTF_ROUTER))),
	is(neighbor(rt0Address("7"), unix.NUD_FAILED, unix.NTF_ROUTER)),
	gone(neighbor(rt0Address("7"), unix.NUD_FAILED, unix.NTF_ROUTER)),
	is(at(0x79, neighbor(rt0Address("8"), unix.NUD_STALE, unix.NTF_EXT_LEARNED))),
}

var wantAddresses = []Event{
	is(&Address{
		Ifindex: 10, Addr: netip.MustParseAddr("2001:db8:30::1"), Peer: netip.MustParseAddr("2001:db8:30::2"),
		Bits: 127, Flags: unix.IFA_F_PERMANENT | unix.IFA_F_NODAD,
	}),
	is(&Address{
		Ifindex: 10, Addr: netip.MustParseAddr("2001:db8:31::1"),
		Bits: 64, Flags: unix.IFA_F_PERMANENT | unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE,
	}),
	is(&Address{
		Ifindex: 10, Addr: netip.MustParseAddr("2001:db8:31::1"),
		Bits: 64, Flags: unix.IFA_F_PERMANENT | unix.IFA_F_DEPRECATED,
	}),
	gone(&Address{
		Ifindex: 10, Addr: netip.MustParseAddr("2001:db8:31::1"),
		Bits: 64, Flags: unix.IFA_F_PERMANENT | unix.IFA_F_DEPRECATED,
	}),
	// that of IPv4 is not told
}

const (
	ethernet   = unix.ARPHRD_ETHER
	flagsDown  = unix.IFF_BROADCAST | unix.IFF_MULTICAST
	flagsUp    = flagsDown | unix.IFF_UP // without carrier
	flagsReady = flagsUp | unix.IFF_RUNNING | unix.IFF_LOWER_UP
	ifReady    = 1 << 31 // IF_READY of net/if_inet6.h
)

func rt0(set func(*Link)) *Link {
	l := &Link{
		Ifindex: 10, Name: "rt0", Type: ethernet, Flags: flagsReady, Up: true, Carrier: true,
		MAC: mac(0x10), HasMAC: true, MTU: 1500, MTU6: 1500, HasIPv6: true, Flags6: ifReady, Parent: 11, Kind: "veth",
	}
	set(l)
	return l
}

func rt1(set func(*Link)) *Link {
	return rt0(func(l *Link) {
		l.Ifindex, l.Name, l.MAC, l.Parent = 11, "rt1", mac(0x11), 10
		set(l)
	})
}

func setDown(l *Link)   { l.Flags, l.Up, l.Carrier = flagsDown, false, false }
func without6(l *Link)  { l.MTU6, l.HasIPv6, l.Flags6 = 0, false, 0 }
func unchanged(l *Link) {}

var wantLinks = []Event{
	is(rt0(func(l *Link) { l.MTU = 1400 })), // and MTU6 is that of before
	is(rt0(func(l *Link) { l.MTU, l.MTU6 = 1401, 1400 })),
	is(rt0(func(l *Link) { l.MTU, l.MTU6 = 1200, 1401 })), // IPv6 then goes
	is(rt0(func(l *Link) { without6(l); l.MTU, l.MAC = 1200, mac(0x99) })),
	is(rt0(func(l *Link) { without6(l); l.MTU, l.MAC, l.Name = 1200, mac(0x99), "rt2" })),
	is(rt1(setDown)),
	is(rt0(func(l *Link) {
		without6(l)
		l.MTU, l.MAC, l.Name = 1200, mac(0x99), "rt2"
		l.Flags, l.Carrier = flagsUp, false
	})),
	is(bridge()),
	is(rt1(func(l *Link) { slave(l); l.Master = 20 })),
	is(rt1(func(l *Link) { slave(l); l.Master = 20 })),
	is(bridge()),
	is(rt1(func(l *Link) { slave(l); l.Master = 20 })), // it leaves: RTM_DELLINK of AF_BRIDGE follows
	is(rt1(slave)),
	is(bridge()),
	is(rt1(slave)),
	is(macvlan(unchanged)),
	is(rt1(slave)),
	gone(macvlan(without6)),
}

// slave is rt1 while it is down and IPv6 knows.
func slave(l *Link) { setDown(l); l.Flags6 = 0 }

func bridge() *Link {
	return rt0(func(l *Link) {
		slave(l)
		l.Ifindex, l.Name, l.MAC, l.Parent, l.Kind = 20, "rtbr", mac(0x20), 0, "bridge"
	})
}

func macvlan(set func(*Link)) *Link {
	return rt0(func(l *Link) {
		slave(l)
		l.Ifindex, l.Name, l.MAC, l.Kind = 21, "rtmac", mac(0x21), "macvlan"
		set(l)
	})
}

var wantNetconf = []Event{
	is(&Netconf{Ifindex: 10, Forwarding: true, HasForwarding: true}),
	is(&Netconf{Ifindex: -2, Forwarding: true, HasForwarding: true}),
	is(&Netconf{Ifindex: 1, Forwarding: true, HasForwarding: true}),
	is(&Netconf{Ifindex: 11, Forwarding: true, HasForwarding: true}),
	is(&Netconf{Ifindex: -1, Forwarding: true, HasForwarding: true}),
	is(&Netconf{Ifindex: 10, IgnoreLinkdown: true, HasIgnoreLinkdown: true}),
	// mtu and disable_ipv6 send neither this nor that; what they did is told
	// when the link goes, and its peer with it
	is(rt0(func(l *Link) {
		setDown(l)
		l.MTU6, l.Forward, l.Disable6, l.IgnoreLinkdown, l.Flags6, l.Parent = 1400, true, true, true, 0, 0
	})),
	is(rt1(func(l *Link) { setDown(l); l.Forward, l.Parent = true, 0 })),
	gone(&Netconf{Ifindex: 10}),
	gone(rt0(func(l *Link) { setDown(l); without6(l); l.Parent = 0 })),
	gone(&Netconf{Ifindex: 11}),
	gone(rt1(func(l *Link) { setDown(l); without6(l); l.Parent = 0 })),
}

func netconf(ifindex int, forwarding bool) *Netconf {
	return &Netconf{Ifindex: ifindex, Forwarding: forwarding, HasForwarding: true, HasIgnoreLinkdown: true}
}

var wantDump = []Event{
	is(&Link{
		Ifindex: 1, Name: "lo", Type: unix.ARPHRD_LOOPBACK,
		Flags: unix.IFF_LOOPBACK | unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP,
		Up:    true, Carrier: true, HasMAC: true, MTU: 65536, MTU6: 65536, HasIPv6: true, Flags6: ifReady,
	}),
	is(rt0(func(l *Link) { l.MTU6, l.Forward = 1400, true })),
	is(rt1(unchanged)),
	is(multicast("ff02::16", 11, [6]byte{0x33, 0x33, 0, 0, 0, 0x16})),
	is(multicast("ff02::16", 10, [6]byte{0x33, 0x33, 0, 0, 0, 0x16})),
	is(at(0x77, neighbor(rt0Address("7"), unix.NUD_PERMANENT, 0))),
	is(&Neighbor{
		Ifindex: 10, Addr: rt0Address("9"), State: unix.NUD_INCOMPLETE,
		FlagsExt: 1 << 0, // NTF_EXT_MANAGED
		Type:     unix.RTN_UNICAST,
	}),
	is(multicast("ff02::1:ff00:9", 10, [6]byte{0x33, 0x33, 0xff, 0, 0, 9})),
	is(neighbor(rt0Address("8"), unix.NUD_NONE, unix.NTF_PROXY)),
	is(&NextHop{ID: 1, Leg: via("2001:db8:10::2", 10)}),
	is(group(10, groupOf(GroupMember{1, 1}))),
	is(plainRule(0, 255)),
	is(plainRule(32765, 100)),
	is(plainRule(32766, 254)),
	is(netconf(1, false)),
	is(netconf(10, true)),
	is(netconf(11, false)),
	is(netconf(-1, false)),
	is(netconf(-2, false)),
}

// kernels is a route that the kernel made for itself, changed by set.
func kernels(dst string, set func(*Route)) *Route {
	return static(dst, func(r *Route) {
		r.Protocol, r.Metric, r.Create, r.Excl = unix.RTPROT_KERNEL, 256, false, false
		set(r)
	})
}

// local is the route of an address of our own.
func local(dst string, ifindex int) *Route {
	return kernels(dst, func(r *Route) {
		r.Table, r.Type, r.Metric, r.Legs = 255, unix.RTN_LOCAL, 0, []Leg{dev(ifindex)}
	})
}

// What happens to rt0 when its peer goes down, and to rt1, which is that.
const (
	linkdown = unix.RTNH_F_LINKDOWN
	dead     = unix.RTNH_F_DEAD | linkdown
)

func withoutCarrier(r *Route) {
	r.Flags, r.Legs = linkdown, []Leg{flagged(linkdown, dev(10))}
}

var wantDumpLegsDown = []Event{
	is(plain("2001:db8:3::/48", flagged(linkdown, via("2001:db8:10::2", 10)), flagged(dead, via("2001:db8:11::2", 11)))),
	is(kernels("2001:db8:10::/64", withoutCarrier)),
	is(kernels("fe80::/64", withoutCarrier)),
	is(local("::1/128", 1)),
	is(local("2001:db8:10::1/128", 10)),
	is(local("fe80::ff:fe00:10/128", 10)),
	is(kernels("ff00::/8", func(r *Route) { withoutCarrier(r); r.Table, r.Type = 255, unix.RTN_MULTICAST })),
}
