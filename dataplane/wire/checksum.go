package wire

import "encoding/binary"

// Offsets of the checksum in transport headers, and their protocol numbers.
const (
	protocolTCP, tcpChecksum = 6, 16 // RFC 9293 §3.1
	protocolUDP, udpChecksum = 17, 6 // RFC 768
)

// PartialChecksum says whether packet, IPv6 header first and whole, is a TCP or
// UDP packet whose sender left the checksum to its device, and no device has
// computed it: the field holds the sum of the pseudo-header alone (RFC 8200
// §8.1), as the kernel puts it there for CHECKSUM_PARTIAL.
func PartialChecksum(packet []byte) bool {
	if len(packet) < IPv6Len {
		return false
	}
	payload := packet[IPv6Len:]
	at := 0
	switch packet[6] {
	case protocolTCP:
		at = tcpChecksum
	case protocolUDP:
		at = udpChecksum
	default:
		return false
	}
	if len(payload) < at+2 {
		return false
	}
	pseudo := sum(uint32(len(payload))+uint32(packet[6]), packet[8:IPv6Len])
	field := uint32(binary.BigEndian.Uint16(payload[at:]))
	return field == fold(pseudo) && fold(sum(pseudo, payload)) != 0xffff
}

// sum adds the 16-bit words of b to s, without folding (RFC 1071).
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// fold brings a sum down to 16 bits.
func fold(s uint32) uint32 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return s
}
