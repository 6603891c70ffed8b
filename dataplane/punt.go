package dataplane

import (
	"sync/atomic"
)

// puntSlots is how many packets wait for the kernel at most, per worker. What
// comes on top is dropped and counted: punting is for the few.
const puntSlots = 512

// puntQueue carries copies of punted frames from one worker to the punter. The
// worker only pushes and the punter only pops, so two indices are all that
// they share.
type puntQueue struct {
	slots [puntSlots]puntSlot
	bell  chan<- struct{} // wakes the punter; holds at most one ring

	_    [64]byte      // the indices are written by different cores
	head atomic.Uint32 // pushed so far: the worker's
	_    [60]byte
	tail atomic.Uint32 // popped so far: the punter's
	_    [60]byte
}

// puntSlot is a frame and the interface on which it arrived.
type puntSlot struct {
	ifindex int
	n       int
	frame   []byte // of the longest frame's size
}

func newPuntQueue(bell chan<- struct{}, frameSize int) *puntQueue {
	q := &puntQueue{bell: bell}
	memory := make([]byte, puntSlots*frameSize)
	for i := range q.slots {
		q.slots[i].frame = memory[i*frameSize : (i+1)*frameSize]
	}
	return q
}

// push copies packet i of b, or reports that there is no room. The frame is as
// it arrived: only packets that go out are rewritten.
func (q *puntQueue) push(ifindex int, b *Batch, i int) bool {
	head := q.head.Load()
	slot := &q.slots[head%puntSlots]
	// A device may receive more than its MTU; the kernel is never given a part.
	if head-q.tail.Load() == puntSlots || int(b.frameLen(i)) > len(slot.frame) {
		return false
	}
	slot.ifindex, slot.n = ifindex, 0
	for _, d := range b.pieceDescs(i) {
		slot.n += copy(slot.frame[slot.n:], b.umem[d.Addr:d.Addr+uint64(d.Len)])
	}
	q.head.Store(head + 1) // orders the slot before the index that shows it
	select {
	case q.bell <- struct{}{}:
	default: // it has been rung already
	}
	return true
}

// drain takes what has been pushed by now, oldest first. What comes meanwhile
// has to wait, lest a worker that never stops pushing keep the others out.
func (q *puntQueue) drain(take func(ifindex int, frame []byte)) {
	head := q.head.Load()
	for tail := q.tail.Load(); tail != head; {
		slot := &q.slots[tail%puntSlots]
		take(slot.ifindex, slot.frame[:slot.n])
		tail++
		q.tail.Store(tail) // the slot is the worker's again
	}
}
