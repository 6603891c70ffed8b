package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/fib"
)

// ErrEnded matches the error of a question to a Controller whose Run has
// returned.
var ErrEnded = errors.New("fwd6 has ended")

// routesAtOnce is how many routes are listed between two changes: some 0.1 ms.
const routesAtOnce = 256

// answer opens the socket on which questions are answered until ctx ends.
func (c *Controller) answer(ctx context.Context) error {
	if c.cfg.Socket == "" {
		return nil
	}
	l, err := listen(c.cfg.Socket)
	if err != nil {
		return err
	}
	c.kernel.running.Go(func() {
		if err := (&api{from: c, log: c.log}).serve(ctx, l); err != nil {
			c.log.Error("questions are no longer answered", "cause", err)
		}
	})
	return nil
}

// call runs f in the controller's goroutine.
func (c *Controller) call(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case c.calls <- func() { defer close(done); f() }:
		<-done // f does not wait for anything
		return nil
	case <-c.gone:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status returns the state of the forwarder as a whole.
func (c *Controller) Status(ctx context.Context) (info StatusInfo, err error) {
	err = c.call(ctx, func() { info = c.status() })
	return info, err
}

func (c *Controller) status() StatusInfo {
	info := StatusInfo{
		Version: c.cfg.Version, PID: os.Getpid(), Started: c.started, Backend: c.cfg.Backend,
		Ports:     c.ports.info(),
		Routes:    c.resolver.targets.size,
		Groups:    c.resolver.fib.Groups.Len(),
		Neighbors: len(c.mirror.neighbors),
		FIB:       fibInfo(c.resolver.fib.Routes.Stats()),
		Resyncs:   max(c.resync.count, 1) - 1, // the first is none
		Events:    c.events,
		Undecoded: c.kernel.subscription.Undecoded(),
		Passing:   c.passing(),
	}
	if c.ports.forwarder != nil {
		info.Workers = c.ports.forwarder.Workers()
	}
	return info
}

func fibInfo(s fib.Stats) FIBInfo {
	const word = 8
	return FIBInfo{
		Used: word * (s.UsedWords + s.HeadWords), Free: word * (s.FreeWords + s.RetiredWords),
		Reserved: word * s.ReservedWords, Million: s.Forecast(1_000_000), Lookup: fib.Variant(),
	}
}

// passing says why all traffic is left to the kernel; it is empty if some is
// forwarded.
func (c *Controller) passing() string {
	if c.fault == "" && !c.ports.forwards() {
		return "no port forwards"
	}
	return c.fault
}

// info describes every port, in the order of the configuration.
func (s *supervisor) info() []PortInfo {
	all := make([]PortInfo, len(s.c.cfg.Ports))
	for id, name := range s.c.cfg.Ports {
		p := PortInfo{Name: name, State: "absent", Why: "no such device"}
		if l := s.c.mirror.linkByName(name); l != nil {
			p.Ifindex, p.MAC, p.MTU = l.Ifindex, net.HardwareAddr(l.MAC[:]).String(), l.MTU
			p.State, p.Why = "kernel", "not open"
			if err := checkPort(name, l); err != nil {
				p.Why = err.Error()
			}
		}
		all[id] = p
	}
	for _, p := range s.opened {
		all[p.ID].State, all[p.ID].Why = "forwarding", ""
		if why := s.passing[p.ID]; why != "" {
			all[p.ID].State, all[p.ID].Why = "kernel", why
		}
	}
	if s.forwarder != nil {
		for _, p := range s.forwarder.Ports() {
			i := &all[p.ID]
			i.Queues, i.XDPMode, i.ZeroCopy = p.Queues, p.XDPMode, p.ZeroCopy
		}
	}
	return all
}

// Stats adds up all packets since the Controller was made. Reopening the ports
// does not set it back.
func (c *Controller) Stats(ctx context.Context) (stats dataplane.Stats, err error) {
	err = c.call(ctx, func() { stats = c.ports.stats() })
	return stats, err
}

// addStats returns the sum of a and b. Ports are told apart by name.
func addStats(a, b dataplane.Stats) dataplane.Stats {
	sum := dataplane.Stats{Reasons: a.Reasons}
	for i, n := range b.Reasons {
		sum.Reasons[i] += n
	}
	for _, p := range slices.Concat(a.Ports, b.Ports) {
		i := slices.IndexFunc(sum.Ports, func(s dataplane.PortStats) bool { return s.Name == p.Name })
		if i < 0 {
			i = len(sum.Ports)
			sum.Ports = append(sum.Ports, dataplane.PortStats{Name: p.Name, Sorted: map[string]uint64{}})
		}
		s := &sum.Ports[i]
		s.RxPackets += p.RxPackets
		s.RxBytes += p.RxBytes
		s.TxPackets += p.TxPackets
		s.TxBytes += p.TxBytes
		s.RxDropped += p.RxDropped
		for where, n := range p.Sorted {
			s.Sorted[where] += n
		}
	}
	return sum
}

// Neighbors lists all neighbors by device and address.
func (c *Controller) Neighbors(ctx context.Context) (all []NeighborInfo, err error) {
	err = c.call(ctx, func() { all = c.neighbors() })
	return all, err
}

func (c *Controller) neighbors() []NeighborInfo {
	keys := slices.SortedFunc(maps.Keys(c.mirror.neighbors), func(a, b rtnl.NeighborKey) int {
		if a.Ifindex != b.Ifindex {
			return a.Ifindex - b.Ifindex
		}
		return a.Addr.Compare(b.Addr)
	})
	all := make([]NeighborInfo, 0, len(keys))
	for _, key := range keys {
		n := c.mirror.neighbors[key]
		info := NeighborInfo{
			Addr: n.Addr, Dev: c.mirror.linkName(n.Ifindex), MAC: macOf(n), Router: n.Flags&ntfRouter != 0,
		}
		for _, s := range stateNames {
			if n.State&s.state != 0 {
				info.States = append(info.States, s.name)
			}
		}
		if a := c.resolver.adjacencies.byKey[key]; a != nil {
			info.Used = a.wanted > 0 || inUse(a, c.resolver.now())
		}
		all = append(all, info)
	}
	return all
}

func macOf(n *rtnl.Neighbor) string {
	if n == nil || !n.HasMAC {
		return ""
	}
	return net.HardwareAddr(n.MAC[:]).String()
}

// RouteGet returns the route that packets to addr take. Without one its Reason
// is PuntNoRoute.
func (c *Controller) RouteGet(ctx context.Context, addr netip.Addr) (info RouteInfo, err error) {
	if !addr.Is6() || addr.Zone() != "" {
		return RouteInfo{}, fmt.Errorf("get route of %v: no IPv6 address without a zone", addr)
	}
	err = c.call(ctx, func() {
		info = c.resolver.routeTo(addr)
		info.setPassing(c.passing())
	})
	return info, err
}

// Routes calls f for each route of the FIB in the order of prefixes. Changes
// are made between the calls; a route that comes or goes meanwhile may be told
// or not. It returns f's first error.
func (c *Controller) Routes(ctx context.Context, f func(RouteInfo) error) error {
	var last prefixKey
	for first := true; ; first = false {
		var some []RouteInfo
		err := c.call(ctx, func() {
			some, last = c.resolver.routesAfter(last, first)
			for i := range some {
				some[i].setPassing(c.passing())
			}
		})
		if err != nil {
			return err
		}
		for _, r := range some {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(some) < routesAtOnce {
			return nil
		}
	}
}
