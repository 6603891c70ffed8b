package dataplane

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/fwd6/fwd6/xdp"
)

// punter is the goroutine that hands punted frames back to the kernel, on the
// interface on which they arrived. One serves all workers: the kernel takes
// some 6 µs for each, and what comes faster than that is no traffic to keep.
type punter struct {
	injector *xdp.Injector
	log      *slog.Logger
	bell     chan struct{}
	queues   []*puntQueue
	refused  atomic.Uint64 // frames that the kernel did not take
	quit     chan struct{}
	done     sync.WaitGroup
}

func newPunter(injector *xdp.Injector, log *slog.Logger) *punter {
	return &punter{injector: injector, log: log, bell: make(chan struct{}, 1), quit: make(chan struct{})}
}

// queue makes the queue of one more worker. Not after start.
func (p *punter) queue(frameSize int) *puntQueue {
	q := newPuntQueue(p.bell, frameSize)
	p.queues = append(p.queues, q)
	return q
}

func (p *punter) start() {
	p.done.Go(func() {
		for {
			select {
			case <-p.bell:
				p.drain()
			case <-p.quit:
				p.drain()
				return
			}
		}
	})
}

// stop returns when everything that was pushed has been handed over.
func (p *punter) stop() error {
	close(p.quit)
	p.done.Wait()
	return nil
}

func (p *punter) drain() {
	for _, q := range p.queues {
		q.drain(p.inject)
	}
}

func (p *punter) inject(ifindex int, frame []byte) {
	if err := p.injector.Inject(ifindex, frame); err != nil {
		// A device that is down or gone takes nothing, nor would it have
		// taken the packet from its driver.
		p.refused.Add(1)
		p.log.Debug("kernel did not take a packet back", "ifindex", ifindex, "cause", err)
	}
}

// addTo counts what the kernel refused. Those frames are counted by the reason
// for punting them, too.
func (p *punter) addTo(s *Stats) { s.Reasons[DropPuntError] += p.refused.Load() }
