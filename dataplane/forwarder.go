package dataplane

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp"
)

// NewFIB returns a FIB without a route: every packet is the kernel's.
func NewFIB() *FIB {
	return newFIB(fib.New())
}

// NewLimitedFIB is NewFIB with a table that may take that many MiB of address
// space, half of it for moving into.
func NewLimitedFIB(mib int) (*FIB, error) {
	t, err := fib.NewOf(mib << 20 / 8)
	if err != nil {
		return nil, err
	}
	return newFIB(t), nil
}

func newFIB(t *fib.Table) *FIB {
	return &FIB{Routes: t, Groups: fib.NewGroups(), Adjacencies: newAdjacencies()}
}

// PortConfig is a network device to forward through.
type PortConfig struct {
	ID      PortID
	Name    string
	Ifindex int
	MAC     [6]byte
	MTU     int  // bytes, the device's
	Passing bool // leave what arrives here to the kernel until SetPassing
}

// Config is what a Forwarder is made of.
type Config struct {
	Ports   []PortConfig // those that exist, in the order of their IDs
	Backend string       // one of Backends
	XDPMode string       // one of XDPModes
	Bind    string       // one of BindModes
	Workers int          // 0: as many as the smallest queue count and the allowed processors give
	Log     *slog.Logger
}

// Forwarder owns the XDP programs, sockets and workers of a set of ports. It
// is made by Open for the ports that exist then; another set needs another
// Forwarder.
//
// All methods may be called by any goroutine. Close ends it: no other may run
// then or later, because it takes the memory away that they read.
type Forwarder struct {
	log      *slog.Logger
	steering *xdp.Steering
	ports    []*port
	workers  []*Worker
	punter   *punter

	partial chan PortID // see probe
	failed  chan error
	done    sync.WaitGroup // workers
	cancel  []func() error // what Close undoes, last first
	last    *Stats         // what Stats gives after Close
}

// port is an open port.
type port struct {
	PortConfig
	queues   int // to receive on, each with a socket
	sends    int // to send by: the first of them
	program  *xdp.Program
	sockets  []portSocket
	zeroCopy bool
}

// portSocket finds a socket of a port.
type portSocket struct {
	backend xdp.Backend
	socket  int
}

// Open attaches to every port and starts forwarding by f. Addresses in local
// are left to the kernel from the first packet on. If anything fails, all of
// it is undone: the kernel forwards as before.
func Open(cfg Config, f *FIB, local []netip.Addr) (_ *Forwarder, err error) {
	modes, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	fw := &Forwarder{log: cfg.Log, partial: make(chan PortID, 8), failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, fw.Close())
		}
	}()
	if err := fw.measure(cfg.Ports); err != nil {
		return nil, err
	}
	cpus, err := allowedCPUs()
	if err != nil {
		return nil, err
	}
	workers, err := fw.countWorkers(cfg.Workers, len(cpus))
	if err != nil {
		return nil, err
	}
	if err := fw.attach(modes.attach, workers, local); err != nil {
		return nil, err
	}
	if err := fw.openWorkers(modes, f, workers); err != nil {
		return nil, err
	}
	return fw, fw.start(cpus)
}

// undo has Close call f, before what was registered earlier.
func (fw *Forwarder) undo(f func() error) { fw.cancel = append(fw.cancel, f) }

// measure asks every port for its queues.
func (fw *Forwarder) measure(ports []PortConfig) error {
	if len(ports) == 0 {
		return errors.New("open the forwarder: no ports")
	}
	for _, cfg := range ports {
		rx, tx, err := xdp.Queues(cfg.Name)
		if err != nil {
			return &PortError{cfg, err}
		}
		fw.ports = append(fw.ports, &port{PortConfig: cfg, queues: rx, sends: tx})
	}
	return nil
}

