package control

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// asked takes what the kernel is to be asked for.
func (w *world) asked() []rtnl.NeighborKey {
	asks := w.r.asks
	w.r.asks = nil
	return asks
}

func (w *world) wantAsked(when string, want ...rtnl.NeighborKey) {
	w.Helper()
	if got := w.asked(); !slices.Equal(got, want) {
		w.Errorf("%s: asked for %v, want %v", when, got, want)
	}
}

// A gateway is asked for at once, then less and less often while it is wanted.
func TestUnresolvedGateway(t *testing.T) {
	w := newWorld(t)
	gateway := rtnl.NeighborKey{Ifindex: 1, Addr: netip.MustParseAddr("fe80::2")}
	w.wantAsked("no route")
	w.tell(to("2001:db8::/32", 1, "fe80::2"))
	w.wantAsked("route", gateway)
	w.tell(to("2001:db8:1::/48", 1, "fe80::2"))
	w.wantAsked("another route")

	var at []int
	for second := range 200 {
		w.now = modelClock.Add(time.Duration(second) * time.Second)
		w.r.keepFresh()
		if len(w.asked()) > 0 {
			at = append(at, second)
		}
	}
	if want := []int{1, 3, 7, 15, 31, 63, 123, 183}; !slices.Equal(at, want) {
		t.Errorf("asked again after %v s, want %v", at, want)
	}

	w.tell(neighbor(1, "fe80::2", nudReachable))
	w.wantAsked("resolved")
	w.tell(neighbor(1, "fe80::2", nudFailed))
	w.wantAsked("failed", gateway)
	w.untell(to("2001:db8::/32", 1, "fe80::2"), to("2001:db8:1::/48", 1, "fe80::2"))
	w.now = w.now.Add(time.Hour)
	w.r.keepFresh()
	w.wantAsked("not wanted")

	w.tell(to("2001:db8::/32", 4, "fe80::2"))
	w.wantAsked("no port")
	w.tell(to("2001:db8::7/128", 1, ""))
	w.wantAsked("a host that nobody sends to")
}

// A stale neighbor is asked for while packets go to it.
func TestStaleNeighbor(t *testing.T) {
	w := newWorld(t)
	key := rtnl.NeighborKey{Ifindex: 1, Addr: netip.MustParseAddr("fe80::1")}
	w.tell(to("2001:db8::/32", 1, "fe80::1"))
	use := func() { w.r.adjacencies.byKey[key].refresh.used = w.now } // as TakeUsed tells
	step := func() {
		w.now = w.now.Add(refreshEvery)
		w.r.keepFresh()
	}
	use()
	step()
	w.wantAsked("reachable and used")
	w.tell(neighbor(1, "fe80::1", nudStale))
	w.wantAsked("just stale")
	use()
	step()
	w.wantAsked("stale and used", key)
	w.tell(neighbor(1, "fe80::1", nudDelay))
	use()
	step()
	w.wantAsked("being probed")
	w.tell(neighbor(1, "fe80::1", nudStale))
	w.asked()
	for range 3 {
		step()
		w.asked()
	}
	step()
	w.wantAsked("stale and unused for long")
}
