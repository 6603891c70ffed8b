package xdp

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// framesPerSocket times the size of a ring is how many frames a socket brings
// along: all four of its rings can be full at once.
const framesPerSocket = 4

// busyPatience is how long a queue that is held is tried again: a socket that
// was closed, or whose process ended, is unbound asynchronously.
const busyPatience = time.Second

// OpenShared opens a socket on each queue, all over one UMEM, for one worker.
// The fill rings are full when it returns, so the sockets can be entered in an
// XSKMAP at once. It must be called in the network namespace of the ports.
//
// Errors match ErrBusy if another process holds a queue, after trying for one
// second, and ErrNotSupported if kernel or driver cannot do what cfg asks for.
func OpenShared(cfg SocketConfig, queues []Queue) (Backend, error) {
	if err := checkConfig(cfg, queues); err != nil {
		return nil, err
	}
	memory, err := sys.MapUMEM(framesPerSocket * cfg.RingSize * cfg.ChunkSize * len(queues))
	if err != nil {
		return nil, err
	}
	mode := cfg.Bind
	if mode == BindAuto {
		mode = BindZeroCopy
	}
	sockets, err := openSockets(cfg, mode, memory, queues)
	var copyCause error
	if err != nil && cfg.Bind == BindAuto && worthCopying(err) {
		copyCause = err
		sockets, err = openSockets(cfg, BindCopy, memory, queues)
	}
	if err != nil {
		return nil, errors.Join(err, sys.Unmap(memory))
	}
	b := NewShared(cfg, memory, queues, sockets.rings, sockets)
	b.copyCause = copyCause
	return b, nil
}

// checkConfig refuses what the kernel would refuse with less to say.
func checkConfig(cfg SocketConfig, queues []Queue) error {
	switch {
	case len(queues) == 0:
		return errors.New("open sockets: no queue given")
	case cfg.RingSize <= 0 || cfg.RingSize&(cfg.RingSize-1) != 0:
		return fmt.Errorf("open sockets: ring size %d is not a power of two", cfg.RingSize)
	case cfg.ChunkSize != 2048 && cfg.ChunkSize != 4096:
		return fmt.Errorf("open sockets: chunk size %d is neither 2048 nor 4096", cfg.ChunkSize)
	}
	return nil
}

// worthCopying says whether an error of zero-copy may be none in copy mode.
func worthCopying(err error) bool {
	return !errors.Is(err, ErrBusy) && !errors.Is(err, ErrGone) && !errors.Is(err, syscall.EPERM)
}

// openSockets binds a socket to each queue. On error none is left.
func openSockets(cfg SocketConfig, mode BindMode, memory []byte, queues []Queue) (*sockets, error) {
	k := &sockets{memory: memory}
	for _, q := range queues {
		if err := k.open(cfg, mode, q); err != nil {
			k.memory = nil // the caller's still
			return nil, errors.Join(fmt.Errorf("open socket on %s queue %d: %w", q.Port, q.Queue, err), k.Close())
		}
	}
	fds := make([]int, len(k.fds))
	for i, fd := range k.fds {
		fds[i] = int(fd)
	}
	k.poll = sys.NewPollSet(fds)
	return k, nil
}

// open adds a socket on q.
func (k *sockets) open(cfg SocketConfig, mode BindMode, q Queue) error {
	x, err := sys.OpenXSK()
	if err != nil {
		return explain(err)
	}
	first := len(k.fds) == 0
	k.fds = append(k.fds, x)
	k.rings = append(k.rings, Rings{})
	if first {
		if err := x.RegisterUMEM(k.memory, cfg.ChunkSize); err != nil {
			return explain(err)
		}
	}
	if err := x.SetRingSizes(cfg.RingSize); err != nil {
		return explain(err)
	}
	if err := mapRings(&k.rings[len(k.rings)-1], x, cfg.RingSize); err != nil {
		return explain(err)
	}
	x.RaiseSendBuffer(cfg.RingSize * cfg.ChunkSize)
	if first {
		err = bind(x, q, bindFlags(cfg, mode), 0)
	} else {
		err = bind(x, q, sys.BindShared, k.fds[0])
	}
	if err != nil {
		return err
	}
	zeroCopy, err := x.ZeroCopy()
	k.zeroCopy = append(k.zeroCopy, zeroCopy)
	return err
}

func mapRings(r *Rings, x sys.XSK, size int) (err error) {
	if r.Fill, err = sys.MapRing[uint64](x, sys.FillRing, size); err != nil {
		return err
	}
	if r.Completion, err = sys.MapRing[uint64](x, sys.CompletionRing, size); err != nil {
		return err
	}
	if r.RX, err = sys.MapRing[Desc](x, sys.RXRing, size); err != nil {
		return err
	}
	r.TX, err = sys.MapRing[Desc](x, sys.TXRing, size)
	return err
}

func bindFlags(cfg SocketConfig, mode BindMode) uint16 {
	flags := uint16(sys.BindNeedWakeup)
	if mode == BindZeroCopy {
		flags |= sys.BindZeroCopy
	} else {
		flags |= sys.BindCopy
	}
	if cfg.MultiBuffer {
		flags |= sys.BindSG
	}
	return flags
}

// bind ties x to q, and tries again for a while if q is held.
func bind(x sys.XSK, q Queue, flags uint16, owner sys.XSK) error {
	for deadline := time.Now().Add(busyPatience); ; time.Sleep(10 * time.Millisecond) {
		err := x.Bind(q.Ifindex, q.Queue, flags, owner)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EBUSY) && time.Now().Before(deadline):
			continue
		default:
			return explainBind(err, flags)
		}
	}
}
