package dataplane

import (
	"github.com/fwd6/fwd6/dataplane/wire"
	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp"
)

// BatchSize is how many descriptors one step takes from an RX ring: enough to
// hide a miss behind the other packets' work, few enough to stay in L1.
const BatchSize = 64

// Batch carries the packets of one step along the line: parallel arrays, one
// element a packet. Each stage reads what the stage before it wrote. A Batch
// belongs to one worker and holds no pointer, so filling it costs the garbage
// collector nothing.
type Batch struct {
	umem  []byte // memory of the socket that received
	from  int    // that socket
	port  PortID // that socket's port
	n     int    // packets
	descs [BatchSize]xdp.Desc
	used  int // descriptors

	first   [BatchSize]uint8       // index in descs of the packet's first piece
	pieces  [BatchSize]uint8       // how many pieces it has: one, unless longer than a chunk
	length  [BatchSize]uint32      // bytes of the IPv6 packet, as its header says
	reason  [BatchSize]Reason      // why it left the line
	dst     [BatchSize]fib.Addr    // its destination
	group   [BatchSize]fib.GroupID // where the destination leads
	nextHop [BatchSize]fib.NextHopID
	egress  [BatchSize]PortID

	free  [BatchSize]xdp.Desc // frames that end here, in pieces
	freed int
}

// headers are the first bytes of packet i's frame. Only for packets that have
// that many, which classify finds out.
func (b *Batch) headers(i int) *wire.Headers {
	return (*wire.Headers)(b.umem[b.descs[b.first[i]].Addr:])
}

// pieceDescs are the descriptors of packet i.
func (b *Batch) pieceDescs(i int) []xdp.Desc {
	first := int(b.first[i])
	return b.descs[first : first+int(b.pieces[i])]
}

// frameLen is the length of packet i's frame in bytes, over all pieces.
func (b *Batch) frameLen(i int) uint32 {
	n := b.descs[b.first[i]].Len
	if b.pieces[i] > 1 {
		for _, d := range b.pieceDescs(i)[1:] {
			n += d.Len
		}
	}
	return n
}

// split finds the packets in the first used descriptors.
func (b *Batch) split(used int) {
	b.used, b.n, b.freed = used, 0, 0
	for i := 0; i < used; {
		first := i
		for i < used-1 && b.descs[i].Options&xdp.DescContinued != 0 {
			i++
		}
		i++
		b.first[b.n], b.pieces[b.n], b.reason[b.n] = uint8(first), uint8(i-first), Forward
		b.n++
	}
}

// release ends the life of frames: they go back to the socket's free frames
// when the batch is done.
func (b *Batch) release(descs ...xdp.Desc) {
	b.freed += copy(b.free[b.freed:], descs)
}
