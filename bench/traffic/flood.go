package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// Config says what to send, from where, and where it should arrive.
type Config struct {
	From *xdptest.Port // packets come out of this port, so they enter at its peer

	// To counts the packets. It is either behind one router, or From's peer
	// itself: then nothing is forwarded and only the flood's own cost is seen.
	To *xdptest.Port

	Destinations []netip.Addr // used in this order, again and again
	Size         int          // bytes of the Ethernet frame; 0 is MinSize
}

// MinSize and MaxSize bound a frame, in bytes with its Ethernet header. The
// smallest carries a sequence number and nothing else.
const (
	MinSize = ethernetSize + ip6Size + udpSize + sequenceSize
	MaxSize = 3400 // what the kernel's test run takes, on one page
)

// maxCPUs is MAX_CPUS in bpf/flood.c.
const maxCPUs = 256

// Flood is a source and a sink of packets, ready to run as often as one likes.
//
// One goroutine at a time may run it; any goroutine may read Counted.
type Flood struct {
	config  Config
	objects floodObjects
	cpu     int            // where the source runs
	closers []func() error // in the order in which they were opened
	sent    uint64         // sequence number of the last packet of all runs
}

// Open loads both programs and attaches the sink, which must be the only XDP
// program of its port. Close it.
func Open(config Config) (*Flood, error) {
	if config.Size == 0 {
		config.Size = MinSize
	}
	if config.Size < MinSize || config.Size > MaxSize {
		return nil, fmt.Errorf("flood with frames of %d bytes: want %d to %d", config.Size, MinSize, MaxSize)
	}
	if len(config.Destinations) == 0 {
		return nil, errors.New("flood without destinations: give at least one")
	}
	f := &Flood{config: config}
	if err := f.Beside(0); err != nil {
		return nil, err
	}
	for _, step := range []func() error{f.load, f.openEntrance, f.keepReady, f.attachSink} {
		if err := step(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// Close detaches the sink and frees everything. A second Close does nothing.
func (f *Flood) Close() error {
	var errs []error
	for _, undo := range slices.Backward(f.closers) {
		errs = append(errs, undo())
	}
	f.closers = nil
	return errors.Join(errs...)
}

// later notes what Close has to undo.
func (f *Flood) later(undo func() error) { f.closers = append(f.closers, undo) }

// load puts the configuration into the programs and the programs into the
// kernel.
func (f *Flood) load() error {
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("allow memory for BPF: %w", err)
	}
	spec, err := loadFlood()
	if err != nil {
		return err
	}
	if err := f.constants(spec); err != nil {
		return err
	}
	spec.Maps[floodMapDestinations].MaxEntries = uint32(len(f.config.Destinations))
	if err := spec.LoadAndAssign(&f.objects, nil); err != nil {
		return fmt.Errorf("load the flood's programs: %w", err)
	}
	f.later(f.objects.Close)
	keys := make([]uint32, len(f.config.Destinations))
	addresses := make([][16]byte, len(keys))
	for i, a := range f.config.Destinations {
		keys[i], addresses[i] = uint32(i), a.As16()
	}
	if _, err := f.objects.Destinations.BatchUpdate(keys, addresses, nil); err != nil {
		return fmt.Errorf("load %d destinations: %w", len(keys), err)
	}
	return nil
}

// constants fills in what does not change while the programs are loaded.
func (f *Flood) constants(spec *ebpf.CollectionSpec) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count processors: %w", err)
	}
	if cpus > maxCPUs {
		return fmt.Errorf("flood counts on at most %d processors: this machine has %d", maxCPUs, cpus)
	}
	sent, want := f.header(), f.wanted()
	for name, value := range map[string]any{
		floodVarHeader:           sent.words(),
		floodVarHeaderSum:        sent.sum(),
		floodVarEgress:           uint32(f.config.From.Ifindex),
		floodVarDestinationCount: uint32(len(f.config.Destinations)),
		floodVarCpus:             uint32(cpus),
		floodVarWantMacs:         want.words()[0],
		floodVarWantMacsEnd:      uint32(want.words()[1]),
		floodVarWantHopLimit:     want[hopLimitOffset],
		floodVarWantLength:       uint32(f.config.Size),
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("configure the flood: %w", err)
		}
	}
	return nil
}

// gro is the offload without which a veth does not take redirected frames,
// unless it has an XDP program: it makes the port poll. A forwarder that is the
// kernel alone has no program. GRO rather than a program that passes
// everything, because every hardware port has it on; between the two the kernel
// forwards equally fast, to within a tenth.
const gro = "rx-gro"

// openEntrance makes From's peer take redirected frames.
func (f *Flood) openEntrance() error {
	peer := f.config.From.Peer
	was, err := peer.Feature(gro)
	if err != nil {
		return err
	}
	// Asked for in any case: while another's XDP program is attached it is on
	// unasked, and goes with the program.
	if err := peer.SetFeature(gro, true); err != nil {
		return err
	}
	if !was {
		f.later(func() error { return peer.SetFeature(gro, false) })
	}
	return nil
}

// keepReady attaches the source to a device without traffic. A program that is
// attached nowhere gets its place in the kernel's XDP dispatcher anew at each
// test run, and every time the kernel waits some ten milliseconds for a grace
// period.
func (f *Flood) keepReady() error {
	ns, err := xdptest.NewNamespace("flood")
	if err != nil {
		return err
	}
	f.later(ns.Close)
	const loopback = 1
	return f.attach(f.objects.Generate, ns, loopback, link.XDPGenericMode)
}

func (f *Flood) attachSink() error {
	err := f.attach(f.objects.Sink, f.config.To.NS, f.config.To.Ifindex, link.XDPDriverMode)
	if err != nil {
		return fmt.Errorf("attach the sink to %s: %w", f.config.To.Name, err)
	}
	return nil
}

// attach puts a program onto a device until Close.
func (f *Flood) attach(p *ebpf.Program, ns *xdptest.Namespace, ifindex int, mode link.XDPAttachFlags) error {
	return ns.Do(func() error {
		l, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: ifindex, Flags: mode})
		if err != nil {
			return err
		}
		f.later(l.Close)
		return nil
	})
}

// header is the beginning of every frame that is sent.
func (f *Flood) header() header {
	return newHeader(f.config.From.Peer.MAC, f.config.From.MAC, f.config.From.Addr, f.config.Size)
}

// wanted is the same as it should arrive.
func (f *Flood) wanted() header {
	h := f.header()
	if f.config.To != f.config.From.Peer {
		copy(h[:], f.config.To.MAC)
		copy(h[6:], f.config.To.Peer.MAC)
		h[hopLimitOffset]--
	}
	return h
}
