package control

import (
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
)

// newOffline returns a Controller that is connected to nothing.
func newOffline(cfg Config) *Controller {
	log := slog.New(slog.DiscardHandler)
	c := &Controller{
		cfg: cfg, log: log, mirror: NewMirror(), calls: make(chan func()), gone: make(chan struct{}),
		kernel: &kernel{log: log, asked: make(chan request, 1000)},
	}
	c.resolver = newResolver(c.mirror, dataplane.NewFIB(), log, time.Now)
	c.ports = newSupervisor(c)
	c.resync.synced = true
	return c
}

// fullDump is a mirror of what was told.
func fullDump(objects ...rtnl.Object) *Mirror {
	m := NewMirror()
	var ignored Change
	for _, o := range objects {
		m.Apply(rtnl.Event{Object: o}, modelClock, &ignored)
	}
	return m
}

// settled says that a dump is complete and what was told during it is there.
func (c *Controller) settled(m *Mirror) {
	c.dumped(dump{mirror: m})
	if err := c.resyncDue(); err != nil {
		panic(err)
	}
}

// dumping pretends that a dump is under way.
func (c *Controller) dumping() { c.resync.running = true }

// What happened during a dump is applied to it.
func TestEventsDuringDump(t *testing.T) {
	c := newOffline(Config{})
	a, b := to("2001:db8:a::/48", 1, "fe80::1"), to("2001:db8:b::/48", 1, "fe80::1")
	c.apply([]rtnl.Event{{Object: a}})
	c.dumping()
	c.apply([]rtnl.Event{{Object: b}})
	c.settled(fullDump(a))
	for _, r := range []*rtnl.Route{a, b} {
		if _, ok := c.resolver.targets.get(keyOf(r.Dst)); !ok {
			t.Errorf("%v is not in the FIB", r.Dst)
		}
	}
	if c.resync.due != nil || c.resync.count != 1 {
		t.Errorf("dumps = %d, another wanted: %v, want 1 and none", c.resync.count, c.resync.due != nil)
	}

	c.dumping()
	c.settled(fullDump(b)) // a went without a word
	if _, ok := c.resolver.targets.get(keyOf(a.Dst)); ok {
		t.Errorf("%v is still in the FIB", a.Dst)
	}
}

// A dump that deletions disturbed is not believed when it lacks a route, until
// three in a row have lacked it.
func TestDisturbedDump(t *testing.T) {
	c := newOffline(Config{})
	kept, gone := to("2001:db8:a::/48", 1, "fe80::1"), to("2001:db8:b::/48", 1, "fe80::1")
	object := to("2001:db8:c::/48", 0, "", nextHop(5))
	c.apply([]rtnl.Event{{Object: &rtnl.NextHop{ID: 5, Leg: by(1, "fe80::1")}}, {Object: kept}, {Object: gone}, {Object: object}})
	has := func(r *rtnl.Route) bool { _, ok := c.resolver.targets.get(keyOf(r.Dst)); return ok }
	for round := 1; round <= 3; round++ {
		c.dumping()
		c.apply([]rtnl.Event{{Deleted: true, Object: gone}})
		c.settled(fullDump())
		if has(kept) != (round < patience) || has(gone) || has(object) {
			t.Errorf("after dump %d: route lacking %v, deleted %v, without its object %v, want %v, false, false",
				round, has(kept), has(gone), has(object), round < patience)
		}
		if c.resync.due == nil {
			t.Errorf("after dump %d, none is to follow", round)
		}
	}
	c.apply([]rtnl.Event{{Object: kept}})
	c.dumping()
	c.apply([]rtnl.Event{{Deleted: true, Object: gone}})
	c.settled(fullDump())
	c.dumping()
	c.settled(fullDump(kept)) // undisturbed: nothing is doubted any more
	if len(c.resync.lacking) != 0 || c.resync.rounds != 0 {
		t.Errorf("lacking = %v, rounds = %d after a good dump", c.resync.lacking, c.resync.rounds)
	}
}

