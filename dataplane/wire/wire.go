// Package wire reads and writes packet headers in place.
//
// A header is a view: a byte slice that starts where the header does and is at
// least as long as the header; the one who makes a view has checked that.
// Methods are small enough to be inlined and never allocate.
package wire

import "encoding/binary"

// Lengths and offsets in bytes, and the few numbers that forwarding knows.
const (
	EthernetLen = 14 // IEEE 802.3 §3.1.1, without a VLAN tag
	IPv6Len     = 40 // RFC 8200 §3

	EtherTypeIPv6 = 0x86dd // RFC 2464 §3

	HeaderHopByHop = 0  // RFC 8200 §4.3
	HeaderTCP      = 6  // RFC 9293
	HeaderUDP      = 17 // RFC 768
	HeaderICMPv6   = 58 // RFC 4443

	MinMTU = 1280 // RFC 8200 §5
)

// Ethernet is an Ethernet II header.
type Ethernet []byte

// EtherType is the type of what follows.
func (h Ethernet) EtherType() uint16 { return binary.BigEndian.Uint16(h[12:14]) }

// Payload is what follows the header.
func (h Ethernet) Payload() []byte { return h[EthernetLen:] }

// IPv6 is an IPv6 header (RFC 8200 §3).
type IPv6 []byte

// Version is 6 in every IPv6 header.
func (h IPv6) Version() uint8 { return h[0] >> 4 }

// FlowLabel is the low 20 bits of the first word (RFC 6437).
func (h IPv6) FlowLabel() uint32 { return binary.BigEndian.Uint32(h[0:4]) & 0xfffff }

// PayloadLen counts the bytes that follow the header.
func (h IPv6) PayloadLen() int { return int(binary.BigEndian.Uint16(h[4:6])) }

// NextHeader is the type of the first header after this one.
func (h IPv6) NextHeader() uint8 { return h[6] }

// HopLimit is how many more times the packet may be forwarded, plus one.
func (h IPv6) HopLimit() uint8 { return h[7] }

// DecrementHopLimit takes one off. IPv6 has no header checksum to mend.
func (h IPv6) DecrementHopLimit() { h[7]-- }

// Src is the source address, in two halves in host byte order.
func (h IPv6) Src() (hi, lo uint64) {
	return binary.BigEndian.Uint64(h[8:16]), binary.BigEndian.Uint64(h[16:24])
}

// Dst is the destination address, in two halves in host byte order.
func (h IPv6) Dst() (hi, lo uint64) {
	return binary.BigEndian.Uint64(h[24:32]), binary.BigEndian.Uint64(h[32:40])
}

// Special says whether an address must not be forwarded to or from without the
// kernel's judgement: multicast, link-local, loopback, unspecified and
// v4-mapped addresses (RFC 4291 §2.4, §2.5; ip6_rcv_core in
// net/ipv6/ip6_input.c drops or delivers them by rules of their own).
func Special(hi, lo uint64) bool {
	const (
		multicast = 0xff
		linkLocal = 0xfe80 >> 6
	)
	return hi>>56 == multicast || hi>>54 == linkLocal || hi == 0 && (lo <= 1 || lo>>32 == 0xffff)
}
