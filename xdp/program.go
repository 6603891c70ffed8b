package xdp

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// PortConfig is a port for the XDP program to be attached to.
type PortConfig struct {
	Ifindex     int
	Name        string // for messages
	MAC         [6]byte
	Mode        AttachMode
	MultiBuffer bool // frames may span chunks; an error if the kernel cannot (5.18)
}

// Program is the XDP program on one port. It holds the port until Close or
// the end of the process, whichever comes first, however the process ends.
//
// Any goroutine may call its methods.
type Program struct {
	cfg      PortConfig
	steering *Steering
	mode     AttachMode
	fellBack error
	frags    bool
	blind    error // see MissesVLAN

	mu        sync.Mutex
	closed    bool
	link      link.Link
	objs      objects
	asking    *ebpf.Program // nil where kernel or driver does not have it
	stripping *sys.StoppedFeatures
	port      *sys.Words // one word, see bpf/sort.h
	queues    *sys.Words // wordsPerLine for each queue, the first is its worker
}

// objects are the maps, and the program that runs everywhere.
type objects struct {
	sortMaps
	Plain *ebpf.Program `ebpf:"fwd6_sort"`
}

// Flags in the port's word, above its MAC.
const (
	portPassing = 1 << 48
	portGeneric = 1 << 49
)

// maxQueues is how many queues a port may have: MAX_QUEUES in bpf/sort.h.
const maxQueues = 1024

// Attach loads the program for one port and attaches it.
//
// The port passes everything to the kernel until SetPassing(false), and each
// queue until it has a socket and a worker that is alive. So that no session
// is cut, call AddLocal for the host's addresses before that.
//
// A port that has another XDP program gives an error matching
// ErrAlreadyAttached that names it, a device that does not exist ErrGone.
func (s *Steering) Attach(cfg PortConfig) (*Program, error) {
	p := &Program{cfg: cfg, steering: s}
	err := p.load()
	if err == nil {
		err = p.attach()
	}
	if err != nil {
		s.setGeneric(cfg.Ifindex, false)
		return nil, errors.Join(fmt.Errorf("attach XDP program to %s: %w", cfg.Name, err), p.free())
	}
	return p, nil
}

// load loads program and maps and sets the port's word.
func (p *Program) load() error {
	err := p.loadObjects(true)
	if err != nil {
		// The kernel may be too old for programs that see frames in pieces.
		whole := p.loadObjects(false)
		if whole != nil {
			return withAdvice(whole)
		}
		if p.cfg.MultiBuffer {
			return fmt.Errorf("frames longer than a chunk: %w by this kernel (Linux 5.18 is needed): %w", ErrNotSupported, err)
		}
	}
	return p.mapPort()
}

// mapPort maps what the program reads about its port, and writes it.
func (p *Program) mapPort() (err error) {
	if p.port, err = sys.MapWords(p.objs.Port.FD(), 1); err != nil {
		return err
	}
	if p.queues, err = sys.MapWords(p.objs.Queues.FD(), maxQueues*wordsPerLine); err != nil {
		return err
	}
	p.port.At(0).Store(macWord(p.cfg.MAC) | portPassing)
	return nil
}

func (p *Program) loadObjects(frags bool) error {
	spec, err := p.steering.spec()
	if err != nil {
		return err
	}
	if !frags {
		spec.Programs[sortProgFwd6Sort].Flags &^= sys.ProgXDPHasFrags
	}
	p.frags = frags
	return spec.LoadAndAssign(&p.objs, &ebpf.CollectionOptions{
		MapReplacements: map[string]*ebpf.Map{
			sortMapHeartbeats: p.steering.heartbeats,
			sortMapLocal:      p.steering.local,
		},
	})
}

// macWord is a MAC as the program compares it: the frame's bytes, loaded as a
// little-endian word.
func macWord(mac [6]byte) (word uint64) {
	for i, b := range mac {
		word |= uint64(b) << (8 * i)
	}
	return word
}