// What makes the controller read everything again.
func TestResyncReasons(t *testing.T) {
	tests := []struct {
		name string
		do   func(*Controller)
		want bool
	}{
		{"route", func(c *Controller) { c.apply([]rtnl.Event{{Object: to("2001:db8::/32", 1, "fe80::1")}}) }, false},
		{"overflow", func(c *Controller) { c.hear(told{err: rtnl.ErrOverflow}) }, true},
		{"undecodable", func(c *Controller) { c.hear(told{err: rtnl.ErrMalformed}) }, true},
		{"link down", func(c *Controller) {
			c.apply([]rtnl.Event{{Object: link(1, func(l *rtnl.Link) { l.Up = false })}})
		}, true},
		{"link as it was", func(c *Controller) { c.apply([]rtnl.Event{{Object: link(1)}}) }, false},
		{"ambiguous replacement", func(c *Controller) {
			c.apply([]rtnl.Event{
				{Object: to("2001:db8::/64", 1, "")}, {Object: to("2001:db8::/64", 2, "")},
				{Object: to("2001:db8::/64", 3, "", func(r *rtnl.Route) { r.Replace = true })},
			})
		}, true},
		{"one of two alike gone", func(c *Controller) {
			c.mirror.dumping = true
			c.apply([]rtnl.Event{{Object: to("2001:db8::/64", 1, "")}, {Object: to("2001:db8::/64", 1, "")}})
			c.mirror.dumping = false
			c.apply([]rtnl.Event{{Deleted: true, Object: to("2001:db8::/64", 1, "")}})
		}, true},
		{"one told twice gone", func(c *Controller) {
			c.apply([]rtnl.Event{
				{Object: to("2001:db8::/64", 1, "")}, {Object: to("2001:db8::/64", 1, "")},
				{Deleted: true, Object: to("2001:db8::/64", 1, "")},
			})
		}, false},
		{"route at its end", func(c *Controller) {
			c.apply([]rtnl.Event{{Object: to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.HasExpires = true })}})
			c.pollExpiring(time.Now())
		}, true},
		{"route before its end", func(c *Controller) {
			c.apply([]rtnl.Event{{Object: to("2001:db8::/32", 1, "fe80::1", func(r *rtnl.Route) { r.Expires, r.HasExpires = 9, true })}})
			c.pollExpiring(time.Now())
		}, false},
	}
	for _, tt := range tests {
		c := newOffline(Config{})
		c.apply([]rtnl.Event{{Object: link(1)}})
		c.resync.due = nil
		tt.do(c)
		if got := c.resync.due != nil; got != tt.want {
			t.Errorf("%s: everything is read again: %v, want %v", tt.name, got, tt.want)
		}
	}
	if err := newOffline(Config{}).hear(told{err: errors.New("closed")}); err == nil {
		t.Error("a socket of no more use is no error")
	}
}

// Proxies come and go by comparison, because no message tells.
func TestProxies(t *testing.T) {
	c := newOffline(Config{})
	c.apply([]rtnl.Event{{Object: to("2001:db8::/32", 1, "fe80::1")}})
	addr := netip.MustParseAddr("2001:db8::7")
	reason := func() dataplane.Reason { c.publishAll(); return c.resolver.routeTo(addr).Reason }
	if got := reason(); got != dataplane.Forward {
		t.Errorf("reason = %v, want forwarded", got)
	}
	c.applyProxies(proxySet{{Ifindex: 1, Addr: addr}: {}})
	if got := reason(); got != dataplane.PuntRoute {
		t.Errorf("proxied: reason = %v, want punt_route", got)
	}
	c.applyProxies(nil) // not asked for
	if got := reason(); got != dataplane.PuntRoute {
		t.Errorf("not asked for: reason = %v, want punt_route", got)
	}
	c.applyProxies(proxySet{})
	if got := reason(); got != dataplane.Forward {
		t.Errorf("not proxied any more: reason = %v, want forwarded", got)
	}
}
