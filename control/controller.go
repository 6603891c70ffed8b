package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
)

const (
	// coalesce is how long the first of several changes waits for the others.
	coalesce = 2 * time.Millisecond

	// atOnce is how many prefixes are looked at between two other things: some
	// 10 ms.
	atOnce = 2000

	// pollEvery is how often the ports' links are asked for what the kernel
	// does not tell (net.ipv6.conf.DEV.mtu, disable_ipv6), and how often what
	// has become free is collected.
	pollEvery = 250 * time.Millisecond

	// tidyAtOnce is how many prefixes of the FIB are laid out anew between two
	// other things, if that is worth it: some 10 ms.
	tidyAtOnce = 50_000

	// cleanedUp is how often routes that have ended are read again.
	cleanedUp = 5 * time.Second

	// proxiesEvery is how often the addresses are asked for that the kernel
	// answers neighbor solicitations for, which it does not tell either.
	proxiesEvery = 5 * time.Second
)

// DefaultFIB is how many MiB of address space the table may take if nothing else
// is said: enough for some ten million routes.
const DefaultFIB = 256

// Config says what to forward through, and how.
type Config struct {
	Ports   []string // names of devices; all must exist at the start
	Backend string   // one of dataplane.Backends
	XDPMode string   // one of dataplane.XDPModes
	Bind    string   // one of dataplane.BindModes
	Workers int      // 0: as many as queues and processors allow
	Socket  string   // path that questions are answered on; empty: none are
	Version string   // for those who ask
	FIB     int      // MiB of address space for the table; 0: DefaultFIB
	Log     *slog.Logger
	Ready   func() // called once, when packets are being forwarded
}

// Run forwards by the kernel's routes until ctx ends, and returns nil then, or
// why it cannot go on. All that it opens belongs to the network namespace of
// the calling thread.
func Run(ctx context.Context, cfg Config) error {
	c, err := New(cfg)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// Controller is the one goroutine that mirrors the kernel, writes the FIB and
// opens and closes the Forwarder.
//
// Status, Stats, RouteGet, Routes and Neighbors may be called by any goroutine
// while Run runs; they are answered by it, between two changes.
type Controller struct {
	cfg     Config
	log     *slog.Logger
	started time.Time

	mirror   *Mirror
	change   Change // what events changed and the FIB does not show yet
	resolver *resolver
	resync   resync
	ports    supervisor

	kernel *kernel
	calls  chan func()   // questions, to be answered between two changes
	gone   chan struct{} // closed when Run returns

	events       uint64 // applied
	heardPorts   uint64 // how often the kernel told something of a port's link
	stuckReaders uint64 // how often the FIB waited in vain for a worker
	saidFilling  bool   // that the FIB is nearly full
	fault        string // why all packets are left to the kernel; empty: they are not
}

// New connects to the kernel. Call Run next.
func New(cfg Config) (*Controller, error) {
	k, err := openKernel(cfg.Log)
	if err != nil {
		return nil, err
	}
	f, err := dataplane.NewLimitedFIB(cmp.Or(cfg.FIB, DefaultFIB))
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	c := &Controller{
		cfg: cfg, log: cfg.Log, started: time.Now(),
		mirror: NewMirror(),
		kernel: k,
		calls:  make(chan func()),
		gone:   make(chan struct{}),
	}
	c.resolver = newResolver(c.mirror, f, c.log, time.Now)
	c.ports = newSupervisor(c)
	return c, nil
}

// Run does what the function Run does. It must be called once.
func (c *Controller) Run(ctx context.Context) (err error) {
	defer close(c.gone)
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		err = errors.Join(err, c.ports.close(), c.kernel.close())
	}()
	if err := c.ports.check(); err != nil {
		return err
	}
	if err := c.answer(ctx); err != nil {
		return err
	}
	c.kernel.start(ctx)
	c.startResync()
	return c.loop(ctx)
}

// loop takes one thing at a time, whatever comes first.
func (c *Controller) loop(ctx context.Context) error {
	poll, fresh, proxies := time.NewTicker(pollEvery), time.NewTicker(refreshEvery), time.NewTicker(proxiesEvery)
	defer poll.Stop()
	defer fresh.Stop()
	defer proxies.Stop()
	var flush <-chan time.Time
	for {
		if flush == nil && !c.change.empty() {
			flush = time.After(coalesce)
		}
		var err error
		select {
		case <-ctx.Done():
			return nil
		case told := <-c.kernel.told:
			err = c.hear(told)
		case answer := <-c.kernel.answers:
			c.applyLinks(answer)
			c.applyProxies(answer.proxies)
		case <-flush:
			flush = nil
			c.publish()
		case dump := <-c.kernel.dumped:
			c.dumped(dump)
		case <-c.resync.due:
			err = c.resyncDue()
		case <-c.ports.due:
			c.ports.reopen()
		case failure := <-c.ports.failed():
			c.ports.fail(failure)
		case <-poll.C:
			c.poll()
		case <-fresh.C:
			c.resolver.feed()
			c.resolver.keepFresh()
			c.publish()
		case <-proxies.C:
			c.kernel.ask(request{proxies: true})
		case call := <-c.calls:
			call()
		}
		if err != nil {
			return err
		}
	}
}

// hear applies what the kernel told.
func (c *Controller) hear(told told) error {
	c.events += uint64(len(told.events))
	if slices.ContainsFunc(told.events, func(e rtnl.Event) bool {
		l, link := e.Object.(*rtnl.Link)
		return link && slices.Contains(c.ports.ifindexes(), l.Ifindex)
	}) {
		c.heardPorts++
	}
	c.apply(told.events)
	switch {
	case told.err == nil:
	case errors.Is(told.err, rtnl.ErrOverflow):
		c.log.Warn("the kernel told more than could be heard: reading everything again")
		c.wantResync(0)
	case errors.Is(told.err, rtnl.ErrMalformed):
		c.log.Warn("the kernel told what cannot be read: reading everything again", "cause", told.err)
		c.wantResync(0)
	default:
		return fmt.Errorf("listen to the kernel: %w", told.err)
	}
	return nil
}

