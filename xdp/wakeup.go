package xdp

import (
	"errors"
	"fmt"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// wakeBatch is how many descriptors one system call sends in copy mode
// (TX_BATCH_SIZE in net/xdp/xsk.c).
const wakeBatch = 32

// Flush implements Backend.
func (b *Shared) Flush() error {
	var gone error
	for i := range b.sockets {
		s := &b.sockets[i]
		fresh := s.tx.Submit()
		if !s.tx.Empty() && s.tx.NeedWakeup() && !s.gone {
			if err := b.send(i, fresh); err != nil {
				gone = errors.Join(gone, err)
			}
		}
		b.frames.reap(&s.completion)
		b.frames.refill(&s.fill)
		if s.fill.NeedWakeup() && !s.gone {
			if err := b.woken(i, b.WakeReceive(i)); err != nil {
				gone = errors.Join(gone, err)
			}
		}
	}
	return gone
}

// send has the kernel send what is on the TX ring of socket i, fresh of it
// since the last time.
func (b *Shared) send(i, fresh int) error {
	s := &b.sockets[i]
	for p := newPatience(fresh); ; {
		answer := b.WakeTransmit(i)
		b.frames.reap(&s.completion) // it may be what is full
		if !p.again(answer) {
			return b.woken(i, answer)
		}
	}
}

// woken takes note of the kernel's answer to a wake-up of socket i. It returns
// an error the first time that the socket is found beyond use.
//
// A port that is down is no error: its frames stay on the TX ring, and go out
// when it is up again.
func (b *Shared) woken(i int, answer sys.Wake) error {
	s := &b.sockets[i]
	if answer != sys.WakeGone || s.gone {
		return nil
	}
	s.gone = true
	return fmt.Errorf("port %s queue %d: %w", s.queue.Port, s.queue.Queue, ErrGone)
}

// Wait implements Backend.
func (b *Shared) Wait(milliseconds int) error {
	for i := range b.sockets {
		s := &b.sockets[i]
		b.stuck[i] = !s.gone && !s.tx.Empty()
	}
	return b.Kernel.Wait(milliseconds, b.stuck)
}

// patience bounds the system calls of one Flush. In copy mode sending takes
// one for each wakeBatch descriptors, and one more for each frame that the
// device dropped. So what is fresh sets the bound, and a little of what was
// left before: a device that takes nothing now costs one call a Flush, not one
// a descriptor.
type patience struct{ stops, drops int }

func newPatience(fresh int) patience {
	return patience{stops: fresh / wakeBatch, drops: fresh + wakeBatch}
}

// again says whether to wake the kernel again after this answer.
func (p *patience) again(answer sys.Wake) bool {
	switch answer {
	case sys.WakeAgain:
		p.stops--
		return p.stops >= 0
	case sys.WakeDropped:
		p.drops--
		return p.drops >= 0
	default:
		return false
	}
}
