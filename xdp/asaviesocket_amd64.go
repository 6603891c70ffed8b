package xdp

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	asavie "github.com/asavie/xdp"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// asavieSocket is a socket of github.com/asavie/xdp with what that package
// leaves to be done:
//
//   - It finds free frames by a linear scan and counts frames as free that are
//     still being read. So it is told of frames, never asked for them.
//   - It does not say which frames were sent. So the completion ring is mapped
//     a second time and read here.
//   - It panics if sending fails for more than lack of room.
//   - It wakes the kernel once for all that is sent, which in copy mode sends
//     32 descriptors.
//   - It leaves its rings mapped, which keeps the queue bound.
type asavieSocket struct {
	lib        *asavie.Socket
	xsk        sys.XSK
	queue      Queue
	ringSize   int
	frames     frames
	completion Consumer[uint64]
	mapped     *sys.Ring[uint64] // of completion
	zeroCopy   bool
	sorter     sorter

	received   []Desc        // received[head:tail] are not yet given to the worker
	head, tail int           //
	queued     []asavie.Desc // transmitted since the last Flush
	filling    []asavie.Desc // scratch of refill
	down       bool          // the port was when last seen
	gone       bool          // beyond use; said so once
}

// peek copies the pieces next received to descs and returns how many. They
// stay until head moves on.
func (s *asavieSocket) peek(descs []Desc) int {
	have := s.tail - s.head
	if have < len(descs) {
		copy(s.received, s.received[s.head:s.tail])
		s.head, s.tail = 0, have
		for _, d := range s.lib.Receive(min(len(descs), len(s.received)) - have) {
			s.received[s.tail] = Desc(d)
			s.tail++
		}
	}
	return copy(descs, s.received[s.head:s.tail])
}

// room is how many more pieces the TX ring will take.
func (s *asavieSocket) room() int {
	if s.gone {
		return 0
	}
	return s.lib.NumFreeTxSlots() - len(s.queued)
}

// unsent says whether anything waits on the TX ring.
func (s *asavieSocket) unsent() bool { return s.lib.NumFreeTxSlots() < s.ringSize }

// send puts what was queued onto the TX ring and has the kernel send. While the
// port is down, frames stay in the queue: to put them onto the ring would be
// to panic again.
func (s *asavieSocket) send() error {
	if s.gone || len(s.queued) == 0 && !s.unsent() {
		return nil
	}
	if s.down {
		if answer := s.xsk.WakeTransmit(); answer == sys.WakeDown || answer == sys.WakeGone {
			return s.woken(answer)
		}
		s.down = false
	}
	fresh := len(s.queued)
	s.publish()
	for p := newPatience(fresh); s.unsent(); {
		answer := s.xsk.WakeTransmit()
		s.frames.reap(&s.completion) // it may be what is full
		if !p.again(answer) {
			return s.woken(answer)
		}
	}
	return nil
}

// publish puts what was queued onto the TX ring, which has room. Transmit wakes
// the kernel too, and panics if it refuses, after the ring has taken all; send
// asks the kernel for the reason.
func (s *asavieSocket) publish() {
	if len(s.queued) == 0 {
		return
	}
	defer func() {
		s.queued = s.queued[:0]
		if p := recover(); p != nil && !strings.HasPrefix(fmt.Sprint(p), "sendto failed") {
			panic(p)
		}
	}()
	s.lib.Transmit(s.queued)
}

// woken takes note of the kernel's answer. It returns an error the first time
// that the socket is found beyond use.
func (s *asavieSocket) woken(answer sys.Wake) error {
	s.down = answer == sys.WakeDown
	if answer != sys.WakeGone || s.gone {
		return nil
	}
	s.gone = true
	return fmt.Errorf("port %s queue %d: %w", s.queue.Port, s.queue.Queue, ErrGone)
}

// refill gives the kernel as many free frames as the fill ring takes.
func (s *asavieSocket) refill() {
	n := min(s.lib.NumFreeFillSlots(), s.frames.free)
	if n == 0 {
		return
	}
	fill := s.filling[:n]
	for i, addr := range s.frames.take(n) {
		fill[i].Addr = addr
	}
	s.lib.Fill(fill)
}

// asavieOpen guards the package's global bind flags, and keeps the search for
// what a failed open left behind from finding what another is opening.
var asavieOpen sync.Mutex

