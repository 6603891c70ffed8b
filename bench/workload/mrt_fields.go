package workload

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// fields takes a record apart, from its beginning. After an error it gives
// zeros.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
	f.rest = nil
}

// bytes are the next n bytes, nil if there are not so many.
func (f *fields) bytes(n int) []byte {
	if n > len(f.rest) {
		f.fail(errShort)
		return nil
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) uint8() int {
	if b := f.bytes(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (f *fields) uint16() int {
	if b := f.bytes(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

// peers reads a table of peers (RFC 6396 §4.3.1) and counts them.
func (f *fields) peers() int {
	const ip6, as4 = 1, 2 // bits of a peer's type
	f.bytes(4)            // collector
	f.bytes(f.uint16())   // name of the view
	count := f.uint16()
	for range count {
		size := 4 + 4 + 2 // identifier, address, AS
		typ := f.uint8()
		if typ&ip6 != 0 {
			size += 12
		}
		if typ&as4 != 0 {
			size += 2
		}
		f.bytes(size)
	}
	return count
}

// route reads a prefix and its entries, one a peer that announces it (RFC 6396
// §4.3.2, §4.3.4; with a path identifier, RFC 8050 §4), and says whether there
// is any.
func (f *fields) route(peers int, addPath bool) (p netip.Prefix, announced bool) {
	f.bytes(4) // sequence number
	p = f.prefix()
	entries := f.uint16()
	for range entries {
		if peer := f.uint16(); f.err == nil && peer >= peers {
			f.fail(fmt.Errorf("%v: peer %d of %d", p, peer, peers))
		}
		f.bytes(4) // when it came
		if addPath {
			f.bytes(4)
		}
		f.bytes(f.uint16()) // attributes
	}
	return p, f.err == nil && entries > 0
}

// prefix reads a length and as many bytes as have bits of it. RFC 4271 §4.3:
// "the value of trailing bits is irrelevant".
func (f *fields) prefix() netip.Prefix {
	length := f.uint8()
	if length > 128 {
		f.fail(fmt.Errorf("a prefix of %d bits", length))
		return netip.Prefix{}
	}
	var a [16]byte
	copy(a[:], f.bytes((length+7)/8))
	return netip.PrefixFrom(netip.AddrFrom16(a), length).Masked()
}
