package dataplane

import (
	"fmt"

	"github.com/fwd6/fwd6/xdp"
)

// SetMAC follows a change of the port's link-layer address.
func (fw *Forwarder) SetMAC(id PortID, mac [6]byte) error {
	return fw.withPort(id, func(p *port) error { return p.program.SetMAC(mac) })
}

// SetPassing leaves all traffic arriving on a port to the kernel, or stops
// that.
func (fw *Forwarder) SetPassing(id PortID, passing bool) error {
	return fw.withPort(id, func(p *port) error { return p.program.SetPassing(passing) })
}

func (fw *Forwarder) withPort(id PortID, do func(*port) error) error {
	for _, p := range fw.ports {
		if p.ID != id {
			continue
		}
		if err := do(p); err != nil {
			return fmt.Errorf("port %s: %w", p.Name, err)
		}
		return nil
	}
	return fmt.Errorf("port %d: not open", id)
}

// PortError says that one port cannot be opened.
type PortError struct {
	PortConfig
	Err error
}

// Error implements error.
func (e *PortError) Error() string { return fmt.Sprintf("port %s: %v", e.Name, e.Err) }

// Unwrap returns why.
func (e *PortError) Unwrap() error { return e.Err }

// PortStatus is how a port is attached.
type PortStatus struct {
	ID       PortID
	Queues   int
	XDPMode  string // "native" or "generic"
	ZeroCopy bool
}

// Ports says how each port is attached.
func (fw *Forwarder) Ports() []PortStatus {
	all := make([]PortStatus, len(fw.ports))
	for i, p := range fw.ports {
		all[i] = PortStatus{ID: p.ID, Queues: p.queues, XDPMode: p.program.Mode().String(), ZeroCopy: p.zeroCopy}
	}
	return all
}

// Stats are counts of packets since the Forwarder was opened.
type Stats struct {
	Reasons [NumReasons]uint64
	Ports   []PortStats
}

// PortStats counts one port's packets; bytes are of IPv6 packets, without
// Ethernet.
type PortStats struct {
	Name                                   string
	RxPackets, RxBytes, TxPackets, TxBytes uint64
	RxDropped                              uint64            // lost before a worker saw them
	Sorted                                 map[string]uint64 // where the XDP program sent them
}

// keepStats keeps the counts for after Close. Nothing is counted any more.
func (fw *Forwarder) keepStats() error {
	last := fw.Stats()
	fw.last = &last
	return nil
}

// Stats adds up what the workers and the kernel have counted, after Close too.
// A port that can no longer be asked (its device is gone) keeps what the
// workers counted.
func (fw *Forwarder) Stats() Stats {
	if fw.last != nil {
		return *fw.last
	}
	byID := Stats{Ports: make([]PortStats, fw.ports[len(fw.ports)-1].ID+1)}
	for _, w := range fw.workers {
		w.shown.addTo(&byID)
	}
	fw.punter.addTo(&byID)
	s := Stats{Reasons: byID.Reasons}
	for _, p := range fw.ports {
		ps := byID.Ports[p.ID]
		ps.Name = p.Name
		for _, k := range p.sockets {
			if kernel, err := k.backend.Stats(k.socket); err == nil {
				ps.RxDropped += kernel.RxDropped + kernel.RxRingFull
			}
		}
		if sorted, err := p.program.Counters(); err == nil {
			ps.Sorted = make(map[string]uint64, len(sorted))
			for v, n := range sorted {
				ps.Sorted[xdp.Verdict(v).String()] = n
			}
		}
		s.Ports = append(s.Ports, ps)
	}
	return s
}
