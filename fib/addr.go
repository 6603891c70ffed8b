package fib

import (
	"encoding/binary"
	"net/netip"
)

// Addr is an IPv6 address as two 64-bit halves in host byte order, which is
// how a trie wants it: Hi holds bits 0-63, Lo bits 64-127.
type Addr struct{ Hi, Lo uint64 }

// AddrFrom converts a. An IPv4 address becomes its v4-mapped form.
func AddrFrom(a netip.Addr) Addr {
	b := a.As16()
	return Addr{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Netip converts back.
func (a Addr) Netip() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	return netip.AddrFrom16(b)
}