// Mode is how the program is attached: AttachNative or AttachGeneric.
func (p *Program) Mode() AttachMode { return p.mode }

// FellBack is why AttachAuto could not have native mode, or nil.
func (p *Program) FellBack() error { return p.fellBack }

// MissesVLAN is why frames may be steered although they have a VLAN tag, and
// what to do about it, or nil. Such a tag is not among the frame's bytes, and
// this kernel or driver does not tell the program of it.
func (p *Program) MissesVLAN() error { return p.blind }

// errDetached is returned by the methods of a Program after Close.
var errDetached = errors.New("program is detached")

// do runs f unless the program is closed.
func (p *Program) do(action string, f func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := errDetached
	if !p.closed {
		err = f()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", action, p.cfg.Name, err)
	}
	return nil
}

// SetMAC changes the address for which the port's frames must be.
func (p *Program) SetMAC(mac [6]byte) error {
	return p.do("set MAC of", func() error {
		word := p.port.At(0)
		word.Store(word.Load()&(portPassing|portGeneric) | macWord(mac))
		return nil
	})
}

// SetPassing has the program pass everything to the kernel, or sort again.
// Frames already received stay in their rings.
func (p *Program) SetPassing(passing bool) error {
	return p.do("set passing on", func() error {
		if passing {
			p.port.At(0).Or(portPassing)
		} else {
			p.port.At(0).And(^uint64(portPassing))
		}
		return nil
	})
}

// Steer sends what arrives on a queue to the AF_XDP socket fd, which must be
// bound to that queue of that port, as long as worker's heartbeat moves. It
// replaces what the queue had before.
func (p *Program) Steer(queue, fd, worker int) error {
	return p.do(fmt.Sprintf("steer queue %d of", queue), func() error {
		if queue < 0 || queue >= maxQueues {
			return fmt.Errorf("queues beyond %d: %w", maxQueues-1, ErrNotSupported)
		}
		if worker < 0 || worker >= p.steering.workers {
			return fmt.Errorf("no worker %d", worker)
		}
		if err := p.objs.Sockets.Put(uint32(queue), uint32(fd)); err != nil {
			return err
		}
		p.queues.At(queue * wordsPerLine).Store(uint64(worker) + 1)
		return nil
	})
}

// Unsteer leaves what arrives on a queue to the kernel. That nothing was
// steered is no error.
func (p *Program) Unsteer(queue int) error {
	return p.do(fmt.Sprintf("unsteer queue %d of", queue), func() error {
		if queue < 0 || queue >= maxQueues {
			return nil
		}
		p.queues.At(queue * wordsPerLine).Store(0)
		err := p.objs.Sockets.Delete(uint32(queue))
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil // the kernel removes a socket that is closed
		}
		return err
	})
}

// Counters counts the port's frames by verdict since Attach, over all CPUs.
func (p *Program) Counters() (Counters, error) {
	var sum Counters
	err := p.do("read counters of", func() error {
		var perCPU []uint64
		for v := range sum {
			if err := p.objs.Counters.Lookup(uint32(v), &perCPU); err != nil {
				return err
			}
			for _, n := range perCPU {
				sum[v] += n
			}
		}
		return nil
	})
	return sum, err
}

// Close detaches the program: when it returns, the kernel has all the traffic.
// A port whose device is gone closes as well, and closing twice is fine.
func (p *Program) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	err := p.free()
	p.steering.setGeneric(p.cfg.Ifindex, false)
	if err != nil {
		return fmt.Errorf("detach XDP program from %s: %w", p.cfg.Name, err)
	}
	return nil
}

// free releases what there is, the link before what it needs.
func (p *Program) free() error {
	errs := []error{p.restoreTags()}
	if p.link != nil {
		errs = append(errs, p.link.Close())
	}
	for _, words := range []*sys.Words{p.port, p.queues} {
		if words != nil {
			errs = append(errs, words.Close())
		}
	}
	return errors.Join(append(errs, p.objs.Close(), p.objs.Plain.Close(), p.asking.Close())...)
}
