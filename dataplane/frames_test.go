package dataplane

import (
	"encoding/binary"
	"net/netip"

	"github.com/fwd6/fwd6/dataplane/wire"
	"github.com/fwd6/fwd6/xdp"
)

// A frameOption makes a frame differ from a plain one.
type frameOption func(*testFrame)

type testFrame struct {
	bytes []byte
}

// frame makes a UDP packet of 64 bytes of payload from 2001:db8:a::2 to
// 2001:db8:b::2, with hop limit 64.
func frame(options ...frameOption) []byte {
	f := &testFrame{bytes: make([]byte, wire.EthernetLen+wire.IPv6Len+64)}
	copy(f.bytes, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60})
	ip := f.ip()
	binary.BigEndian.PutUint16(ip[4:], 64)
	ip[6], ip[7] = 17, 64 // UDP
	src("2001:db8:a::2")(f)
	dst("2001:db8:b::2")(f)
	for i := range 64 {
		ip[wire.IPv6Len+i] = byte(i)
	}
	for _, o := range options {
		o(f)
	}
	return f.bytes
}

func (f *testFrame) ip() []byte { return f.bytes[wire.EthernetLen:] }

func src(a string) frameOption {
	return func(f *testFrame) { b := netip.MustParseAddr(a).As16(); copy(f.ip()[8:], b[:]) }
}

func dst(a string) frameOption {
	return func(f *testFrame) { b := netip.MustParseAddr(a).As16(); copy(f.ip()[24:], b[:]) }
}

func hopLimit(n byte) frameOption   { return func(f *testFrame) { f.ip()[7] = n } }
func nextHeader(n byte) frameOption { return func(f *testFrame) { f.ip()[6] = n } }
func version(n byte) frameOption    { return func(f *testFrame) { f.ip()[0] = n << 4 } }
func etherType(n uint16) frameOption {
	return func(f *testFrame) { binary.BigEndian.PutUint16(f.bytes[12:], n) }
}
func payloadLen(n int) frameOption {
	return func(f *testFrame) { binary.BigEndian.PutUint16(f.ip()[4:], uint16(n)) }
}

// size gives the packet so many bytes, header included.
func size(n int) frameOption {
	return func(f *testFrame) {
		grown := make([]byte, wire.EthernetLen+n)
		copy(grown, f.bytes)
		f.bytes = grown
		payloadLen(n - wire.IPv6Len)(f)
	}
}

// cut leaves the first n bytes of the frame.
func cut(n int) frameOption { return func(f *testFrame) { f.bytes = f.bytes[:n] } }

// pad appends n bytes that are no part of the packet.
func pad(n int) frameOption {
	return func(f *testFrame) { f.bytes = append(f.bytes, make([]byte, n)...) }
}

// batchOf puts frames into a batch, each cut in pieces of at most chunk bytes.
func batchOf(chunk int, frames ...[]byte) *Batch {
	b := &Batch{}
	used := 0
	for _, f := range frames {
		for len(f) > 0 || used == 0 {
			n := min(chunk, len(f))
			b.descs[used] = xdp.Desc{Addr: uint64(len(b.umem)), Len: uint32(n)}
			b.umem = append(b.umem, f[:n]...)
			if f = f[n:]; len(f) > 0 {
				b.descs[used].Options = xdp.DescContinued
			}
			used++
		}
	}
	b.split(used)
	return b
}

// bytesOf is packet i's frame, its pieces joined.
func (b *Batch) bytesOf(i int) []byte {
	var all []byte
	for _, d := range b.pieceDescs(i) {
		all = append(all, b.umem[d.Addr:d.Addr+uint64(d.Len)]...)
	}
	return all
}
