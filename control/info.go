package control

import (
	"net/netip"
	"time"

	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
)

// These are the answers to questions about the running forwarder: what the API
// sends and the command line prints. They are copies; nothing here is shared.
// As JSON they have iproute2's keys where it has them (api_json.go).

// RouteInfo is one route as fwd6 forwards by it.
type RouteInfo struct {
	Dst      netip.Prefix
	Table    uint32
	Type     string // "unicast", "blackhole", … as iproute2 names it
	Protocol uint8
	Metric   uint32
	NextHop  uint32 // id of a next-hop object, or 0
	Flags    []string
	Legs     []LegInfo
	Reason   dataplane.Reason // Forward, or why workers give its packets to the kernel
	Pass     xdp.Verdict      // if not Steered: why no worker sees its packets, whatever Reason says
	Why      string           // Pass in words
	PrefSrc  netip.Addr       // for packets of this host; the zero Addr: none
	MTU      int              // bytes, of the route itself; 0: the device's
	Pref     uint8            // RFC 4191 §2.1: 0 medium, 1 high, 3 low
}

// LegInfo is one next hop of a route.
type LegInfo struct {
	Gateway netip.Addr // the zero Addr: on-link
	Dev     string
	Weight  int
	MAC     string           // link-layer address in use, if resolved
	Reason  dataplane.Reason // Forward if packets for this leg leave by fwd6
	Flags   []string         // "dead", "linkdown", "onlink", of one leg of several
}

// NeighborInfo is one neighbor.
type NeighborInfo struct {
	Addr   netip.Addr
	Dev    string
	MAC    string   // empty if unknown
	States []string // "REACHABLE", … as iproute2 names them
	Router bool
	Used   bool // fwd6 keeps it fresh
}

// PortInfo is one port.
type PortInfo struct {
	Name     string `json:"name"`
	Ifindex  int    `json:"ifindex"`       // 0 while the device does not exist
	State    string `json:"state"`         // "forwarding", "kernel" or "absent"
	Why      string `json:"why,omitempty"` // why it is in that state, if not forwarding
	MAC      string `json:"mac"`
	MTU      int    `json:"mtu"` // bytes
	Queues   int    `json:"queues"`
	XDPMode  string `json:"xdp_mode"` // "native" or "generic"
	ZeroCopy bool   `json:"zero_copy"`
}

// StatusInfo is the state of the forwarder as a whole.
type StatusInfo struct {
	Version   string     `json:"version"`
	PID       int        `json:"pid"`
	Started   time.Time  `json:"started"`
	Backend   string     `json:"backend"`
	Workers   int        `json:"workers"`
	Ports     []PortInfo `json:"ports"`
	Routes    int        `json:"routes"`    // prefixes in the FIB
	Groups    int        `json:"groups"`    // next-hop groups
	Neighbors int        `json:"neighbors"` // in the mirror
	FIB       FIBInfo    `json:"fib"`
	Resyncs   uint64     `json:"resyncs"`           // full dumps after a netlink overflow or a link change
	Events    uint64     `json:"events"`            // netlink messages applied
	Undecoded uint64     `json:"undecoded"`         // netlink messages that could not be read
	Passing   string     `json:"passing,omitempty"` // why all traffic is left to the kernel, or empty
}

// FIBInfo is the memory of the lookup structure, in bytes.
type FIBInfo struct {
	Used     int    `json:"used_bytes"`     // by what lookups read
	Free     int    `json:"free_bytes"`     // in between
	Reserved int    `json:"reserved_bytes"` // address space that it may grow to
	Million  int    `json:"million_bytes"`  // forecast for a million routes more like those there are
	Lookup   string `json:"lookup"`         // form of lookups: one of fib.Variants
}
