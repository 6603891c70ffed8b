package xdptest

import (
	"fmt"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// Rings is an xdp.Backend whose rings lie in plain memory: the code of the
// default backend, with the kernel's ends in the hands of the test. Nothing
// moves by itself: a frame is received when it was delivered to an End, and
// leaves when it is collected from one.
//
// The Backend's methods belong to one goroutine, each End to one goroutine,
// which may be another.
type Rings struct {
	*xdp.Shared
	kernel *rings
}

// NewRings makes a Backend of sockets numbered from 0. A RingSize of zero means
// 256, a ChunkSize of zero 2048; cfg.Bind does not matter. It is closed when
// the test ends.
func NewRings(tb testing.TB, cfg xdp.SocketConfig, sockets int) *Rings {
	tb.Helper()
	if cfg.RingSize == 0 {
		cfg.RingSize = 256
	}
	if cfg.ChunkSize == 0 {
		cfg.ChunkSize = 2048
	}
	memory, err := sys.MapUMEM(4 * cfg.RingSize * cfg.ChunkSize * sockets)
	if err != nil {
		tb.Fatal(err)
	}
	k := &rings{memory: memory, chunkSize: cfg.ChunkSize, bell: make(chan struct{}, 1)}
	queues := make([]xdp.Queue, sockets)
	for i := range queues {
		queues[i] = xdp.Queue{Ifindex: i + 1, Port: fmt.Sprintf("port%d", i)}
		k.rings = append(k.rings, xdp.Rings{
			Fill:       sys.NewRing[uint64](cfg.RingSize),
			Completion: sys.NewRing[uint64](cfg.RingSize),
			RX:         sys.NewRing[xdp.Desc](cfg.RingSize),
			TX:         sys.NewRing[xdp.Desc](cfg.RingSize),
		})
		k.ends = append(k.ends, newEnd(k, cfg, k.rings[i]))
	}
	r := &Rings{xdp.NewShared(cfg, memory, queues, k.rings, k), k}
	tb.Cleanup(func() { r.Close() })
	return r
}

// End is the kernel's side of socket s.
func (r *Rings) End(s int) *End { return r.kernel.ends[s] }

// rings is the xdp.Kernel of rings in plain memory.
type rings struct {
	memory    []byte
	chunkSize int
	rings     []xdp.Rings
	ends      []*End
	bell      chan struct{} // holds a ring while something may have been delivered
}

func (k *rings) FD(int) int        { return -1 }
func (k *rings) ZeroCopy(int) bool { return false }

func (k *rings) WakeTransmit(s int) sys.Wake {
	e := k.ends[s]
	e.transmitWakes.Add(1)
	if e.OnWake != nil {
		e.OnWake()
	}
	return sys.Wake(e.answer.Load())
}

func (k *rings) WakeReceive(s int) sys.Wake {
	k.ends[s].receiveWakes.Add(1)
	if sys.Wake(k.ends[s].answer.Load()) == sys.WakeGone {
		return sys.WakeGone
	}
	return sys.WakeDone
}

func (k *rings) Wait(milliseconds int, _ []bool) error {
	for i := range k.rings {
		if rx := k.rings[i].RX; rx.Producer.Load() != rx.Consumer.Load() {
			return nil
		}
	}
	select {
	case <-k.bell:
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
	}
	return nil
}

func (k *rings) Stats(s int) (xdp.SocketStats, error) {
	e := k.ends[s]
	return xdp.SocketStats{
		RxDropped:     e.dropped.Load(),
		RxRingFull:    e.ringFull.Load(),
		FillRingEmpty: e.fillEmpty.Load(),
	}, nil
}

func (k *rings) Close() error {
	m := k.memory
	k.memory = nil
	return sys.Unmap(m)
}

var _ xdp.Backend = (*Rings)(nil)
