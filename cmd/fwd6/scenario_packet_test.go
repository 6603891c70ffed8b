package main_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// What a lab looks like is the same every time, so tests name its parts.

// mac is the address of a port of the lab, such as "a0".
func mac(port string) net.HardwareAddr {
	return net.HardwareAddr{0x02, 'f', '6', 0, port[0], port[1] - '0'}
}

// peers are the far ends of R's ports.
var peers = map[string]string{"r0": "a0", "r1": "b0", "r2": "b1", "r3": "b2", "a0": "r0", "b0": "r1", "b1": "r2", "b2": "r3"}

var addr = netip.MustParseAddr

var prefix = netip.MustParsePrefix

// Hosts that nobody is: R has them as neighbors, but nobody answers.
var (
	hostA = addr("fd66::99")   // behind a0
	hostB = addr("fd66:1::99") // behind b0
	hostC = addr("fd66:2::99") // behind b1
	hostD = addr("fd66:3::99") // behind b2

	hostBehind = map[string]netip.Addr{"a0": hostA, "b0": hostB, "b1": hostC, "b2": hostD}
)

// Next headers.
const (
	hopByHop    = 0
	tcp         = 6
	udp         = 17
	routing     = 43
	fragment    = 44
	ah          = 51
	icmp6       = 58
	noNext      = 59
	destOptions = 60
	experiment  = 253
)

// packet is an IPv6 packet whose zero values are those of a plain one: from
// hostA to hostB, hop limit 64, no next header.
type packet struct {
	src, dst netip.Addr
	class    byte
	flow     uint32
	hops     int // hop limit; -1 is 0
	next     byte
	payload  []byte
	length   int // payload length field, if wrongLength
	wrong    bool
	version  byte // 0 is 6
}

// bytes is the packet on the wire.
func (p packet) bytes() []byte {
	if !p.src.IsValid() {
		p.src = hostA
	}
	if !p.dst.IsValid() {
		p.dst = hostB
	}
	switch p.hops {
	case 0:
		p.hops = 64
	case -1:
		p.hops = 0
	}
	if p.version == 0 {
		p.version = 6
	}
	if !p.wrong {
		p.length = len(p.payload)
	}
	if p.next == hopByHop && len(p.payload) == 0 {
		p.next = noNext
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(p.version)<<28|uint32(p.class)<<20|p.flow)
	b = binary.BigEndian.AppendUint16(b, uint16(p.length))
	b = append(b, p.next, byte(p.hops))
	b = append(b, p.src.AsSlice()...)
	b = append(b, p.dst.AsSlice()...)
	return append(b, p.payload...)
}

const ethernetLen, ip6Len = 14, 40

// frameTo puts bytes behind an Ethernet header.
func frameTo(dst, src net.HardwareAddr, etherType uint16, payload []byte) []byte {
	b := slices.Concat(dst, src)
	b = binary.BigEndian.AppendUint16(b, etherType)
	return append(b, payload...)
}

const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

// fromHost is the frame in which a host sends packets to R, by the name of its
// port.
func fromHost(port string, packet []byte) []byte {
	return frameTo(mac(peers[port]), mac(port), etherIPv6, packet)
}

// frames is fromHost for many.
func frames(port string, packets ...packet) (all [][]byte) {
	for _, p := range packets {
		all = append(all, fromHost(port, p.bytes()))
	}
	return all
}

// with makes a packet of a payload that needs a checksum over the packet's
// addresses, at the given place in the payload.
func (p packet) with(next byte, payload []byte, checksumAt int) packet {
	b := p.bytes() // for the addresses
	sum := binary.BigEndian.AppendUint32(slices.Clone(b[8:40]), uint32(len(payload)))
	sum = append(sum, 0, 0, 0, next)
	payload = slices.Clone(payload)
	payload[checksumAt], payload[checksumAt+1] = 0, 0
	binary.BigEndian.PutUint16(payload[checksumAt:], checksum(append(sum, payload...)))
	p.next, p.payload = next, payload
	return p
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b)-1; i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// udp makes a datagram with n bytes of payload.
func (p packet) udp(from, to uint16, n int) packet {
	b := binary.BigEndian.AppendUint16(nil, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint16(b, uint16(8+n))
	b = append(b, 0, 0)
	return p.with(udp, append(b, pattern(n)...), 6)
}

// tcp makes a segment without payload, by its flags.
func (p packet) tcp(from, to uint16, flags byte) packet {
	b := binary.BigEndian.AppendUint16(nil, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 0, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
	return p.with(tcp, b, 16)
}

// echo makes an echo request with n bytes of payload.
func (p packet) echo(sequence uint16, n int) packet {
	b := []byte{128, 0, 0, 0, 0x66, 0x36}
	b = binary.BigEndian.AppendUint16(b, sequence)
	return p.with(icmp6, append(b, pattern(n)...), 2)
}

// sized makes a packet of so many bytes, header included.
func (p packet) sized(n int) packet {
	if n >= ip6Len+8 {
		return p.udp(uint16(n), 9, n-ip6Len-8)
	}
	p.next, p.payload = noNext, pattern(n-ip6Len)
	return p
}

// behind puts extension headers before the packet's payload.
func (p packet) behind(headers ...header) packet {
	for _, h := range slices.Backward(headers) {
		p.payload = append(append([]byte{p.next}, h.rest...), p.payload...)
		p.next = h.number
	}
	return p
}

// header is an extension header but for its first byte, the next header.
type header struct {
	number byte
	rest   []byte
}

// options makes a header of options, padded to a whole number of 8 bytes.
func options(number byte, options ...byte) header {
	rest := append([]byte{0}, options...)
	switch pad := (15 - len(rest)%8) % 8; pad {
	case 0:
	case 1:
		rest = append(rest, 0) // Pad1
	default:
		rest = append(append(rest, 1, byte(pad-2)), make([]byte, pad-2)...)
	}
	rest[0] = byte((len(rest)+1)/8 - 1)
	return header{number, rest}
}

// fragmentAt makes a fragment header; offset in bytes.
func fragmentAt(offset int, more bool, id uint32) header {
	word := uint16(offset)
	if more {
		word |= 1
	}
	rest := binary.BigEndian.AppendUint16([]byte{0}, word)
	return header{fragment, binary.BigEndian.AppendUint32(rest, id)}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// describe is a frame for people.
func describe(frame []byte) string {
	if len(frame) < ethernetLen+ip6Len || binary.BigEndian.Uint16(frame[12:]) != etherIPv6 {
		return fmt.Sprintf("%d bytes %x", len(frame), frame)
	}
	p := frame[ethernetLen:]
	src, _ := netip.AddrFromSlice(p[8:24])
	dst, _ := netip.AddrFromSlice(p[24:40])
	icmp := ""
	if p[6] == icmp6 && len(p) > 42 {
		icmp = fmt.Sprintf(" ICMPv6 %d/%d", p[40], p[41])
	}
	return fmt.Sprintf("%d bytes, %x ◀ %x, %v → %v, next header %d%s, hop limit %d: %x",
		len(frame), frame[:6], frame[6:12], src, dst, p[6], icmp, p[7], frame[ethernetLen:min(len(frame), 130)])
}
