package dataplane

import "github.com/fwd6/fwd6/xdp"

// transmit is the only place that acts on reasons: it sends what is still on
// the line, hands punted packets to the kernel's queue, and frees the rest.
func (w *Worker) transmit(b *Batch) {
	for i := range b.n {
		descs := b.pieceDescs(i)
		switch r := b.reason[i]; {
		case r == Forward:
			w.enqueue(b, i, descs)
			continue // counted when it is known whether the ring took it
		case r.Punted() && !w.punts.push(w.ports[b.port].ifindex, b, i):
			w.count.reasons[DropPuntFull]++
		default:
			w.count.reasons[r]++
		}
		b.release(descs...)
	}
	for port := range w.ports {
		w.send(b, PortID(port))
	}
	if b.freed > 0 {
		w.backend.Free(b.from, b.free[:b.freed])
	}
}

// enqueue lines packet i up for its egress port.
func (w *Worker) enqueue(b *Batch, i int, descs []xdp.Desc) {
	out := &w.ports[b.egress[i]].out
	out.n += copy(out.descs[out.n:], descs)
	out.packets++
	out.bytes += uint64(b.length[i])
}

// send puts what was lined up for port onto its TX ring.
func (w *Worker) send(b *Batch, port PortID) {
	p := &w.ports[port]
	out := &p.out
	if out.n == 0 {
		return
	}
	sent, reason := 0, DropTxPort
	if len(p.sockets) > 0 {
		// The queue of the same rank as the one that received: workers with
		// several queues spread what they send as they got it.
		s := p.sockets[w.rank[b.from]%len(p.sockets)]
		sent, reason = w.backend.Transmit(s, b.from, out.descs[:out.n]), DropTxFull
	}
	lost := out.descs[sent:out.n]
	dropped, droppedBytes := frames(lost)
	w.count.reasons[Forward] += out.packets - dropped
	w.count.reasons[reason] += dropped
	c := &w.count.ports[port]
	c.txPackets += out.packets - dropped
	c.txBytes += out.bytes - droppedBytes
	b.release(lost...)
	out.n, out.packets, out.bytes = 0, 0, 0
}

// frames counts the frames that descs make up, and their bytes without the
// Ethernet header.
func frames(descs []xdp.Desc) (n, bytes uint64) {
	for _, d := range descs {
		bytes += uint64(d.Len)
		if d.Options&xdp.DescContinued == 0 {
			n++
		}
	}
	return n, bytes - n*ethernetLen
}

// outgoing is what one batch sends by one port.
type outgoing struct {
	descs   [BatchSize]xdp.Desc
	n       int
	packets uint64
	bytes   uint64 // without Ethernet headers
}
