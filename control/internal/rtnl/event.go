package rtnl

import "net/netip"

// An Event is one thing that the kernel told: an object as it is now, or that
// it is gone. A dump is a list of Events, too.
type Event struct {
	Deleted bool
	Object  Object
}

// An Object is one of *Link, *Address, *Neighbor, *Route, *NextHop, *Rule,
// *Netconf, or *Unknown.
type Object interface{ object() }

// Link is a network device (RTM_NEWLINK).
type Link struct {
	Ifindex  int
	Name     string
	Type     uint16 // ARPHRD_…
	Flags    uint32 // IFF_…
	Up       bool   // IFF_UP: set up by the administrator
	Carrier  bool   // IFF_LOWER_UP
	MAC      [6]byte
	HasMAC   bool
	MTU      int    // bytes, the device's
	MTU6     int    // bytes, net.ipv6.conf.DEV.mtu; 0 if IPv6 is not told of
	Forward  bool   // net.ipv6.conf.DEV.forwarding
	Disable6 bool   // net.ipv6.conf.DEV.disable_ipv6
	HasIPv6  bool   // the device has an inet6 part at all
	Master   int    // ifindex of the bridge, bond or VRF it belongs to, or 0
	Parent   int    // IFLA_LINK: lower device of a VLAN, peer of a veth, or 0
	Kind     string // IFLA_INFO_KIND: "veth", "vlan", …, empty for hardware
	XDPProg  uint32 // id of the attached XDP program, or 0
}

// Address is an address of this host (RTM_NEWADDR).
type Address struct {
	Ifindex int
	Addr    netip.Addr
	Bits    int
	Flags   uint32 // IFA_F_…
	Scope   uint8
}

// Neighbor is an entry of the neighbor cache (RTM_NEWNEIGH, AF_INET6).
type Neighbor struct {
	Ifindex int
	Addr    netip.Addr
	MAC     [6]byte
	HasMAC  bool
	State   uint16 // NUD_…
	Flags   uint8  // NTF_…
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
	Legs       []Leg
	MTU        int    // RTAX_MTU, or 0
	MTULock    bool   // the metric is locked
	Flags      uint32 // RTM_F_…; RTM_F_CLONED entries are no routes
	Pref       uint8
	PrefSrc    netip.Addr
	Expires    int // seconds; meaningful if HasExpires; negative: expired
	HasExpires bool
	Append     bool // NLM_F_APPEND was set: Legs holds the whole multipath
	Replace    bool // NLM_F_REPLACE was set
}

// NextHop is a next-hop object (RTM_NEWNEXTHOP).
type NextHop struct {
	ID        uint32
	Leg       Leg
	Blackhole bool
	FDB       bool
	Group     []GroupMember // other objects; Leg means nothing then
	Resilient bool
}

// GroupMember is one member of a next-hop object that is a group.
type GroupMember struct {
	ID     uint32
	Weight int
}

// Rule is a routing policy rule (RTM_NEWRULE, AF_INET6).
type Rule struct {
	Priority uint32
	Table    uint32
	Action   uint8 // FR_ACT_…
	// Plain says that it matches every packet and only names a table.
	Plain bool
	Text  string // what it selects, for messages
}

// Netconf is a change of per-device or global IPv6 settings (RTM_NEWNETCONF).
type Netconf struct {
	Ifindex       int // NETCONFA_IFINDEX_ALL is -1, …_DEFAULT -2
	Forwarding    bool
	HasForwarding bool
}

// Unknown is a message that rtnl does not decode; Type is its message type.
type Unknown struct{ Type uint16 }

func (*Link) object()     {}
func (*Address) object()  {}
func (*Neighbor) object() {}
func (*Route) object()    {}
func (*NextHop) object()  {}
func (*Rule) object()     {}
func (*Netconf) object()  {}
func (*Unknown) object()  {}
