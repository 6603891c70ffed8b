package dataplane

import (
	"github.com/fwd6/fwd6/dataplane/wire"
	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp"
)

// classify checks every packet's header and notes its destination.
//
// The XDP program has made most of these checks; they are made again because a
// packet must be safe to forward whatever let it through.
func (b *Batch) classify() {
	for i := range b.n {
		b.dst[i] = fib.Addr{}
		frame := b.frame(i)
		if len(frame) < wire.EthernetLen+wire.IPv6Len || wire.Ethernet(frame).EtherType() != wire.EtherTypeIPv6 {
			b.reason[i] = PuntHeader
			continue
		}
		h := wire.IPv6(frame[wire.EthernetLen:])
		b.reason[i] = check(h)
		if b.reason[i] != Forward {
			continue
		}
		length := uint32(wire.IPv6Len + h.PayloadLen())
		switch have := b.frameLen(i) - wire.EthernetLen; {
		case have < length:
			b.reason[i] = DropTruncated
			continue
		case have > length:
			b.trim(i, length+wire.EthernetLen)
		}
		b.length[i] = length
		hi, lo := h.Dst()
		b.dst[i] = fib.Addr{Hi: hi, Lo: lo}
	}
}

// check judges an IPv6 header by itself.
func check(h wire.IPv6) Reason {
	if h.Version() != 6 {
		return PuntHeader
	}
	// RFC 8200 §4.3: hop-by-hop options are for every node on the way. A
	// jumbo payload (RFC 2675) has them, so lengths mean what they say below.
	if h.NextHeader() == wire.HeaderHopByHop {
		return PuntHopByHop
	}
	if wire.Special(h.Src()) || wire.Special(h.Dst()) {
		return PuntSpecial
	}
	return Forward
}

// trim cuts padding off the end of packet i's frame, as the kernel does
// (pskb_trim_rcsum in ip6_rcv_core), so that want bytes remain. Pieces that
// held nothing else stay with the packet, empty of meaning: they are moved
// past its end and freed with the batch.
func (b *Batch) trim(i int, want uint32) {
	descs := b.pieceDescs(i)
	for k := range descs {
		if descs[k].Len < want {
			want -= descs[k].Len
			continue
		}
		descs[k].Len = want
		descs[k].Options &^= xdp.DescContinued
		b.pieces[i] = uint8(k + 1)
		b.release(descs[k+1:]...)
		return
	}
}