// openAsavieSocket opens a socket on q, and tries again for a while if q is
// held.
func openAsavieSocket(cfg SocketConfig, q Queue) (*asavieSocket, error) {
	for deadline := time.Now().Add(busyPatience); ; time.Sleep(10 * time.Millisecond) {
		lib, err := newAsavieSocket(cfg, q)
		if err == nil {
			return wrapAsavie(lib, cfg, q)
		}
		if !errors.Is(err, ErrBusy) || time.Now().After(deadline) {
			return nil, err
		}
	}
}

// newAsavieSocket opens a socket once.
func newAsavieSocket(cfg SocketConfig, q Queue) (*asavie.Socket, error) {
	asavieOpen.Lock()
	defer asavieOpen.Unlock()
	flags := asavieFlags(cfg)
	asavie.DefaultSocketFlags = flags
	before, err := sys.SocketMappings()
	if err != nil {
		return nil, err
	}
	lib, err := asavie.NewSocket(q.Ifindex, q.Queue, &asavie.SocketOptions{
		NumFrames:              framesPerSocket * cfg.RingSize,
		FrameSize:              cfg.ChunkSize,
		FillRingNumDescs:       cfg.RingSize,
		CompletionRingNumDescs: cfg.RingSize,
		RxRingNumDescs:         cfg.RingSize,
		TxRingNumDescs:         cfg.RingSize,
	})
	if err != nil {
		return nil, errors.Join(asavieError(err, flags), unmapRemains(before))
	}
	return lib, nil
}

// asavieFlags are the bind flags for cfg. Without any, the kernel takes
// zero-copy where the driver has it.
func asavieFlags(cfg SocketConfig) (flags uint16) {
	switch cfg.Bind {
	case BindZeroCopy:
		flags = sys.BindZeroCopy
	case BindCopy:
		flags = sys.BindCopy
	}
	if cfg.MultiBuffer {
		flags |= sys.BindSG
	}
	return flags
}

// unmapRemains unmaps the rings of a socket that failed to open: those that
// were not mapped before, and whose socket is closed.
func unmapRemains(before map[uint64]bool) error {
	now, err := sys.SocketMappings()
	if err != nil {
		return err
	}
	open, err := sys.OpenSockets()
	if err != nil {
		return err
	}
	for inode := range now {
		if !before[inode] && !open[inode] {
			if err := sys.UnmapSocket(inode); err != nil {
				return err
			}
		}
	}
	return nil
}

// asavieError makes an error of github.com/asavie/xdp, which has only the text
// of the system call's, match the system call's, and explains it.
func asavieError(err error, flags uint16) error {
	for _, errno := range []syscall.Errno{
		syscall.EBUSY, syscall.EOPNOTSUPP, errNotSupp, syscall.EAFNOSUPPORT, syscall.ENODEV,
		syscall.EPERM, syscall.ENOBUFS, syscall.EINVAL, syscall.ENOMEM,
	} {
		operation, ok := strings.CutSuffix(err.Error(), ": "+errno.Error())
		switch {
		case ok && strings.Contains(operation, "Bind"):
			return explainBind(errno, flags)
		case ok:
			return fmt.Errorf("%s: %w", operation, explain(errno))
		}
	}
	return err
}

// wrapAsavie takes lib over.
func wrapAsavie(lib *asavie.Socket, cfg SocketConfig, q Queue) (*asavieSocket, error) {
	s := &asavieSocket{
		lib:      lib,
		xsk:      sys.XSK(lib.FD()),
		queue:    q,
		ringSize: cfg.RingSize,
		received: make([]Desc, cfg.RingSize),
		queued:   make([]asavie.Desc, 0, cfg.RingSize),
		filling:  make([]asavie.Desc, cfg.RingSize),
	}
	sys.CloseOnExec(lib.FD())
	s.xsk.RaiseSendBuffer(cfg.RingSize * cfg.ChunkSize)
	size := framesPerSocket * cfg.RingSize * cfg.ChunkSize
	s.frames = newFrames(lib.GetFrame(asavie.Desc{Len: uint32(size)}), cfg.ChunkSize)
	var err error
	if s.zeroCopy, err = s.xsk.ZeroCopy(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if s.mapped, err = sys.MapRing[uint64](s.xsk, sys.CompletionRing, cfg.RingSize); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.completion = NewConsumer(s.mapped)
	return s, nil
}

// close closes the socket and unmaps its rings, ours and the package's.
func (s *asavieSocket) close() error {
	inode, err := sys.Inode(int(s.xsk))
	if err != nil {
		return err
	}
	return errors.Join(s.mapped.Unmap(), s.lib.Close(), sys.UnmapSocket(inode))
}
