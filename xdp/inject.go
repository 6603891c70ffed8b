package xdp

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// Injector hands frames to the kernel as if they had just arrived.
//
// One goroutine at a time may call its methods, on a thread that is in the
// network namespace of the ports.
type Injector struct {
	steering *Steering
	objs     injectObjects
	run      *sys.TestRun
	tail     *sys.Words
}

const (
	// headBytes go with the system call, which takes one page less overhead.
	headBytes = 3072
	// maxInjected bytes can be injected: the kernel grows a buffer to four
	// pages, less overhead.
	maxInjected = 16000
	// tailBytes of them may follow the head: MAX_TAIL in bpf/inject.h.
	tailBytes = 16384
	// ethernetHeader is what the kernel wants at least.
	ethernetHeader = 14
)

// ErrDown matches the error of injecting on a port that is down.
var ErrDown = errors.New("port is down")

// NewInjector loads what injecting needs. It knows from s which ports are in
// generic mode.
func NewInjector(s *Steering) (*Injector, error) {
	in := &Injector{steering: s}
	err := loadInjectObjects(&in.objs, nil)
	if err == nil {
		in.tail, err = sys.MapWords(in.objs.Tail.FD(), tailBytes/8)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load injector: %w", withAdvice(err)), in.Close())
	}
	in.run = sys.NewTestRun(in.objs.Fwd6Inject.FD())
	return in, nil
}

// Inject has the kernel receive a whole Ethernet frame on the link ifindex. It
// is copied and not changed. It takes about 6 µs and allocates only for errors.
//
// An error matches ErrDown if the link is down and ErrGone if it does not exist.
//
// On a port in generic mode the kernel shows the frame to the XDP program once
// more. For the program to let it pass, it arrives with 02:66:77:64:36:00
// ("fwd6") as its source; forwarding and sockets do not look at that.
func (in *Injector) Inject(ifindex int, frame []byte) error {
	if len(frame) < ethernetHeader || len(frame) > maxInjected {
		return fmt.Errorf("inject on interface %d: frame of %d bytes: must be %d to %d",
			ifindex, len(frame), ethernetHeader, maxInjected)
	}
	head := frame
	if len(frame) > headBytes {
		head = frame[:headBytes]
		copy(in.tail.Bytes(), frame[headBytes:])
	}
	cb := [5]uint32{0: uint32(ifindex), 1: uint32(len(frame))} // CB_… in bpf/inject.h
	if in.steering.isGeneric(ifindex) {
		cb[2] = 1
	}
	result, err := in.run.Run(head, cb)
	if err == nil && result == 0 {
		return nil
	}
	if err == nil {
		err = refusal(ifindex, result)
	}
	return fmt.Errorf("inject on interface %d: %w", ifindex, err)
}

// refusal says why the kernel did not take a frame.
func refusal(ifindex int, result int32) error {
	link, err := sys.LinkByIndex(ifindex)
	switch {
	case errors.Is(err, sys.ErrNoLink):
		return ErrGone
	case err == nil && !link.Up:
		return ErrDown
	case result < 0:
		return syscall.Errno(-result)
	}
	return errors.New("kernel dropped the frame (net.core.netdev_max_backlog)")
}

// Close unloads. Twice is fine.
func (in *Injector) Close() error {
	var err error
	if in.tail != nil {
		err = in.tail.Close()
	}
	return errors.Join(err, in.objs.Close())
}
