package control

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
)

const (
	// reopenAfter is how long to wait for more of the kind when a port has
	// come or gone. The kernel forwards meanwhile.
	reopenAfter = 50 * time.Millisecond

	// After a failure, the next attempt waits for retryOpen, and each further
	// one for twice as long, up to retryOpenMost.
	retryOpen     = 200 * time.Millisecond
	retryOpenMost = 30 * time.Second
)

// supervisor owns the Forwarder: it opens one for the ports that exist, tells
// it what concerns it, and replaces it when the ports outgrow it. It belongs to
// the controller.
type supervisor struct {
	c   *Controller
	log *slog.Logger

	forwarder *dataplane.Forwarder   // nil: the kernel forwards
	opened    []dataplane.PortConfig // its ports, MACs as it knows them
	passing   map[dataplane.PortID]string
	local     map[netip.Addr]struct{} // as the Forwarder knows them

	tried   []dataplane.PortConfig // the ports that were there when last opened
	triedAt time.Time
	ready   bool             // packets have been forwarded
	due     <-chan time.Time // when to open or reopen; nil: no need
	dueAt   time.Time
	why     string
	retry   time.Duration
	retired dataplane.Stats // of Forwarders closed
}

func newSupervisor(c *Controller) supervisor { return supervisor{c: c, log: c.log} }

// check is an error if the ports are wrong as they are now, before anything is
// read or said. Links that cannot be read are for the resync to complain of.
func (s *supervisor) check() error {
	m := NewMirror()
	var ignored Change
	if err := s.c.kernel.dumper.DumpLinks(func(e rtnl.Event) error {
		m.Apply(e, time.Now(), &ignored)
		return nil
	}); err != nil {
		return nil
	}
	return checkPorts(s.c.cfg.Ports, m)
}

// start opens the first Forwarder. What is wrong with the ports is an error now.
func (s *supervisor) start() error {
	if err := checkPorts(s.c.cfg.Ports, s.c.mirror); err != nil {
		return err
	}
	return s.open()
}

// open fills the FIB for the ports that exist, but for those in without, and
// lets packets in to it.
func (s *supervisor) open(without ...dataplane.PortID) error {
	s.c.publishAll()
	ports := present(s.c.cfg.Ports, s.c.mirror)
	s.due, s.tried, s.triedAt = nil, slices.Clone(ports), time.Now()
	ports = slices.DeleteFunc(ports, func(p dataplane.PortConfig) bool { return slices.Contains(without, p.ID) })
	egress := map[int]dataplane.PortID{}
	for _, p := range ports {
		egress[p.Ifindex] = p.ID
	}
	s.c.resolver.setPorts(egress)
	if len(ports) == 0 {
		s.log.Warn("no port exists: waiting for one")
		return nil
	}
	passing := s.setPassing(ports)
	s.local = s.c.mirror.localAddrs()
	local := make([]netip.Addr, 0, len(s.local))
	for addr := range s.local {
		local = append(local, addr)
	}
	cfg := s.c.cfg
	f, err := dataplane.Open(dataplane.Config{
		Ports: ports, Backend: cfg.Backend, XDPMode: cfg.XDPMode, Bind: cfg.Bind, Workers: cfg.Workers, Log: s.log,
	}, s.c.resolver.fib, local)
	if err != nil {
		return err
	}
	s.forwarder, s.opened, s.passing = f, ports, passing
	for _, p := range f.Ports() {
		s.log.Info("port opened", "port", cfg.Ports[p.ID], "queues", p.Queues, "xdp", p.XDPMode, "zerocopy", p.ZeroCopy)
	}
	if !s.ready {
		s.ready = true
		if cfg.Ready != nil {
			cfg.Ready()
		}
	}
	return nil
}

// close gives all traffic back to the kernel.
func (s *supervisor) close() error {
	f := s.forwarder
	if f == nil {
		return nil
	}
	s.forwarder, s.opened = nil, nil
	err := f.Close()
	s.retired = addStats(s.retired, f.Stats())
	if s.c.resolver.reclaimable() {
		s.c.resolver.reclaim() // its workers have ended
	}
	return err
}

// schedule has the Forwarder replaced after a while, or sooner if that was
// planned.
func (s *supervisor) schedule(delay time.Duration, why string) {
	if at := time.Now().Add(delay); s.due == nil || at.Before(s.dueAt) {
		s.due, s.dueAt, s.why = time.After(delay), at, why
	}
}

// reopen replaces the Forwarder by one for the ports that exist now.
func (s *supervisor) reopen() {
	s.due = nil
	s.log.Info("opening the ports again; the kernel forwards meanwhile", "cause", s.why)
	if err := s.close(); err != nil {
		s.log.Debug("closing the ports", "cause", err)
	}
	var bad []dataplane.PortID
	err := s.open()
	for failed := new(dataplane.PortError); err != nil && errors.As(err, &failed) && !slices.Contains(bad, failed.ID); {
		// One port must not keep the others from being forwarded through.
		s.log.Error("port cannot be opened: the kernel forwards through it", "cause", err)
		bad = append(bad, failed.ID)
		err = s.open(bad...)
	}
	switch {
	case err != nil:
		s.backOff(err)
	case len(bad) > 0:
		s.backOff(errPortsLeft)
	}
}

