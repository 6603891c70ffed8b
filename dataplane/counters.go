package dataplane

import "sync/atomic"

// tally is what one worker counts while it works: plain words that nobody else
// touches.
type tally struct {
	reasons [NumReasons]uint64
	ports   []portTally
}

type portTally struct{ rxPackets, rxBytes, txPackets, txBytes uint64 }

// counters are a worker's tally as the rest of the process sees it. The worker
// publishes now and then, and always before it rests; anyone may load.
type counters struct {
	_       [64]byte // nothing else on the worker's lines
	reasons [NumReasons]atomic.Uint64
	ports   []portCounters
	_       [64]byte
}

type portCounters struct{ rxPackets, rxBytes, txPackets, txBytes atomic.Uint64 }

func newTally(ports int) tally       { return tally{ports: make([]portTally, ports)} }
func newCounters(ports int) counters { return counters{ports: make([]portCounters, ports)} }

// publish shows what t has counted.
func (c *counters) publish(t *tally) {
	for r := range t.reasons {
		show(&c.reasons[r], t.reasons[r])
	}
	for p := range t.ports {
		show(&c.ports[p].rxPackets, t.ports[p].rxPackets)
		show(&c.ports[p].rxBytes, t.ports[p].rxBytes)
		show(&c.ports[p].txPackets, t.ports[p].txPackets)
		show(&c.ports[p].txBytes, t.ports[p].txBytes)
	}
}

// show stores v if it is news: a load costs nothing, a store is an exchange.
func show(c *atomic.Uint64, v uint64) {
	if c.Load() != v {
		c.Store(v)
	}
}

// addTo adds what has been published to s.
func (c *counters) addTo(s *Stats) {
	for r := range c.reasons {
		s.Reasons[r] += c.reasons[r].Load()
	}
	for p := range c.ports {
		from, to := &c.ports[p], &s.Ports[p]
		to.RxPackets += from.rxPackets.Load()
		to.RxBytes += from.rxBytes.Load()
		to.TxPackets += from.txPackets.Load()
		to.TxBytes += from.txBytes.Load()
	}
}