// countWorkers decides how many workers there are: at most the smallest queue
// count, so that each can receive from and send to every port, and at most the
// processors that it may use, because workers that share one are ruinous.
func (fw *Forwarder) countWorkers(want, cpus int) (int, error) {
	most, limit := cpus, "the number of processors that fwd6 may use"
	for _, p := range fw.ports {
		if p.queues < most {
			most, limit = p.queues, "the number of queues that port "+p.Name+" receives on"
		}
		if p.sends < most {
			most, limit = p.sends, "the number of queues that port "+p.Name+" sends by"
		}
	}
	switch {
	case want == 0:
		return most, nil
	case want < 0 || want > most:
		return 0, fmt.Errorf("--workers %d: must be at least 1 and at most %d, %s", want, most, limit)
	}
	return want, nil
}

// attach loads the XDP program on every port. It passes everything to the
// kernel until start.
func (fw *Forwarder) attach(mode xdp.AttachMode, workers int, local []netip.Addr) error {
	var err error
	if fw.steering, err = xdp.NewSteering(workers); err != nil {
		return err
	}
	fw.undo(fw.steering.Close)
	for _, addr := range local {
		if err := fw.steering.AddLocal(addr); err != nil {
			return err
		}
	}
	for _, p := range fw.ports {
		p.program, err = fw.steering.Attach(xdp.PortConfig{
			Ifindex: p.Ifindex, Name: p.Name, MAC: p.MAC, Mode: mode, MultiBuffer: multiBuffer(fw.ports),
		})
		if err != nil {
			return &PortError{p.PortConfig, err}
		}
		fw.undo(p.program.Close)
		if why := p.program.FellBack(); why != nil {
			fw.log.Warn("native XDP refused, using generic mode, which is slow", "port", p.Name, "cause", why)
		}
		if why := p.program.MissesVLAN(); why != nil {
			fw.log.Warn("VLAN tags may go unseen", "port", p.Name, "cause", why)
		}
	}
	return nil
}

// Sizes of a chunk of UMEM, and what the kernel leaves of it for a frame.
const (
	smallChunk   = 2048
	largeChunk   = 4096
	chunkReserve = 256 // XDP_PACKET_HEADROOM
	linkOverhead = ethernetLen + 4
)

// longestFrame is the length of the longest frame that any of the ports takes.
func longestFrame(ports []*port) int {
	n := 0
	for _, p := range ports {
		n = max(n, p.MTU+linkOverhead)
	}
	return n
}

// chunkSize is the smallest chunk that holds a frame of any port, or else the
// larger one.
func chunkSize(ports []*port) int {
	if longestFrame(ports) <= smallChunk-chunkReserve {
		return smallChunk
	}
	return largeChunk
}

// multiBuffer says whether frames may be longer than a chunk.
func multiBuffer(ports []*port) bool { return longestFrame(ports) > largeChunk-chunkReserve }

// openWorkers opens every socket and makes the workers that own them.
func (fw *Forwarder) openWorkers(m modes, f *FIB, workers int) error {
	injector, err := xdp.NewInjector(fw.steering)
	if err != nil {
		return err
	}
	fw.undo(injector.Close)
	fw.punter = newPunter(injector, fw.log)
	for w := range workers {
		if err := fw.openWorker(m, f, w, workers); err != nil {
			return err
		}
	}
	return nil
}

// openWorker opens the queues q of every port with q mod workers = w.
func (fw *Forwarder) openWorker(m modes, f *FIB, w, workers int) error {
	var queues []xdp.Queue
	var owners []*port
	for _, p := range fw.ports {
		for q := w; q < p.queues; q += workers {
			queues = append(queues, xdp.Queue{Ifindex: p.Ifindex, Port: p.Name, Queue: q})
			owners = append(owners, p)
		}
	}
	backend, err := m.open(xdp.SocketConfig{
		Bind: m.bind, RingSize: ringSize(fw.ports), ChunkSize: chunkSize(fw.ports), MultiBuffer: multiBuffer(fw.ports),
	}, queues)
	if err != nil {
		return err
	}
	fw.undo(backend.Close)
	if cause := backend.CopyCause(); cause != nil {
		fw.log.Info("zero-copy refused, the kernel copies frames", "worker", w, "cause", cause)
	}

	ids := make([]PortID, len(owners))
	for s, p := range owners {
		ids[s] = p.ID
		p.zeroCopy = backend.ZeroCopy(s)
		p.sockets = append(p.sockets, portSocket{backend, s})
		if err := p.program.Steer(queues[s].Queue, backend.FD(s), w); err != nil {
			return fmt.Errorf("port %s: %w", p.Name, err)
		}
	}
	worker := NewWorker(f, backend, ids, fw.ifindexes())
	fw.undo(func() error { worker.reader.Close(); return nil })
	for s, p := range owners {
		if queues[s].Queue >= p.sends {
			worker.receiveOnly(s)
		}
	}
	worker.punts = fw.punter.queue(longestFrame(fw.ports))
	worker.beat = fw.steering.Heartbeat(w)
	worker.failed, worker.partial = fw.failed, fw.partial
	fw.workers = append(fw.workers, worker)
	return nil
}

