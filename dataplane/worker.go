package dataplane

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/fwd6/fwd6/dataplane/wire"
	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp"
)

const (
	// spinRounds is how many rounds in a row may find nothing before the
	// worker sleeps: some 50 µs, longer than the gaps of a busy port.
	spinRounds = 1000

	// restMillis bounds a sleep. The XDP program takes a worker that has not
	// shown a heartbeat for 10 ms for dead.
	restMillis = 2

	// publishRounds is how many busy rounds may pass before the counters are
	// shown.
	publishRounds = 64

	ethernetLen = wire.EthernetLen
)

// Worker is a pinned goroutine that owns its share of every port's queues. It
// shares nothing that another worker writes.
type Worker struct {
	backend xdp.Backend
	fib     *FIB
	reader  *fib.Reader
	ports   []workerPort // by PortID
	sockets []workerSocket
	rank    []int // of a socket among its port's, by socket
	punts   *puntQueue
	beat    *atomic.Uint64 // one more each round
	partial chan<- PortID  // takes ports whose senders leave checksums undone, if it can
	failed  chan<- error   // takes an error if it can, and never blocks the worker
	stop    atomic.Bool

	batch  Batch
	count  tally
	shown  counters
	rounds int
}

// workerPort is a port as one worker sees it.
type workerPort struct {
	ifindex int
	sockets []int // those of this worker that send by this port; none if it is absent
	probes  int   // packets still to be looked at by probe
	out     outgoing
}

// workerSocket is a socket and what receiving from it needs.
type workerSocket struct {
	port PortID
	umem []byte
}

// NewWorker makes a worker of a backend whose socket s serves the port
// sockets[s], forwarding by f. ifindexes are the ports' devices by PortID, 0
// for a port that is absent. Nobody reads its heartbeat, its errors and what it
// punts until a Forwarder says who does.
func NewWorker(f *FIB, backend xdp.Backend, sockets []PortID, ifindexes []int) *Worker {
	w := &Worker{
		backend: backend,
		fib:     f,
		reader:  f.Routes.NewReader(),
		ports:   make([]workerPort, len(ifindexes)),
		sockets: make([]workerSocket, len(sockets)),
		rank:    make([]int, len(sockets)),
		punts:   newPuntQueue(nil, smallChunk),
		beat:    new(atomic.Uint64),
		count:   newTally(len(ifindexes)),
		shown:   newCounters(len(ifindexes)),
	}
	for p, ifindex := range ifindexes {
		w.ports[p].ifindex, w.ports[p].probes = ifindex, probePackets
	}
	for s, p := range sockets {
		w.sockets[s] = workerSocket{port: p, umem: backend.Memory(s)}
		w.rank[s] = len(w.ports[p].sockets)
		w.ports[p].sockets = append(w.ports[p].sockets, s)
	}
	return w
}

// receiveOnly has nothing sent by socket s. A device may have fewer queues to
// send by than to receive on: the kernel binds sockets to all of them, and
// never looks at the TX rings of those beyond (xsk_generic_xmit in
// net/xdp/xsk.c), nor says so.
func (w *Worker) receiveOnly(s int) {
	p := &w.ports[w.sockets[s].port]
	p.sockets = slices.DeleteFunc(p.sockets, func(other int) bool { return other == s })
}

// run works until it is told to stop, and then until what has been received is
// sent. A socket that is beyond use is reported, and the others go on.
func (w *Worker) run() {
	defer w.shown.publish(&w.count)
	for idle := 0; ; {
		w.beat.Add(1)
		switch busy := w.Round(); {
		case busy:
			idle = 0
			continue
		case w.stop.Load():
			return
		}
		if idle++; idle < spinRounds {
			continue
		}
		w.shown.publish(&w.count)
		if err := w.backend.Wait(restMillis); err != nil {
			w.report(fmt.Errorf("wait for packets: %w", err))
		}
	}
}

// Round serves every socket once and says whether there was anything to do.
//
// It must not allocate, lock, log or read the clock.
func (w *Worker) Round() (busy bool) {
	for s := range w.sockets {
		busy = w.step(s) || busy
	}
	if err := w.backend.Flush(); err != nil {
		w.report(err)
	}
	if w.rounds++; w.rounds%publishRounds == 0 {
		w.shown.publish(&w.count)
	}
	return busy
}

// report passes an error on, unless one is waiting already.
func (w *Worker) report(err error) {
	select {
	case w.failed <- err:
	default:
	}
}

// step takes one batch from socket s along the straight line.
func (w *Worker) step(s int) bool {
	b := &w.batch
	if w.receive(b, s) == 0 {
		return false
	}
	b.classify()
	if w.ports[b.port].probes > 0 {
		w.probe(b)
	}
	w.reader.Enter() // what is looked up stays what it is until Leave
	b.lookup(w.fib)
	b.rewrite(w.fib)
	w.reader.Leave()
	w.transmit(b)
	return true
}

// receive fills the batch from socket s and returns how many packets it holds.
func (w *Worker) receive(b *Batch, s int) int {
	used := w.backend.Receive(s, b.descs[:])
	if used == 0 {
		return 0
	}
	b.umem, b.from, b.port = w.sockets[s].umem, s, w.sockets[s].port
	b.split(used)
	c := &w.count.ports[b.port]
	c.rxPackets += uint64(b.n)
	for _, d := range b.descs[:used] {
		c.rxBytes += uint64(d.Len)
	}
	c.rxBytes -= uint64(b.n) * ethernetLen
	return b.n
}
