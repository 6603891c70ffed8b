package control

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

const (
	// afterChange is how long to wait before reading everything again, when a
	// link has changed or an event was ambiguous: more of the kind may come.
	afterChange = 50 * time.Millisecond

	// dumpAgain is how long after a dump the next may follow.
	dumpAgain = time.Second

	// When a dump is complete, the events that tell what happened during it
	// are waited for until none has come for settle, or for settleMost.
	settle     = 5 * time.Millisecond
	settleMost = 100 * time.Millisecond

	// patience is how many disturbed dumps in a row must lack a prefix before
	// it counts as gone, and how many are made before forwarding begins.
	patience = 3
)

// resync is the state of reading everything again. Packets are forwarded all
// the while: a dump goes into a mirror of its own, what was told meanwhile is
// applied to that, and the difference to the mirror in use is published.
//
// The kernel does not dump routes at one moment. If routes are deleted during a
// dump, others may be missing from it; then what it lacks is kept, and the dump
// repeated.
type resync struct {
	synced  bool // the mirror is as good as it gets
	count   uint64
	running bool             // a dump is being made or settles
	again   bool             // wanted while running
	due     <-chan time.Time // when to start the next, or when the current has settled
	dueAt   time.Time
	result  *dump        // of the dump that settles
	since   time.Time    // when it was complete
	replay  []rtnl.Event // told since the dump began
	lacking map[tableKey]int
	rounds  int // dumps disturbed in a row
}

// tableKey names a prefix of one of the two tables.
type tableKey struct {
	local bool
	key   prefixKey
}

// dump is everything the kernel has.
type dump struct {
	mirror *Mirror
	err    error
}

// wantResync has everything read again after delay, or a little later if it has
// just been.
func (c *Controller) wantResync(delay time.Duration) {
	s := &c.resync
	if s.running {
		s.again = true
		return
	}
	if s.synced { // a dump of a full table keeps a processor busy
		delay = max(delay, time.Until(s.since.Add(dumpAgain)))
	}
	if at := time.Now().Add(delay); s.due == nil || at.Before(s.dueAt) {
		s.due, s.dueAt = time.After(delay), at
	}
}

// heard keeps events that a dump under way may not show.
func (s *resync) heard(events []rtnl.Event) {
	if !s.running {
		return
	}
	s.replay = append(s.replay, events...)
	if s.result != nil && time.Since(s.since) < settleMost {
		s.due = time.After(settle)
	}
}

func (c *Controller) startResync() {
	s := &c.resync
	s.running, s.again, s.due, s.result, s.replay = true, false, nil, nil, nil
	k := c.kernel
	k.running.Go(func() {
		m := NewMirror()
		err := m.read(k.dumper)
		k.dumped <- dump{m, err}
	})
}

// dumped notes that a dump is complete. Events from before may still be on
// their way.
func (c *Controller) dumped(d dump) {
	c.resync.result, c.resync.since = &d, time.Now()
	c.resync.due = time.After(settle)
}

// resyncDue starts a dump, or ends the one that has settled.
func (c *Controller) resyncDue() error {
	s := &c.resync
	if s.result == nil {
		c.startResync()
		return nil
	}
	d := *s.result
	replay := s.replay
	s.running, s.due, s.result, s.replay = false, nil, nil, nil
	if d.err != nil {
		c.log.Warn("reading everything from the kernel failed: trying again", "cause", d.err)
		c.wantResync(dumpAgain)
		return nil
	}
	s.count++
	c.adopt(d.mirror, replay)
	return c.synced()
}

// adopt puts fresh in place of the mirror in use.
func (c *Controller) adopt(fresh *Mirror, replay []rtnl.Event) {
	s := &c.resync
	now := time.Now()
	var ignored Change
	for _, e := range replay {
		fresh.Apply(e, now, &ignored)
	}
	s.again = s.again || fresh.doubt != "" && s.synced
	fresh.doubt = ""
	if slices.ContainsFunc(replay, deletesRoute) {
		s.rounds++
		s.lacking = c.mirror.keepLacking(fresh, s.lacking)
		if s.synced || s.rounds < patience {
			s.again = true
		}
	} else {
		s.rounds, s.lacking = 0, nil
	}
	c.mirror.Diff(fresh, &c.change)
	c.mirror, c.resolver.mirror = fresh, fresh
	c.publish()
	if s.again {
		c.wantResync(0)
	}
}

func deletesRoute(e rtnl.Event) bool {
	_, route := e.Object.(*rtnl.Route)
	return route && e.Deleted
}

// synced starts forwarding once the mirror is complete.
func (c *Controller) synced() error {
	s := &c.resync
	if s.synced || s.rounds > 0 && s.rounds < patience {
		return nil
	}
	s.synced = true
	c.publishAll()
	for !c.resolver.fib.Routes.Tidy(math.MaxInt) { // nobody is waiting yet
	}
	c.log.Info("the kernel's routes are read", "prefixes", c.resolver.targets.size, "dumps", s.count)
	c.updateFault()
	return c.ports.start()
}

// keepLacking adds to fresh the routes of prefixes that it lacks and m has,
// except where as many dumps as patience has lacked them. It returns how many
// did; counts is what it returned last.
func (m *Mirror) keepLacking(fresh *Mirror, counts map[tableKey]int) map[tableKey]int {
	lacking := map[tableKey]int{}
	var ignored Change
	for _, t := range []struct {
		old, fresh *routeTable
	}{{&m.local, &fresh.local}, {&m.main, &fresh.main}} {
		for k, routes := range t.old.all() {
			if _, ok := t.fresh.get(k); ok {
				continue
			}
			name := tableKey{t.old == &m.local, k}
			missed := counts[name] + 1
			gone := slices.ContainsFunc(routes, func(r route) bool {
				return r.NextHop != 0 && fresh.nextHops[r.NextHop] == nil
			})
			if missed < patience && !gone {
				lacking[name] = missed
				fresh.setRoutes(t.fresh, k, nil, slices.Clone(routes), &ignored)
			}
		}
	}
	return lacking
}

// read fills m, which must be fresh, by dumps.
func (m *Mirror) read(c *rtnl.Conn) error {
	m.dumping = true
	defer func() { m.dumping = false }()
	now := time.Now()
	var ignored Change
	var errs []error
	kind := func(dump func(func(rtnl.Event) error) error, reset func(fresh *Mirror)) {
		err := dump(func(e rtnl.Event) error {
			if _, restarted := e.Object.(*rtnl.Restart); restarted {
				reset(NewMirror())
				return nil
			}
			m.Apply(e, now, &ignored)
			return nil
		})
		switch {
		case errors.Is(err, rtnl.ErrMalformed):
			m.unreadable = err.Error()
		case err != nil:
			errs = append(errs, err)
		}
	}
	kind(c.DumpLinks, func(f *Mirror) { m.links = f.links })
	kind(c.DumpNetconf, func(*Mirror) {})
	kind(c.DumpRules, func(f *Mirror) { m.rules = f.rules })
	kind(c.DumpAddresses, func(f *Mirror) { m.addresses = f.addresses })
	kind(c.DumpNextHops, func(f *Mirror) { m.nextHops = f.nextHops })
	kind(c.DumpNeighbors, func(f *Mirror) { m.neighbors, m.proxies = f.neighbors, f.proxies })
	for _, table := range []uint32{tableLocal, tableMain} {
		kind(func(each func(rtnl.Event) error) error { return c.DumpRoutes(table, each) }, func(*Mirror) {})
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("read everything: %w", err)
	}
	return nil
}
