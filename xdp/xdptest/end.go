package xdptest

import (
	"sync/atomic"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// headroom is what the kernel keeps free before a frame it receives
// (XDP_PACKET_HEADROOM).
const headroom = 256

// endBatch is how many descriptors an End handles at once.
const endBatch = 64

// End is the kernel's side of one socket. It takes from the fill and TX rings
// and gives to the RX and completion rings, as the kernel does in copy mode.
//
// Deliver, Collect and Discard belong to one goroutine; the rest is for any.
type End struct {
	// OnWake, if set, is called by the worker's Flush when it wakes the kernel
	// to send, in place of the system call: a copy-mode kernel would send now.
	// Set it before the worker runs.
	OnWake func()

	kernel      *rings
	multiBuffer bool
	fill        xdp.Consumer[uint64]
	completion  xdp.Producer[uint64]
	rx          xdp.Producer[xdp.Desc]
	tx          xdp.Consumer[xdp.Desc]
	shared      xdp.Rings

	addrs  [endBatch]uint64 // taken from the fill ring; the first held of them are not used yet
	held   int
	descs  [endBatch]xdp.Desc // scratch; the first staged of them are received but not on the ring
	staged int
	done   [endBatch]uint64 // scratch

	answer                       atomic.Uint32 // a sys.Wake
	transmitWakes, receiveWakes  atomic.Int64
	dropped, ringFull, fillEmpty atomic.Uint64
}

func newEnd(k *rings, cfg xdp.SocketConfig, r xdp.Rings) *End {
	r.TX.Flags.Store(sys.RingNeedWakeup) // as in copy mode
	return &End{
		kernel:      k,
		multiBuffer: cfg.MultiBuffer,
		fill:        xdp.NewConsumer(r.Fill),
		completion:  xdp.NewProducer(r.Completion),
		rx:          xdp.NewProducer(r.RX),
		tx:          xdp.NewConsumer(r.TX),
		shared:      r,
	}
}

// Deliver receives frames into the UMEM, in pieces if they are longer than a
// chunk and MultiBuffer is on, and returns how many. Like the kernel, it drops
// and counts those for which there is no frame or no room. It does not
// allocate.
func (e *End) Deliver(frames ...[]byte) (delivered int) {
	for _, frame := range frames {
		if e.deliver(frame) {
			delivered++
		}
	}
	e.show()
	e.rx.Submit()
	select {
	case e.kernel.bell <- struct{}{}:
	default: // it has been rung already
	}
	return delivered
}

// deliver writes one frame to the UMEM and stages its descriptors.
func (e *End) deliver(frame []byte) bool {
	room := e.kernel.chunkSize - headroom
	pieces := max(1, (len(frame)+room-1)/room)
	if e.staged+pieces > endBatch {
		e.show()
	}
	switch {
	case pieces > 1 && !e.multiBuffer, pieces > endBatch:
		e.dropped.Add(1)
		return false
	case e.rx.Reserve(e.staged+pieces) < e.staged+pieces:
		e.ringFull.Add(1)
		return false
	case e.takeFill(pieces) < pieces:
		e.fillEmpty.Add(1)
		return false
	}
	for left := pieces; left > 0; left-- {
		e.held--
		at := e.addrs[e.held] + headroom
		n := copy(e.kernel.memory[at:at+uint64(room)], frame)
		frame = frame[n:]
		d := xdp.Desc{Addr: at, Len: uint32(n)}
		if left > 1 {
			d.Options = xdp.DescContinued
		}
		e.descs[e.staged] = d
		e.staged++
	}
	return true
}

// show puts what is staged on the RX ring.
func (e *End) show() {
	e.rx.Put(e.descs[:e.staged])
	e.staged = 0
}

// takeFill holds at least n frames of the fill ring, if it has them, and
// returns how many it holds.
func (e *End) takeFill(n int) int {
	if e.held >= n {
		return e.held
	}
	more := e.fill.Peek(endBatch - e.held)
	e.fill.Get(e.addrs[e.held : e.held+more])
	e.fill.Release(more)
	e.held += more
	return e.held
}

// Collect sends what is on the TX ring: it returns copies of the frames, in
// order, and completes them.
func (e *End) Collect() [][]byte {
	var frames [][]byte
	var frame []byte
	e.send(func(d xdp.Desc) {
		frame = append(frame, e.kernel.memory[d.Addr:d.Addr+uint64(d.Len)]...)
		if d.Options&xdp.DescContinued == 0 {
			frames = append(frames, frame)
			frame = nil
		}
	})
	return frames
}

// Discard sends what is on the TX ring without looking at it and returns the
// number of descriptors. It does not allocate.
func (e *End) Discard() int { return e.send(nil) }

// send takes everything from the TX ring, shows it to look, and completes it.
func (e *End) send(look func(xdp.Desc)) (sent int) {
	for {
		n := e.tx.Peek(endBatch)
		n = e.completion.Reserve(n)
		if n == 0 {
			return sent
		}
		e.tx.Get(e.descs[:n])
		for i, d := range e.descs[:n] {
			if look != nil {
				look(d)
			}
			e.done[i] = d.Addr
		}
		e.tx.Release(n)
		e.completion.Put(e.done[:n])
		e.completion.Submit()
		sent += n
	}
}

// TransmitWakes says how often Flush has woken the kernel to send.
func (e *End) TransmitWakes() int64 { return e.transmitWakes.Load() }

// ReceiveWakes says how often Flush has woken the kernel to take from the fill
// ring.
func (e *End) ReceiveWakes() int64 { return e.receiveWakes.Load() }

// NeedWakeup sets the flags by which the kernel asks to be woken, as a driver
// in zero-copy mode does. At first it asks for the TX ring only.
func (e *End) NeedWakeup(receive, transmit bool) {
	set(e.shared.Fill.Flags, receive)
	set(e.shared.TX.Flags, transmit)
}

func set(flags *atomic.Uint32, on bool) {
	if on {
		flags.Store(sys.RingNeedWakeup)
	} else {
		flags.Store(0)
	}
}

// Up, Down, Choke and Remove set the state of the port, which is up at first.
func (e *End) Up() { e.answer.Store(uint32(sys.WakeDone)) }

// Down makes the port answer that it is down.
func (e *End) Down() { e.answer.Store(uint32(sys.WakeDown)) }

// Choke makes the port answer that it has no room to send now.
func (e *End) Choke() { e.answer.Store(uint32(sys.WakeAgain)) }

// Remove makes the port answer that its device is gone.
func (e *End) Remove() { e.answer.Store(uint32(sys.WakeGone)) }