// errPortsLeft says that some ports could not be opened, and others could.
var errPortsLeft = errors.New("not all ports are open")

// fail has the Forwarder replaced because it cannot go on. If its device is
// gone, that is told soon and is the better reason.
func (s *supervisor) fail(err error) {
	if s.due == nil {
		s.backOff(err)
	}
}

// backOff schedules the next attempt. What had worked for long is tried again
// soon.
func (s *supervisor) backOff(err error) {
	if time.Since(s.triedAt) > retryOpenMost {
		s.retry = 0
	}
	s.retry = min(max(2*s.retry, retryOpen), retryOpenMost)
	s.log.Error("forwarding failed: trying again", "cause", err, "after", s.retry)
	s.schedule(s.retry, "it failed")
}

// failed is the Forwarder's channel of failures; nil if there is none.
func (s *supervisor) failed() <-chan error {
	if s.forwarder == nil {
		return nil
	}
	return s.forwarder.Failed()
}

// quiesce says whether every worker has let go of what it read before.
func (s *supervisor) quiesce() bool { return s.forwarder == nil || s.forwarder.Quiesce() }

// ifindexes lists the devices of the ports.
func (s *supervisor) ifindexes() []int {
	var all []int
	for _, name := range s.c.cfg.Ports {
		if l := s.c.mirror.linkByName(name); l != nil {
			all = append(all, l.Ifindex)
		}
	}
	return all
}

// follow tells the Forwarder what has changed in the mirror: links, or the
// addresses of this host.
func (s *supervisor) follow(links, local bool) {
	if !s.c.resync.synced {
		return
	}
	if local {
		s.followLocal()
	}
	if !links {
		return
	}
	now := present(s.c.cfg.Ports, s.c.mirror)
	if why := outgrown(s.tried, now); why != "" {
		s.schedule(reopenAfter, why)
	}
	s.followPassing()
	s.followMACs(now)
}

func (s *supervisor) followLocal() {
	if s.forwarder == nil {
		return // open looks for itself
	}
	now := s.c.mirror.localAddrs()
	set := func(addr netip.Addr, local bool) {
		if err := s.forwarder.SetLocal(addr, local); err != nil {
			s.log.Error("address not followed", "address", addr, "local", local, "cause", err)
		}
	}
	for addr := range now {
		if _, was := s.local[addr]; !was {
			set(addr, true)
		}
	}
	for addr := range s.local {
		if _, is := now[addr]; !is {
			set(addr, false)
		}
	}
	s.local = now
}

// whyPassing says why what arrives on a port is not fwd6's to forward; it is
// empty if it is.
func (s *supervisor) whyPassing(p dataplane.PortConfig) string {
	if s.c.fault != "" {
		return s.c.fault
	}
	link := s.c.mirror.links[p.Ifindex]
	if why := linkFault(link); why != "" {
		return why
	}
	if link.MTU > p.MTU {
		return "its MTU has grown beyond what it was opened for" // until it is opened again
	}
	return ""
}

// forwards says whether packets from any port are forwarded.
func (s *supervisor) forwards() bool {
	return slices.ContainsFunc(s.opened, func(p dataplane.PortConfig) bool { return s.passing[p.ID] == "" })
}

// setPassing marks the ports that are to be left to the kernel from the start,
// and returns why.
func (s *supervisor) setPassing(ports []dataplane.PortConfig) map[dataplane.PortID]string {
	passing := map[dataplane.PortID]string{}
	for i, p := range ports {
		why := s.whyPassing(p)
		passing[p.ID], ports[i].Passing = why, why != ""
		if why != "" && s.c.fault == "" {
			s.log.Info("port is left to the kernel", "port", p.Name, "cause", why)
		}
	}
	return passing
}

// followPassing leaves what arrives on a port to the kernel where the kernel
// would not forward it as fwd6 does.
func (s *supervisor) followPassing() {
	for _, p := range s.opened {
		why := s.whyPassing(p)
		was := s.passing[p.ID]
		if why == was {
			continue
		}
		if (why == "") != (was == "") {
			if err := s.forwarder.SetPassing(p.ID, why != ""); err != nil {
				s.log.Debug("port not switched", "port", p.Name, "cause", err)
				continue
			}
		}
		s.passing[p.ID] = why
		switch {
		case s.c.fault != "": // said once for all
		case why != "":
			s.log.Info("port is left to the kernel", "port", p.Name, "cause", why)
		default:
			s.log.Info("port forwards", "port", p.Name)
		}
	}
}

func (s *supervisor) followMACs(now []dataplane.PortConfig) {
	for i, p := range s.opened {
		for _, n := range now {
			if n.ID != p.ID || n.Ifindex != p.Ifindex || n.MAC == p.MAC {
				continue
			}
			if err := s.forwarder.SetMAC(p.ID, n.MAC); err != nil {
				s.log.Error("link-layer address not followed", "port", p.Name, "cause", err)
				continue
			}
			s.opened[i].MAC = n.MAC
		}
	}
}

// stats adds up the counters of all Forwarders there have been.
func (s *supervisor) stats() dataplane.Stats {
	if s.forwarder == nil {
		return addStats(s.retired, dataplane.Stats{})
	}
	return addStats(s.retired, s.forwarder.Stats())
}
