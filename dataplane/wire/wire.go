// Package wire reads and writes packet headers in place.
//
// Methods are small enough to be inlined, and never allocate.
package wire

import "encoding/binary"

// Lengths and offsets in bytes, and the few numbers that forwarding knows.
const (
	EthernetLen = 14 // IEEE 802.3 §3.1.1, without a VLAN tag
	IPv6Len     = 40 // RFC 8200 §3

	EtherTypeIPv6 = 0x86dd // RFC 2464 §3

	HeaderHopByHop = 0 // RFC 8200 §4.3
)

// HeadersLen is the length of Headers in bytes.
const HeadersLen = EthernetLen + IPv6Len

// Headers are an Ethernet II header and the IPv6 header (RFC 8200 §3) behind
// it, where they lie. Their fixed size spares every access a check of bounds.
type Headers [HeadersLen]byte

// EtherType is the type of what follows the Ethernet header.
func (h *Headers) EtherType() uint16 { return binary.BigEndian.Uint16(h[12:14]) }

// SetEthernet puts a whole new Ethernet header in place.
func (h *Headers) SetEthernet(header *[EthernetLen]byte) { *(*[EthernetLen]byte)(h[:]) = *header }

// Version is 6 in every IPv6 header.
func (h *Headers) Version() uint8 { return h[14] >> 4 }

// FlowLabel is the low 20 bits of the first word (RFC 6437).
func (h *Headers) FlowLabel() uint32 { return binary.BigEndian.Uint32(h[14:18]) & 0xfffff }

// PayloadLen counts the bytes that follow the IPv6 header.
func (h *Headers) PayloadLen() uint32 { return uint32(binary.BigEndian.Uint16(h[18:20])) }

// NextHeader is the type of the first header after the IPv6 header.
func (h *Headers) NextHeader() uint8 { return h[20] }

// HopLimit is how many more times the packet may be forwarded, plus one.
func (h *Headers) HopLimit() uint8 { return h[21] }

// DecrementHopLimit takes one off. IPv6 has no header checksum to mend.
func (h *Headers) DecrementHopLimit() { h[21]-- }

// Src is the source address, in two halves in host byte order.
func (h *Headers) Src() (hi, lo uint64) {
	return binary.BigEndian.Uint64(h[22:30]), binary.BigEndian.Uint64(h[30:38])
}

// Dst is the destination address, in two halves in host byte order.
func (h *Headers) Dst() (hi, lo uint64) {
	return binary.BigEndian.Uint64(h[38:46]), binary.BigEndian.Uint64(h[46:54])
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
