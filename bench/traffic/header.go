package traffic

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// Layout of a frame.
const (
	ethernetSize = 14
	ip6Size      = 40
	udpSize      = 8
	sequenceSize = 8

	headerSize     = ethernetSize + ip6Size + udpSize
	hopLimitOffset = ethernetSize + 7
	sourceOffset   = ethernetSize + 8
	portsOffset    = ethernetSize + ip6Size
	lengthOffset   = portsOffset + 4
)

// What every packet of a flood has in common. The ports are those of the
// discard protocol, from an unusual one.
const (
	hopLimit        = 64
	sourcePort      = 0x6636
	destinationPort = 9
	protocolUDP     = 17
)

// header is the beginning of a frame, with the destination and the checksum
// left zero, and two bytes more to fill words.
type header [headerSize + 2]byte

func newHeader(to, from net.HardwareAddr, source netip.Addr, size int) header {
	length := uint16(size - ethernetSize - ip6Size)
	b := make([]byte, 0, len(header{}))
	b = append(b, to...)
	b = append(b, from...)
	b = append(b, 0x86, 0xdd, 6<<4, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, length)
	b = append(b, protocolUDP, hopLimit)
	b = append(b, source.AsSlice()...)
	b = append(b, make([]byte, 16)...)
	b = binary.BigEndian.AppendUint16(b, sourcePort)
	b = binary.BigEndian.AppendUint16(b, destinationPort)
	b = binary.BigEndian.AppendUint16(b, length)
	return header(b[:len(header{})])
}

// words is the header as the programs copy it.
func (h header) words() (w [len(header{}) / 8]uint64) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(h[8*i:])
	}
	return w
}

// sum adds up what the UDP checksum covers besides the destination and the
// sequence number (RFC 8200 section 8.1), as little-endian words; what has to
// be folded is folded at the end.
func (h header) sum() uint32 {
	sum := uint32(binary.LittleEndian.Uint16([]byte{0, protocolUDP}))
	sum += uint32(binary.LittleEndian.Uint16(h[lengthOffset:])) // in the pseudo-header
	for i := sourceOffset; i < sourceOffset+16; i += 2 {
		sum += uint32(binary.LittleEndian.Uint16(h[i:]))
	}
	for i := portsOffset; i < portsOffset+6; i += 2 {
		sum += uint32(binary.LittleEndian.Uint16(h[i:]))
	}
	return sum
}
