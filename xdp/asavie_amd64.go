package xdp

import (
	"errors"
	"fmt"
	"sync"

	asavie "github.com/asavie/xdp"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// OpenAsavie opens a socket on each queue with github.com/asavie/xdp, for one
// worker: the portable Backend, in which every socket has its own UMEM and a
// frame is copied once on its way from one to another. It is for ports that
// cannot share one UMEM: on kernels before 5.10, and where only some drivers
// have zero-copy. Otherwise it is as OpenShared, errors included.
func OpenAsavie(cfg SocketConfig, queues []Queue) (Backend, error) {
	if err := checkConfig(cfg, queues); err != nil {
		return nil, err
	}
	b := &copying{multiBuffer: cfg.MultiBuffer, stuck: make([]bool, len(queues))}
	fds := make([]int, len(queues))
	for i, q := range queues {
		s, err := openAsavieSocket(cfg, q)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open socket on %s queue %d: %w", q.Port, q.Queue, err), b.Close())
		}
		b.sockets = append(b.sockets, s)
		fds[i] = int(s.xsk)
		if cfg.Bind == BindAuto && !s.zeroCopy && b.copyCause == nil {
			b.copyCause = fmt.Errorf("%s: zero-copy is %w by this driver", q.Port, ErrNotSupported)
		}
	}
	b.poll = sys.NewPollSet(fds)
	for _, s := range b.sockets {
		s.refill()
	}
	return b, nil
}

// copying is the Backend over sockets of github.com/asavie/xdp.
type copying struct {
	sockets     []*asavieSocket
	multiBuffer bool
	poll        *sys.PollSet
	stuck       []bool
	copyCause   error

	mu     sync.Mutex // guards closed: Stats may come from any goroutine
	closed bool
}

// Memory implements Backend.
func (b *copying) Memory(s int) []byte { return b.sockets[s].frames.memory }

// Receive implements Backend.
func (b *copying) Receive(s int, descs []Desc) int {
	sock := b.sockets[s]
	n := sock.peek(descs)
	if n == 0 {
		return 0
	}
	keep, drop := n, 0
	if b.multiBuffer {
		keep, drop = sock.sorter.sort(descs[:n])
	}
	sock.frames.put(descs[:drop])
	sock.head += keep + drop
	return keep
}

// Transmit implements Backend. A frame that stays on its socket is not copied.
func (b *copying) Transmit(s, from int, descs []Desc) int {
	out, in := b.sockets[s], b.sockets[from]
	n := min(len(descs), out.room())
	if out != in {
		n = min(n, out.frames.free)
	}
	if n < len(descs) {
		n = wholeFrames(descs[:n])
	}
	for _, d := range descs[:n] {
		if out != in {
			d = out.frames.clone(d, &in.frames)
		}
		out.queued = append(out.queued, asavie.Desc(d))
	}
	if out != in {
		in.frames.put(descs[:n])
	}
	return n
}

// clone copies the piece d of another UMEM to a free frame.
func (f *frames) clone(d Desc, from *frames) Desc {
	piece := from.memory[d.Addr : d.Addr+uint64(d.Len)]
	d.Addr = f.take(1)[0] | d.Addr&^f.mask
	copy(f.memory[d.Addr:], piece)
	return d
}

// Free implements Backend.
func (b *copying) Free(from int, descs []Desc) { b.sockets[from].frames.put(descs) }

// Flush implements Backend.
func (b *copying) Flush() error {
	var gone error
	for _, s := range b.sockets {
		if err := s.send(); err != nil {
			gone = errors.Join(gone, err)
		}
		s.frames.reap(&s.completion)
		s.refill()
	}
	return gone
}

// Wait implements Backend.
func (b *copying) Wait(milliseconds int) error {
	for i, s := range b.sockets {
		if s.head < s.tail {
			return nil // received already
		}
		b.poll.WatchTransmit(i, !s.gone && s.unsent())
	}
	return b.poll.Wait(milliseconds)
}

// FD implements Backend.
func (b *copying) FD(s int) int { return int(b.sockets[s].xsk) }

// ZeroCopy implements Backend.
func (b *copying) ZeroCopy(s int) bool { return b.sockets[s].zeroCopy }

// CopyCause implements Backend.
func (b *copying) CopyCause() error { return b.copyCause }

// Stats implements Backend.
func (b *copying) Stats(s int) (SocketStats, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return SocketStats{}, errClosed
	}
	stats, err := socketStats(b.sockets[s].xsk)
	stats.RxDropped += b.sockets[s].sorter.tooLong.Load()
	return stats, err
}

// Close implements Backend.
func (b *copying) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	var errs []error
	for _, s := range b.sockets {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
