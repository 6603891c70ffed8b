package control

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
)

// What the kernel has numbers for, iproute2 has names for (rt_protos, rt_tables).
const (
	typeUnicast  = "unicast"
	tableMain    = 254
	protocolBoot = 3
)

var (
	tableNames    = map[uint32]string{0: "unspec", 253: "default", tableMain: "main", 255: "local"}
	prefNames     = map[uint8]string{0: "medium", 1: "high", 3: "low"}
	protocolNames = map[uint8]string{
		0: "unspec", 1: "redirect", 2: "kernel", protocolBoot: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt",
		11: "zebra", 12: "bird", 13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 18: "keepalived", 42: "babel",
		99: "openr", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
	}
)

// TableName is the route's table as iproute2 names it.
func (r RouteInfo) TableName() string { return nameOf(tableNames, r.Table) }

// ProtocolName is who added the route, as iproute2 names it.
func (r RouteInfo) ProtocolName() string { return nameOf(protocolNames, r.Protocol) }

// PrefName is the route's preference as iproute2 names it.
func (r RouteInfo) PrefName() string { return nameOf(prefNames, r.Pref) }

// Destination is the route's prefix as iproute2 writes it: ::/0 is "default"
// and a host has no length. It is empty if there is no route.
func (r RouteInfo) Destination() string {
	switch {
	case !r.Dst.IsValid():
		return ""
	case r.Dst.Bits() == 0:
		return "default"
	case r.Dst.IsSingleIP():
		return r.Dst.Addr().String()
	}
	return r.Dst.String()
}

// Effective is why the route's packets do not leave by its only next hop, or
// why the route is left to the kernel, or Forward.
func (r RouteInfo) Effective() dataplane.Reason {
	if r.Reason == dataplane.Forward && len(r.Legs) == 1 {
		return r.Legs[0].Reason
	}
	return r.Reason
}

// Counter names what packets count under that the route, or a leg of it, treats
// by reason: a counter of the XDP program if that passes them, or else of the
// workers.
func (r RouteInfo) Counter(reason dataplane.Reason) string {
	if r.Pass != xdp.Steered {
		return r.Pass.String()
	}
	return reason.String()
}

// setCounter turns the name of a counter back into what it says of the route.
func (r *RouteInfo) setCounter(name string) (err error) {
	for v := xdp.Steered + 1; v < xdp.NumVerdicts; v++ {
		if v.String() == name {
			r.Pass = v
			return nil
		}
	}
	r.Reason, err = reasonOf(name)
	return err
}

// reasonOf finds a worker's reason by its counter. iproute2's routes have none.
func reasonOf(counter string) (dataplane.Reason, error) {
	if counter == "" {
		return dataplane.Forward, nil
	}
	for reason := range dataplane.NumReasons {
		if reason.String() == counter {
			return reason, nil
		}
	}
	return 0, fmt.Errorf("reason %q is unknown here: the fwd6 that runs and this one differ in version", counter)
}

// ParseDestination reads a prefix in any form that iproute2 takes: default, an
// address alone, or a prefix.
func ParseDestination(s string) (netip.Prefix, error) {
	if s == "default" {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0), nil
	}
	p, err := netip.ParsePrefix(s)
	if a, addrErr := netip.ParseAddr(s); addrErr == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil || p.Addr().Is4() {
		return netip.Prefix{}, fmt.Errorf("%q is no IPv6 prefix: write it like 2001:db8::/32, 2001:db8::1 or default", s)
	}
	return p.Masked(), nil
}

// ParseTable reads the name or the number of one routing table.
func ParseTable(s string) (uint32, error) {
	table, err := numberOf[uint32](tableNames, s)
	if err != nil {
		return 0, fmt.Errorf("%q is no routing table: write main, local, all or a number up to 4294967295", s)
	}
	return table, nil
}

func nameOf[T uint8 | uint32](names map[T]string, number T) string {
	if name, ok := names[number]; ok {
		return name
	}
	return strconv.FormatUint(uint64(number), 10)
}

func numberOf[T uint8 | uint32](names map[T]string, s string) (T, error) {
	for number, name := range names {
		if name == s {
			return number, nil
		}
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || uint64(T(n)) != n {
		return 0, fmt.Errorf("%q is neither a known name nor a number", s)
	}
	return T(n), nil
}
