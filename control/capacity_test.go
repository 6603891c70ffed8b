package control

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/fib"
)

// Without room for an adjacency or a group the packets go to the kernel, and
// the route works as soon as there is room.
func TestNoRoom(t *testing.T) {
	fillGroups := func(w *world) (free func()) {
		content, err := fib.NewGroup([]fib.Leg{{NextHop: 1, Weight: 1}})
		if err != nil {
			t.Fatal(err)
		}
		var ids []fib.GroupID
		for {
			id, err := w.r.fib.Groups.Add(content)
			if err != nil {
				break
			}
			ids = append(ids, id)
		}
		return func() {
			for _, id := range ids {
				w.r.fib.Groups.Remove(id)
			}
			w.r.reclaim()
		}
	}
	fillAdjacencies := func(w *world) (free func()) {
		w.r.adjacencies.limit = int(w.r.adjacencies.next)
		return func() { w.r.adjacencies.limit = dataplane.MaxAdjacencies }
	}
	for name, fill := range map[string]func(*world) func(){"groups": fillGroups, "adjacencies": fillAdjacencies} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.tell(to("::/0", 3, "fe80::1"), to("2001:db8:8::/64", 3, "", metric(256)))
			free := fill(w)
			w.tell(to("2001:db8::/32", 1, "fe80::1"), to("2001:db8:1::/48", 1, "fe80::1"), neighbor(3, "2001:db8:8::5", nudReachable))
			w.goes("2001:db8::1", "punt_route")
			w.goes("2001:db8:1::1", "punt_route")
			w.goes("2001:db8:8::5", "punt_route")
			w.goes("2001::1", "2")
			w.r.feed()
			w.goes("2001:db8::1", "punt_route")
			free()
			w.r.feed()
			w.goes("2001:db8::1", "0")
			w.goes("2001:db8:1::1", "0")
			w.goes("2001:db8:8::5", "2")
			checkBooks(t, w.r, "at the end")
			if n := len(w.r.starving) + len(w.r.refused); n != 0 {
				t.Errorf("%d prefixes still without room", n)
			}
		})
	}
}

// A neighbor, link or object that changes costs one store however many routes
// there are, and a route flap between next hops leaves no groups behind.
func TestSharing(t *testing.T) {
	const routes = 2000
	w := newWorld(t)
	w.tell(&rtnl.NextHop{ID: 1, Leg: by(1, "fe80::1")})
	for i := range routes {
		w.tell(to(fmt.Sprintf("2001:db8:%x::/48", i), 1, "fe80::1"))
		w.tell(to(fmt.Sprintf("2001:db9:%x::/48", i), 0, "", nextHop(1)))
	}
	groups := w.r.fib.Groups.Len()
	if groups > 4 {
		t.Errorf("%d groups for %d routes by one next hop and one object, want at most 4", groups, 2*routes)
	}
	ids := func() (all [2]fib.GroupID) {
		for i, a := range []string{"2001:db8:7::1", "2001:db9:7::1"} {
			all[i] = w.r.fib.Routes.Lookup(fib.AddrFrom(netip.MustParseAddr(a)))
		}
		return all
	}
	before := ids()
	w.tell(neighbor(1, "fe80::1", nudReachable))                       // moved
	w.tell(link(1, func(l *rtnl.Link) { l.Carrier = false }), link(1)) // lost and found
	w.tell(&rtnl.NextHop{ID: 1, Leg: by(2, "fe80::1")})                // elsewhere
	w.tell(link(2, func(l *rtnl.Link) { l.MTU6, l.MAC[5] = 1400, 9 })) // changed
	if after := ids(); after != before {
		t.Errorf("groups of two routes turned from %v to %v", before, after)
	}
	w.goes("2001:db8:7::1", "0")
	w.goes("2001:db9:7::1", "1")

	for flap := range 4 {
		for i := range routes {
			w.tell(to(fmt.Sprintf("2001:db8:%x::/48", i), 1+flap%2, "fe80::1"))
		}
	}
	if n := w.r.fib.Groups.Len(); n > groups {
		t.Errorf("%d groups after flaps, want at most %d", n, groups)
	}
	if n := w.r.fib.Groups.Quarantined(); n > 2*4 {
		t.Errorf("%d groups wait to be freed after 4 flaps, want at most 8", n)
	}
	checkBooks(t, w.r, "at the end")
}

