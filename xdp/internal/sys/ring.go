package sys

import "sync/atomic"

// Ring is the memory of one ring: two indices, flags, and a power of two of
// entries. The kernel has one end of it, or, for NewRing, the same process.
//
// The indices run free; entry i lies at i mod len(Entries). Whoever owns an
// end writes its index and only reads the other.
type Ring[T any] struct {
	Producer *atomic.Uint32
	Consumer *atomic.Uint32
	Flags    *atomic.Uint32 // RingNeedWakeup or 0
	Entries  []T

	mapping []byte // what Unmap gives back; nil for NewRing
}

// RingNeedWakeup is set in Flags while the kernel does not look at the ring
// unless a system call tells it to (XDP_RING_NEED_WAKEUP).
const RingNeedWakeup = 1

// ringHead is laid out as struct xdp_ring in net/xdp/xsk_queue.h: the two ends
// write different cache lines.
type ringHead struct {
	producer atomic.Uint32
	_        [60]byte
	consumer atomic.Uint32
	flags    atomic.Uint32
	_        [56]byte
}

// NewRing makes a ring in plain memory, whose both ends are in this process.
// size is a power of two.
func NewRing[T any](size int) *Ring[T] {
	head := new(ringHead)
	return &Ring[T]{
		Producer: &head.producer,
		Consumer: &head.consumer,
		Flags:    &head.flags,
		Entries:  make([]T, size),
	}
}