// ifindexes lists the ports' devices by PortID, 0 for absent ones.
func (fw *Forwarder) ifindexes() []int {
	all := make([]int, fw.ports[len(fw.ports)-1].ID+1)
	for _, p := range fw.ports {
		all[p.ID] = p.Ifindex
	}
	return all
}

// start runs the workers and, when they run, lets packets through to them.
func (fw *Forwarder) start(cpus []int) error {
	makeRoom(len(fw.workers))
	fw.punter.start()
	fw.undo(fw.keepStats)
	fw.undo(fw.punter.stop)
	started := make(chan struct{})
	for i, w := range fw.workers {
		cpu := cpus[len(cpus)-1-i] // the first one has the machine's other work
		fw.done.Go(func() {
			if err := pin(cpu); err != nil {
				fw.log.Warn("worker runs like any other thread", "worker", i, "cause", err)
			}
			started <- struct{}{}
			w.run()
		})
	}
	for range fw.workers {
		<-started
	}
	go fw.adviseOnChecksums()
	fw.undo(fw.stopWorkers)
	for _, p := range fw.ports {
		if err := p.program.SetPassing(p.Passing); err != nil {
			return fmt.Errorf("port %s: %w", p.Name, err)
		}
	}
	return nil
}

// stopWorkers leaves new packets to the kernel and returns when those that had
// been received are sent.
func (fw *Forwarder) stopWorkers() error {
	var errs []error
	for _, p := range fw.ports {
		if err := p.program.SetPassing(true); err != nil {
			errs = append(errs, fmt.Errorf("port %s: %w", p.Name, err))
		}
	}
	time.Sleep(time.Millisecond) // a packet that was being steered reaches its ring
	for _, w := range fw.workers {
		w.stop.Store(true)
	}
	fw.done.Wait()
	close(fw.partial)
	return errors.Join(errs...)
}

// Close leaves all traffic to the kernel, lets the workers finish what they
// have received, and detaches.
func (fw *Forwarder) Close() error {
	var errs []error
	for len(fw.cancel) > 0 {
		last := len(fw.cancel) - 1
		errs = append(errs, fw.cancel[last]())
		fw.cancel = fw.cancel[:last]
	}
	return errors.Join(errs...)
}

// Failed delivers an error when a socket is beyond use, mostly because its
// device is gone. The other sockets go on.
func (fw *Forwarder) Failed() <-chan error { return fw.failed }

// Workers is how many there are.
func (fw *Forwarder) Workers() int { return len(fw.workers) }

// SetLocal adds addr to the addresses left to the kernel, or takes it away.
func (fw *Forwarder) SetLocal(addr netip.Addr, local bool) error {
	if local {
		return fw.steering.AddLocal(addr)
	}
	return fw.steering.RemoveLocal(addr)
}

// Quiesce returns when every worker has finished the batch that it was at, or
// false after a second if one of them has not: then it may still use what it
// read before.
func (fw *Forwarder) Quiesce() bool {
	deadline := time.Now().Add(time.Second)
	for _, w := range fw.workers {
		for seen := w.beat.Load(); w.beat.Load() == seen; time.Sleep(50 * time.Microsecond) {
			if time.Now().After(deadline) {
				return false
			}
		}
	}
	return true
}
