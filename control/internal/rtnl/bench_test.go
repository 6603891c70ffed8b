package rtnl

import (
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// routeMessages are a route with one leg and a multipath of two, as captured.
func routeMessages(tb testing.TB) (one, two netlink.Message) {
	var routes []netlink.Message
	for _, m := range (capture{name: "route-change"}).read(tb) {
		if m.Header.Type == unix.RTM_NEWROUTE {
			routes = append(routes, m)
		}
	}
	return routes[0], routes[2]
}

// The mirror keeps routes, so a route costs one allocation. A multipath has its
// legs in another.
func TestDecodeRouteAllocations(t *testing.T) {
	one, two := routeMessages(t)
	for _, tt := range []struct {
		name    string
		message netlink.Message
		want    float64
	}{
		{"one leg", one, 1},
		{"two legs", two, 2},
	} {
		got := testing.AllocsPerRun(100, func() { sink, _ = Decode(tt.message) })
		if got > tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

var sink Event

func BenchmarkDecodeRoute(b *testing.B) {
	one, two := routeMessages(b)
	for _, bb := range []struct {
		name    string
		message netlink.Message
	}{
		{"legs=1", one},
		{"legs=2", two},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink, _ = Decode(bb.message)
			}
		})
	}
}
