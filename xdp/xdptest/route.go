package xdptest

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Route is a route as the kernel takes it. The zero value of every field but
// Prefix means what the kernel's default is.
type Route struct {
	Prefix netip.Prefix
	Legs   []Leg  // none for a route of a type without next hops
	Type   uint8  // RTN_…; 0 is RTN_UNICAST
	Table  uint32 // 0 is RT_TABLE_MAIN
	Metric uint32 // lower wins; 0 is the kernel's 1024
	Source netip.Prefix
	MTU    uint32 // bytes; 0 is the device's
}

// Leg is one next hop of a route.
type Leg struct {
	Via    netip.Addr // the zero Addr: on-link
	Port   *Port
	Weight int // 0 is 1; at most 256
}

// Via is the route to prefix through the port's peer.
func Via(prefix netip.Prefix, p *Port) Route {
	return Route{Prefix: prefix, Legs: []Leg{{Via: p.Peer.Addr, Port: p}}}
}

// AddRoutes adds routes to the namespace, many to a system call. It fails if
// one of them exists already (same prefix, table and metric); those before it
// then stay.
func (n *Namespace) AddRoutes(routes ...Route) error {
	return n.routes(unix.RTM_NEWROUTE, netlink.Create|netlink.Excl, "add", routes)
}

// ReplaceRoutes adds routes or puts them in the place of those with the same
// prefix, table and metric.
func (n *Namespace) ReplaceRoutes(routes ...Route) error {
	return n.routes(unix.RTM_NEWROUTE, netlink.Create|netlink.Replace, "replace", routes)
}

// AppendRoutes adds routes beside those with the same prefix and metric, which
// makes multipath routes of them.
func (n *Namespace) AppendRoutes(routes ...Route) error {
	return n.routes(unix.RTM_NEWROUTE, netlink.Create|netlink.Append, "append", routes)
}

// RemoveRoutes removes routes. Fields that are zero match any route.
func (n *Namespace) RemoveRoutes(routes ...Route) error {
	return n.routes(unix.RTM_DELROUTE, 0, "remove", routes)
}

// routesAtOnce bounds one write: the kernel copies it into one socket buffer,
// which by default holds 208 KiB.
const routesAtOnce = 512

func (n *Namespace) routes(typ netlink.HeaderType, flags netlink.HeaderFlags, verb string, routes []Route) error {
	// A connection of its own: after an error, answers to the rest of the
	// batch are still on their way.
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: n.fd, Strict: true})
	if err != nil {
		return fmt.Errorf("open netlink in namespace %s: %w", n.Name, err)
	}
	defer conn.Close()
	if err := conn.SetReadBuffer(routesAtOnce << 12); err != nil {
		return fmt.Errorf("make room for answers in namespace %s: %w", n.Name, err)
	}
	for len(routes) > 0 {
		batch := routes[:min(len(routes), routesAtOnce)]
		routes = routes[len(batch):]
		if err := writeRoutes(conn, typ, flags, batch); err != nil {
			return fmt.Errorf("%s routes in namespace %s: %w", verb, n.Name, err)
		}
	}
	return nil
}

// writeRoutes sends all routes in one write and asks for one acknowledgement,
// with the last; a route that the kernel refuses answers unasked, before it.
func writeRoutes(conn *netlink.Conn, typ netlink.HeaderType, flags netlink.HeaderFlags, routes []Route) error {
	messages := make([]netlink.Message, len(routes))
	for i := range routes {
		messages[i].Header = netlink.Header{Type: typ, Flags: netlink.Request | flags}
		messages[i].Data = routes[i].message(typ == unix.RTM_NEWROUTE)
	}
	messages[len(messages)-1].Header.Flags |= netlink.Acknowledge
	if _, err := conn.SendMessages(messages); err != nil {
		return err
	}
	if _, err := conn.Receive(); err != nil {
		return fmt.Errorf("one of %v to %v: %w", routes[0].Prefix, routes[len(routes)-1].Prefix, err)
	}
	return nil
}

// message encodes the route. A new one needs values where the kernel takes
// zero in a removal to mean any.
func (r *Route) message(add bool) message {
	typ, table, protocol, scope := r.Type, r.Table, byte(0), byte(unix.RT_SCOPE_NOWHERE)
	if table == 0 {
		table = unix.RT_TABLE_MAIN
	}
	if add {
		protocol, scope = unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE
		if typ == 0 {
			typ = unix.RTN_UNICAST
		}
	}
	m := make(message, 0, 96)
	m = append(m, unix.AF_INET6, byte(r.Prefix.Bits()), 0, 0, unix.RT_TABLE_UNSPEC, protocol, scope, typ)
	m = binary.NativeEndian.AppendUint32(m, 0)
	m.putAddr(unix.RTA_DST, r.Prefix.Addr())
	m.putUint32(unix.RTA_TABLE, table)
	if r.Source.IsValid() {
		m[2] = byte(r.Source.Bits())
		m.putAddr(unix.RTA_SRC, r.Source.Addr())
	}
	if r.Metric != 0 {
		m.putUint32(unix.RTA_PRIORITY, r.Metric)
	}
	if r.MTU != 0 {
		m.nest(unix.RTA_METRICS, func(m *message) { m.putUint32(unix.RTAX_MTU, r.MTU) })
	}
	switch len(r.Legs) {
	case 0:
	case 1:
		r.Legs[0].put(&m)
		m.putUint32(unix.RTA_OIF, uint32(r.Legs[0].Port.Ifindex))
	default:
		m.put(unix.RTA_MULTIPATH, legs(r.Legs)...)
	}
	return m
}

func (l Leg) put(m *message) {
	if l.Via.IsValid() {
		m.putAddr(unix.RTA_GATEWAY, l.Via)
	}
}

// legs encodes next hops as struct rtnexthop with their attributes.
func legs(legs []Leg) message {
	var all message
	for _, l := range legs {
		var attributes message
		l.put(&attributes)
		all = binary.NativeEndian.AppendUint16(all, uint16(unix.SizeofRtNexthop+len(attributes)))
		all = append(all, 0, byte(max(l.Weight, 1)-1))
		all = binary.NativeEndian.AppendUint32(all, uint32(l.Port.Ifindex))
		all = append(all, attributes...)
	}
	return all
}
