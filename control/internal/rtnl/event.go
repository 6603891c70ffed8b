package rtnl

import "net/netip"

// An Event is one thing that the kernel told: an object as it is now, or that
// it is gone. A dump is a list of Events, too.
//
// Events and all they point to belong to whoever gets them; rtnl keeps nothing.
type Event struct {
	Deleted bool
	Object  Object
}

// An Object is one of *Link, *Address, *Neighbor, *Route, *NextHop, *Rule,
// *Netconf, *Restart, or *Unknown.
type Object interface{ object() }

// Link is a network device (RTM_NEWLINK).
type Link struct {
	Ifindex         int
	Name            string
	Type            uint16 // ARPHRD_…
	Flags           uint32 // IFF_…
	Up              bool   // IFF_UP: set up by the administrator
	Carrier         bool   // IFF_LOWER_UP
	MAC             [6]byte
	HasMAC          bool
	MTU             int    // bytes, the device's
	MTU6            int    // bytes, net.ipv6.conf.DEV.mtu; 0 if IPv6 is not told of
	Forward         bool   // net.ipv6.conf.DEV.forwarding
	Disable6        bool   // net.ipv6.conf.DEV.disable_ipv6
	IgnoreLinkdown  bool   // net.ipv6.conf.DEV.ignore_routes_with_linkdown
	HasIPv6         bool   // the device has an inet6 part at all
	Flags6          uint32 // IFLA_INET6_FLAGS: IF_READY (1<<31) and others
	Master          int    // ifindex of the bridge, bond or VRF it belongs to, or 0
	Parent          int    // IFLA_LINK: lower device of a VLAN, peer of a veth, or 0
	ParentElsewhere bool   // Parent is an ifindex of another network namespace
	Kind            string // IFLA_INFO_KIND: "veth", "vlan", …, empty for hardware
	XDPProg         uint32 // id of the attached XDP program, or 0
}

// Address is an address of this host (RTM_NEWADDR).
type Address struct {
	Ifindex int
	Addr    netip.Addr
	Peer    netip.Addr // the other end's, or the zero Addr; Bits is then of Peer
	Bits    int        // length of the prefix
	Flags   uint32     // IFA_F_…
	Scope   uint8
}

// Neighbor is an entry of the neighbor cache (RTM_NEWNEIGH, AF_INET6).
type Neighbor struct {
	Ifindex  int
	Addr     netip.Addr
	MAC      [6]byte
	HasMAC   bool
	State    uint16 // NUD_…
	Flags    uint8  // NTF_…; NTF_PROXY entries are answers given, not neighbors
	FlagsExt uint32 // NTF_EXT_…
	Type     uint8  // RTN_…: unicast, or the kind of address that Addr is
}

// Leg is one next hop of a route.
type Leg struct {
	Gateway netip.Addr // the zero Addr: on-link
	Ifindex int
	Weight  int    // at least 1
	Flags   uint32 // RTNH_F_…
	Encap   bool   // RTA_ENCAP: a tunnel that only the kernel knows
	Via     bool   // RTA_VIA, or a gateway that is no IPv6 address
}

// Route is a route of any table (RTM_NEWROUTE, AF_INET6).
type Route struct {
	Table      uint32
	Dst        netip.Prefix
	Src        netip.Prefix // source-specific if longer than /0
	Type       uint8        // RTN_…
	Protocol   uint8
	Metric     uint32
	NextHop    uint32 // nhid, or 0
	Legs       []Leg  // with NextHop set, a copy of what it stood for: see there
	MTU        int    // RTAX_MTU, or 0
	MTULock    bool   // the metric is locked
	Flags      uint32 // RTM_F_…; RTM_F_CLONED entries are no routes
	Pref       uint8
	PrefSrc    netip.Addr
	Expires    int // seconds; meaningful if HasExpires; negative: expired
	HasExpires bool
	Append     bool // NLM_F_APPEND was set: Legs holds the whole multipath
	Replace    bool // NLM_F_REPLACE was set
	Create     bool // NLM_F_CREATE was set
	Excl       bool // NLM_F_EXCL was set
}

// NextHop is a next-hop object (RTM_NEWNEXTHOP).
//
// Objects of all families are told, since they share one space of IDs. The Leg
// of one that is not for IPv6 has Via set.
type NextHop struct {
	ID        uint32
	Leg       Leg
	Blackhole bool
	FDB       bool
	Group     []GroupMember // other objects; Leg means nothing then
	Resilient bool
	Replace   bool // NLM_F_REPLACE was set. A group that lost a member comes without
}

// GroupMember is one member of a next-hop object that is a group.
type GroupMember struct {
	ID     uint32
	Weight int // at least 1
}

// Rule is a routing policy rule (RTM_NEWRULE, AF_INET6).
type Rule struct {
	Priority uint32
	Table    uint32
	Action   uint8 // FR_ACT_…
	// Plain says that it matches every packet and only names a table.
	Plain bool
	Text  string // what it selects and does, for messages and to tell rules apart
}

// Netconf is a change of per-device or global IPv6 settings (RTM_NEWNETCONF).
type Netconf struct {
	Ifindex           int // NETCONFA_IFINDEX_ALL is -1, …_DEFAULT -2
	Forwarding        bool
	HasForwarding     bool
	IgnoreLinkdown    bool // net.ipv6.conf.DEV.ignore_routes_with_linkdown
	HasIgnoreLinkdown bool
}

// Restart appears in dumps only: the kernel's state changed under the dump,
// which begins again from its first object. What it told so far may be stale.
type Restart struct{}

// Unknown is a message that rtnl does not decode; Type is its message type.
type Unknown struct{ Type uint16 }

func (*Link) object()     {}
func (*Address) object()  {}
func (*Neighbor) object() {}
func (*Route) object()    {}
func (*NextHop) object()  {}
func (*Rule) object()     {}
func (*Netconf) object()  {}
func (*Restart) object()  {}
func (*Unknown) object()  {}