// apply makes events part of the mirror. What they mean to neighbors in use is
// published at once, all else by publish.
func (c *Controller) apply(events []rtnl.Event) {
	if len(events) == 0 {
		return
	}
	now := time.Now()
	for _, e := range events {
		c.mirror.Apply(e, now, &c.change)
	}
	c.resync.heard(events)
	for ifindex := range c.change.links {
		c.resolver.updateNeighborsOf(ifindex)
	}
	for key := range c.change.neighbors {
		if a := c.resolver.adjacencies.byKey[key]; a != nil {
			c.resolver.updateAdjacency(a)
		}
	}
	if c.change.ask {
		c.change.ask = false
		c.askLinks()
	}
	if c.change.state {
		c.change.state = false
		c.wantResync(afterChange)
	}
	if c.mirror.doubt != "" {
		c.log.Debug("reading everything again", "cause", c.mirror.doubt)
		c.mirror.doubt = ""
		c.wantResync(afterChange)
	}
}

// publish brings FIB and Forwarder in step with the mirror. Of very many
// prefixes it does some, and the rest next time, so that nothing else waits long.
func (c *Controller) publish() {
	c.updateFault()
	if !c.change.empty() {
		links, local := len(c.change.links) > 0, c.change.local
		c.resolver.updateSome(&c.change, atOnce)
		c.change.local, c.change.policy = false, false
		c.updateFault() // the FIB may have refused a prefix
		c.ports.follow(links, local)
	}
	if len(c.resolver.asks) > 0 {
		c.kernel.ask(request{neighbors: c.resolver.asks})
		c.resolver.asks = nil
	}
}

// publishAll publishes until nothing is left.
func (c *Controller) publishAll() {
	for c.publish(); !c.change.empty(); {
		c.publish()
	}
}

// updateFault finds out whether packets can be forwarded by the FIB at all.
func (c *Controller) updateFault() {
	fault := c.mirror.policyFault()
	if fault == "" && len(c.resolver.refused) > 0 {
		fault = fmt.Sprintf("the FIB has no room for %d prefixes", len(c.resolver.refused))
	}
	if fault == "" && c.resolver.fib.Routes.Lost() {
		fault = "the FIB's memory is used up, or a worker has been in the middle of a batch for too long"
	}
	if fault == c.fault || !c.resync.synced {
		return
	}
	c.fault = fault
	if fault != "" {
		c.log.Warn("all packets are left to the kernel", "cause", fault)
	} else {
		c.log.Info("packets are forwarded again")
	}
	c.ports.followPassing()
}

// askLinks asks for the ports' links as they are now.
func (c *Controller) askLinks() {
	c.kernel.ask(request{links: c.ports.ifindexes(), heard: c.heardPorts})
}

// applyLinks applies what was asked for, unless the kernel has told something
// of the ports since then: that may be newer, so it is asked again.
func (c *Controller) applyLinks(a answer) {
	switch {
	case a.heard == c.heardPorts:
		c.apply(a.links)
	case len(a.links) > 0:
		c.askLinks()
	}
}

// poll looks after what time alone changes.
func (c *Controller) poll() {
	c.askLinks()
	if c.resolver.reclaimable() && c.ports.quiesce() {
		c.resolver.reclaim()
	}
	c.tidy()
	c.sayStuck()
	c.pollExpiring(time.Now())
}

// sayStuck says that a worker kept the FIB waiting.
func (c *Controller) sayStuck() {
	if n := c.resolver.fib.Routes.StuckReaders(); n != c.stuckReaders {
		c.stuckReaders = n
		c.log.Warn("a worker did not finish its batch in time: does something else use its processor?", "times", n)
	}
}

// tidy lays the FIB out anew as far as it is worth it, and says in time that its
// memory runs out, once.
func (c *Controller) tidy() {
	table := c.resolver.fib.Routes
	if table.Tidy(tidyAtOnce) && table.NearlyFull() && !c.saidFilling {
		c.saidFilling = true
		c.log.Warn("nine tenths of the FIB's memory are used; when it is full, all packets are left to the kernel: give it more by --fib-memory",
			"prefixes", table.Len())
	}
}

// pollExpiring leaves routes whose time is over to the kernel and has them read
// again: a router advertisement that renews one is not told. Nor is it if the
// route had ended already, which therefore is read again now and then until
// the kernel has cleaned up.
func (c *Controller) pollExpiring(now time.Time) {
	for k := range c.mirror.expiring {
		over, ended := c.mirror.expired(k, now)
		if over {
			mark(&c.change.prefixes, k)
		}
		if over || ended && now.Sub(c.resync.since) > cleanedUp {
			c.wantResync(0)
		}
	}
}

// applyProxies replaces the addresses that the kernel answers for; nil: they
// were not asked for.
func (c *Controller) applyProxies(proxies proxySet) {
	if proxies == nil {
		return
	}
	var events []rtnl.Event
	for key := range c.mirror.proxyKeys() {
		if _, is := proxies[key]; !is {
			events = append(events, rtnl.Event{Deleted: true, Object: proxyOf(key)})
		}
	}
	for key := range proxies {
		events = append(events, rtnl.Event{Object: proxyOf(key)})
	}
	for _, e := range events {
		c.mirror.Apply(e, time.Time{}, &c.change)
	}
}
