package xdp

import (
	"sync/atomic"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// Producer is the writing end of a ring: ours for fill and TX, the kernel's
// for RX and completion. Entries are written with Put into room that Reserve
// found, and Submit shows them to the consumer, all at once.
//
// It belongs to one goroutine; the consumer may be any other, or the kernel.
// Indices run free and wrap at 2^32, so differences are always right.
type Producer[T any] struct {
	entries []T
	mask    uint32
	next    uint32 // index of the next entry to write
	shown   uint32 // entries before it are visible to the consumer
	limit   uint32 // next may go this far; the consumer's index as last read, plus the size

	index *atomic.Uint32 // ours
	peer  *atomic.Uint32 // the consumer's
	flags *atomic.Uint32
}

// NewProducer takes the writing end of a ring where it stands.
func NewProducer[T any](r *sys.Ring[T]) Producer[T] {
	size := uint32(len(r.Entries))
	next := r.Producer.Load()
	return Producer[T]{
		entries: r.Entries,
		mask:    size - 1,
		next:    next,
		shown:   next,
		limit:   r.Consumer.Load() + size,
		index:   r.Producer,
		peer:    r.Consumer,
		flags:   r.Flags,
	}
}

// Reserve says how many of n entries there is room for.
//
// The consumer's index is read only if the room last known of is too small:
// it lies in a cache line that the other side writes.
func (p *Producer[T]) Reserve(n int) int {
	if room := int(p.limit - p.next); room >= n {
		return n
	}
	// Pairs with the consumer's store of its index: what lies before it has
	// been read and may be overwritten.
	p.limit = p.peer.Load() + p.mask + 1
	return min(n, int(p.limit-p.next))
}

// Put writes values behind those written before. There must be room.
func (p *Producer[T]) Put(values []T) {
	n := copy(p.entries[p.next&p.mask:], values)
	copy(p.entries, values[n:]) // what goes beyond the end starts over
	p.next += uint32(len(values))
}

// Submit shows all that was put to the consumer and says how many entries are
// new to it.
//
// Ordering: entries first, then index. Pairs with the load-acquire of the
// consumer (__xskq_cons_peek in net/xdp/xsk_queue.h). Go's Store is a full
// barrier, so a NeedWakeup after it cannot have been read before it.
func (p *Producer[T]) Submit() int {
	n := p.next - p.shown
	if n != 0 {
		p.index.Store(p.next)
		p.shown = p.next
	}
	return int(n)
}

// Empty says whether the consumer has taken all that was submitted.
func (p *Producer[T]) Empty() bool {
	if p.limit-p.mask-1 == p.shown {
		return true // known without asking
	}
	p.limit = p.peer.Load() + p.mask + 1
	return p.limit-p.mask-1 == p.shown
}

// NeedWakeup says whether the kernel wants a system call to look at the ring.
func (p *Producer[T]) NeedWakeup() bool {
	return p.flags.Load()&sys.RingNeedWakeup != 0
}

// Consumer is the reading end of a ring: ours for RX and completion, the
// kernel's for fill and TX. Peek finds entries, Get copies them out, and
// Release gives their places back to the producer.
//
// It belongs to one goroutine; the producer may be any other, or the kernel.
type Consumer[T any] struct {
	entries []T
	mask    uint32
	next    uint32 // index of the next entry to read
	limit   uint32 // the producer's index as last read

	index *atomic.Uint32 // ours
	peer  *atomic.Uint32 // the producer's
}

// NewConsumer takes the reading end of a ring where it stands.
func NewConsumer[T any](r *sys.Ring[T]) Consumer[T] {
	return Consumer[T]{
		entries: r.Entries,
		mask:    uint32(len(r.Entries)) - 1,
		next:    r.Consumer.Load(),
		limit:   r.Producer.Load(),
		index:   r.Consumer,
		peer:    r.Producer,
	}
}

// Peek says how many of n entries are there to be read.
func (c *Consumer[T]) Peek(n int) int {
	if ready := int(c.limit - c.next); ready >= n {
		return n
	}
	// Pairs with the producer's store-release (__xskq_prod_submit in
	// net/xdp/xsk_queue.h): entries before the index are complete.
	c.limit = c.peer.Load()
	return min(n, int(c.limit-c.next))
}

// Get copies the next len(values) entries, which Peek has found, and leaves
// them on the ring.
func (c *Consumer[T]) Get(values []T) {
	n := copy(values, c.entries[c.next&c.mask:])
	copy(values[n:], c.entries)
}

// Release gives the places of the next n entries back.
//
// Ordering: the reads of Get first, then the index, by which the producer knows
// that it may overwrite them.
func (c *Consumer[T]) Release(n int) {
	c.next += uint32(n)
	c.index.Store(c.next)
}
