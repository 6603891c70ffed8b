package main_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// rtnetlink sends one message to the kernel in a namespace: a fixed header, and
// the attributes that put puts.
func rtnetlink(ns *xdptest.Namespace, typ uint16, flags netlink.HeaderFlags, header []byte, put func(*netlink.AttributeEncoder)) error {
	conn, err := netlink.Dial(syscall.NETLINK_ROUTE, &netlink.Config{NetNS: ns.FD(), Strict: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	encoder := netlink.NewAttributeEncoder()
	put(encoder)
	attributes, err := encoder.Encode()
	if err != nil {
		return err
	}
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   append(header, attributes...),
	})
	if err != nil {
		return fmt.Errorf("rtnetlink message %d: %w", typ, err)
	}
	return nil
}

// addIP4 gives a port an IPv4 address.
func addIP4(p *xdptest.Port, a netip.Prefix) error {
	header := binary.NativeEndian.AppendUint32([]byte{syscall.AF_INET, byte(a.Bits()), 0, 0}, uint32(p.Ifindex))
	return rtnetlink(p.NS, syscall.RTM_NEWADDR, netlink.Create|netlink.Excl, header, func(e *netlink.AttributeEncoder) {
		e.Bytes(syscall.IFA_LOCAL, a.Addr().AsSlice())
		e.Bytes(syscall.IFA_ADDRESS, a.Addr().AsSlice())
	})
}

// addNeighbor4 adds a permanent IPv4 neighbor.
func addNeighbor4(p *xdptest.Port, a netip.Addr, mac net.HardwareAddr) error {
	const (
		nudPermanent = 0x80
		ndaDst       = 1
		ndaLladdr    = 2
	)
	header := binary.NativeEndian.AppendUint32([]byte{syscall.AF_INET, 0, 0, 0}, uint32(p.Ifindex))
	header = append(binary.NativeEndian.AppendUint16(header, nudPermanent), 0, 0)
	return rtnetlink(p.NS, syscall.RTM_NEWNEIGH, netlink.Create|netlink.Replace, header, func(e *netlink.AttributeEncoder) {
		e.Bytes(ndaDst, a.AsSlice())
		e.Bytes(ndaLladdr, mac)
	})
}

// Numbers of linux/rtnetlink.h, nexthop.h and fib_rules.h.
const (
	rtmNewRule, rtmDelRule       = 32, 33
	rtmNewNexthop, rtmDelNexthop = 104, 105
	rtaNexthop                   = 30 // RTA_NH_ID

	nhaID, nhaGroup, nhaBlackhole, nhaOIF, nhaGateway = 1, 2, 4, 5, 6

	fraDst, fraSrc, fraIIF, fraPriority, fraTable = 1, 2, 3, 6, 15
	frActToTable                                  = 1
)

// nexthop is a next-hop object.
type nexthop struct {
	id        uint32
	blackhole bool
	leg       xdptest.Leg
	group     []member // then all else does not matter
}

// member is one next hop of a group.
type member struct {
	id     uint32
	weight byte // as iproute2 has it: from 1 on
}

// setNexthop adds a next-hop object, or replaces it.
func setNexthop(ns *xdptest.Namespace, n nexthop) error {
	header := []byte{syscall.AF_INET6, 0, syscall.RTPROT_STATIC, 0, 0, 0, 0, 0}
	if n.group != nil {
		header[0] = syscall.AF_UNSPEC
	}
	return rtnetlink(ns, rtmNewNexthop, netlink.Create|netlink.Replace, header, func(e *netlink.AttributeEncoder) {
		e.Uint32(nhaID, n.id)
		switch {
		case n.group != nil:
			var group []byte
			for _, m := range n.group {
				group = binary.NativeEndian.AppendUint32(group, m.id)
				group = append(group, m.weight-1, 0, 0, 0)
			}
			e.Bytes(nhaGroup, group)
		case n.blackhole:
			e.Flag(nhaBlackhole, true)
		default:
			if n.leg.Via.IsValid() {
				e.Bytes(nhaGateway, n.leg.Via.AsSlice())
			}
			e.Uint32(nhaOIF, uint32(n.leg.Port.Ifindex))
		}
	})
}

// removeNexthop removes a next-hop object, with the routes that use it.
func removeNexthop(ns *xdptest.Namespace, id uint32) error {
	return rtnetlink(ns, rtmDelNexthop, 0, make([]byte, 8), func(e *netlink.AttributeEncoder) { e.Uint32(nhaID, id) })
}

// addRouteTo adds the route to a prefix by a next-hop object.
func addRouteTo(ns *xdptest.Namespace, p netip.Prefix, id uint32) error {
	header := []byte{syscall.AF_INET6, byte(p.Bits()), 0, 0, syscall.RT_TABLE_MAIN, syscall.RTPROT_STATIC, syscall.RT_SCOPE_UNIVERSE, syscall.RTN_UNICAST, 0, 0, 0, 0}
	return rtnetlink(ns, syscall.RTM_NEWROUTE, netlink.Create|netlink.Excl, header, func(e *netlink.AttributeEncoder) {
		e.Bytes(syscall.RTA_DST, p.Addr().AsSlice())
		e.Uint32(rtaNexthop, id)
	})
}

// rule is a policy rule: packets of what is not zero ask a table.
type rule struct {
	priority, table uint32
	from, to        netip.Prefix
	in              string // device
}

func (r rule) change(ns *xdptest.Namespace, typ uint16, flags netlink.HeaderFlags) error {
	header := []byte{syscall.AF_INET6, 0, 0, 0, 0, 0, 0, frActToTable, 0, 0, 0, 0}
	if r.to.IsValid() {
		header[1] = byte(r.to.Bits())
	}
	if r.from.IsValid() {
		header[2] = byte(r.from.Bits())
	}
	return rtnetlink(ns, typ, flags, header, func(e *netlink.AttributeEncoder) {
		e.Uint32(fraPriority, r.priority)
		e.Uint32(fraTable, r.table)
		if r.to.IsValid() {
			e.Bytes(fraDst, r.to.Addr().AsSlice())
		}
		if r.from.IsValid() {
			e.Bytes(fraSrc, r.from.Addr().AsSlice())
		}
		if r.in != "" {
			e.String(fraIIF, r.in)
		}
	})
}

func (r rule) add(ns *xdptest.Namespace) error {
	return r.change(ns, rtmNewRule, netlink.Create|netlink.Excl)
}

func (r rule) remove(ns *xdptest.Namespace) error { return r.change(ns, rtmDelRule, 0) }
