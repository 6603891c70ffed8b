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
		if b.descs[b.first[i]].Len < wire.HeadersLen {
			b.reason[i] = PuntHeader
			continue
		}
		h := b.headers(i)
		length := wire.IPv6Len + h.PayloadLen()
		reason := check(h)
		if have := b.frameLen(i) - wire.EthernetLen; reason == Forward && have != length {
			if have < length {
				reason = DropTruncated
			} else {
				b.trim(i, length+wire.EthernetLen)
			}
		}
		b.reason[i] = reason
		if reason != Forward {
			continue
		}
		b.length[i] = length
		b.dst[i].Hi, b.dst[i].Lo = h.Dst()
	}
}

// check judges headers by themselves.
func check(h *wire.Headers) Reason {
	if h.EtherType() != wire.EtherTypeIPv6 || h.Version() != 6 {
		return PuntHeader
	}
	// RFC 8200 §4.3: hop-by-hop options are for every node on the way. A
	// jumbo payload (RFC 2675) has them, so lengths mean what they say.
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
