package xdptest

import (
	"encoding/binary"
	"net/netip"
)

// Numbers by which NotNoise sorts.
const (
	ethernetSize  = 14
	ip6Size       = 40
	etherTypeIPv6 = 0x86dd
	nextHopByHop  = 0
	nextICMPv6    = 58

	typeMLDQuery    = 130 // first of the old MLD messages (RFC 2710)
	typeMLDDone     = 132 // last of them
	typeRouterSolic = 133 // first of neighbor discovery (RFC 4861)
	typeRedirect    = 137 // last of it
	typeMLDv2Report = 143 // RFC 3810
)

// NotNoise is false for what hosts say by themselves to keep a link going:
// neighbor and router discovery, redirects, and multicast listener reports. It
// serves as the keep of Capture.
func NotNoise(frame []byte) bool {
	if len(frame) < ethernetSize+ip6Size || binary.BigEndian.Uint16(frame[12:]) != etherTypeIPv6 {
		return true
	}
	packet := frame[ethernetSize:]
	next, rest := packet[6], packet[ip6Size:]
	if next == nextHopByHop && len(rest) >= 8 && multicast(packet[24:40]) {
		next, rest = rest[0], rest[min(len(rest), 8+8*int(rest[1])):]
	}
	if next != nextICMPv6 || len(rest) == 0 {
		return true
	}
	switch typ := rest[0]; {
	case typeMLDQuery <= typ && typ <= typeMLDDone, typeRouterSolic <= typ && typ <= typeRedirect:
		return false
	default:
		return typ != typeMLDv2Report
	}
}

func multicast(address []byte) bool {
	a, ok := netip.AddrFromSlice(address)
	return ok && a.IsMulticast()
}
