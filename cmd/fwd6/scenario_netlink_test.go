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