// A number that a worker may still hold is not given to another.
func TestNumbersRest(t *testing.T) {
	w := newWorld(t)
	addr := fib.AddrFrom(netip.MustParseAddr("2001:db8::1"))
	w.tell(to("2001:db8::/32", 1, "fe80::1"))
	group := w.r.fib.Routes.Lookup(addr)
	nextHop := w.r.fib.Groups.Get(group).Select(0)
	w.untell(to("2001:db8::/32", 1, "fe80::1"))
	w.tell(to("2001:db8:1::/48", 2, "fe80::1"), to("2001:db8:2::/48", 3, "fe80::1"))
	if got := w.r.fib.Groups.Get(group).Select(0); got != nextHop {
		t.Errorf("a worker that holds group %d finds next hop %d, want %d", group, got, nextHop)
	}
	if a := w.r.fib.Adjacencies.Get(nextHop); a.Rewrite[1] != 1 {
		t.Errorf("a worker that holds next hop %d finds %+v", nextHop, a)
	}
	w.r.reclaim()
	w.tell(to("2001:db8:3::/48", 3, "fe80::2"))
	if got := w.r.fib.Routes.Lookup(fib.AddrFrom(netip.MustParseAddr("2001:db8:3::1"))); got != group {
		t.Errorf("new group has number %d, want %d, which is free again", got, group)
	}
}

// That memory runs out is said before it has, and once; then prefixes are
// refused, which leaves all traffic to the kernel, until some go.
func TestFIBMemoryRunsOut(t *testing.T) {
	var logged bytes.Buffer
	c := newOffline(Config{})
	c.log = slog.New(slog.NewTextHandler(&logged, nil))
	f, err := dataplane.NewLimitedFIB(1)
	if err != nil {
		t.Fatal(err)
	}
	c.resolver = newResolver(c.mirror, f, c.log, time.Now)
	g, _ := c.resolver.acquireGroup(verdict{found: true, reason: dataplane.PuntRoute})
	key := func(i int) prefixKey {
		return prefixKey{hiAddr(0x2001<<48 | uint64(i)*0x9e3779b1%(1<<30)<<16), 48}
	}
	n := 0
	for ; c.resolver.add(key(n), g); n++ {
		if n%100 == 0 {
			c.tidy()
		}
	}
	if n < 1000 {
		t.Fatalf("full with %d prefixes", n)
	}
	c.tidy()
	if got := strings.Count(logged.String(), "--fib-memory"); got != 1 {
		t.Errorf("warned %d times, want once:\n%s", got, logged.String())
	}
	if len(c.resolver.refused) != 1 { // updateFault looks there
		t.Errorf("%d prefixes refused, want 1", len(c.resolver.refused))
	}
	// A prefix that goes while it is refused is missed no more.
	c.resolver.setTarget(key(n+1), verdict{found: true, reason: dataplane.PuntRoute})
	if _, is := c.resolver.refused[key(n+1)]; !is {
		t.Error("another prefix is not refused")
	}
	c.resolver.setTarget(key(n+1), verdict{})
	if _, is := c.resolver.refused[key(n+1)]; is {
		t.Error("a prefix that has gone is still refused")
	}
	for i := range n {
		f.Routes.Remove(key(i).prefix())
	}
	if !c.resolver.add(key(n), g) {
		t.Error("refused although all others are gone")
	}
	if len(c.resolver.refused) != 0 {
		t.Errorf("%d prefixes refused, want none", len(c.resolver.refused))
	}
}
