package xdp

import (
	"unsafe"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// Desc is read from and written to rings that the kernel reads and writes:
// this does not compile unless it has the size of struct xdp_desc.
var _ [16]byte = [unsafe.Sizeof(Desc{})]byte{}

// Rings are the four rings of one socket.
type Rings struct {
	Fill, Completion *sys.Ring[uint64]
	RX, TX           *sys.Ring[Desc]
}

// Kernel is what a Shared needs of the kernel beyond the rings, for sockets
// numbered from 0. Stats may be called by any goroutine at any time, the rest
// by the worker only.
type Kernel interface {
	// WakeTransmit and WakeReceive have the kernel look at the TX ring, or the
	// fill ring, of socket s. They never sleep.
	WakeTransmit(s int) sys.Wake
	WakeReceive(s int) sys.Wake

	// Wait sleeps until a frame is received on any socket, or there is room on
	// the TX ring of one that is stuck, or the time is over.
	Wait(milliseconds int, stuck []bool) error

	FD(s int) int
	ZeroCopy(s int) bool
	Stats(s int) (SocketStats, error)
	Close() error
}

// Shared is the default Backend: all sockets of a worker over one UMEM, so
// that a frame received on one leaves by another without being copied. It is
// the same code over the kernel's rings and over rings in plain memory.
type Shared struct {
	Kernel // the calls that are passed on as they are

	frames      frames
	multiBuffer bool
	sockets     []socket
	stuck       []bool // by socket: its TX ring was not empty after the last Flush
	copyCause   error
}

// socket is our ends of one socket's rings.
type socket struct {
	fill       Producer[uint64]
	completion Consumer[uint64]
	rx         Consumer[Desc]
	tx         Producer[Desc]

	sorter sorter
	queue  Queue // for messages
	gone   bool  // beyond use; said so once
}

// NewShared makes a Shared of the UMEM memory and the rings of its sockets,
// and fills the fill rings. OpenShared does so with the kernel's; xdptest with
// rings in plain memory.
func NewShared(cfg SocketConfig, memory []byte, queues []Queue, rings []Rings, kernel Kernel) *Shared {
	b := &Shared{
		Kernel:      kernel,
		frames:      newFrames(memory, cfg.ChunkSize),
		multiBuffer: cfg.MultiBuffer,
		sockets:     make([]socket, len(rings)),
		stuck:       make([]bool, len(rings)),
	}
	for i, r := range rings {
		s := &b.sockets[i]
		s.fill, s.completion = NewProducer(r.Fill), NewConsumer(r.Completion)
		s.rx, s.tx = NewConsumer(r.RX), NewProducer(r.TX)
		s.queue = queues[i]
		b.frames.refill(&s.fill)
	}
	return b
}

// Memory implements Backend.
func (b *Shared) Memory(int) []byte { return b.frames.memory }

// CopyCause implements Backend.
func (b *Shared) CopyCause() error { return b.copyCause }

// Receive implements Backend.
func (b *Shared) Receive(s int, descs []Desc) int {
	sock := &b.sockets[s]
	n := sock.rx.Peek(len(descs))
	if n == 0 {
		return 0
	}
	sock.rx.Get(descs[:n])
	if !b.multiBuffer {
		sock.rx.Release(n)
		return n
	}
	keep, drop := sock.sorter.sort(descs[:n])
	b.frames.put(descs[:drop])
	sock.rx.Release(keep + drop)
	return keep
}

// Transmit implements Backend.
func (b *Shared) Transmit(s, _ int, descs []Desc) int {
	sock := &b.sockets[s]
	if sock.gone {
		return 0
	}
	n := sock.tx.Reserve(len(descs))
	if n < len(descs) {
		n = wholeFrames(descs[:n])
	}
	sock.tx.Put(descs[:n])
	return n
}

// Free implements Backend.
func (b *Shared) Free(_ int, descs []Desc) { b.frames.put(descs) }

// Stats implements Backend.
func (b *Shared) Stats(s int) (SocketStats, error) {
	stats, err := b.Kernel.Stats(s)
	stats.RxDropped += b.sockets[s].sorter.tooLong.Load()
	return stats, err
}

// AppendFree appends the addresses of the frames that are in nobody's hands to
// addrs. Tests audit ownership with it.
func (b *Shared) AppendFree(addrs []uint64) []uint64 {
	return append(addrs, b.frames.stack[:b.frames.free]...)
}
