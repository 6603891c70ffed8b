package rtnl

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Every message that a real kernel sent decodes without an error, and those of
// the kinds named give what the commands of their capture (see capture_test.go)
// mean. With -update it captures them anew, first.
func TestDecodeCaptured(t *testing.T) {
	tested := map[string]bool{}
	for _, tt := range []struct {
		name  string
		kinds string // of Object that want holds; all of them are compared
		want  []Event
	}{
		{"route-change", "Route", wantRouteChange},
		{"route-types", "Route", wantRouteTypes},
		{"route-attributes", "Route", wantRouteAttributes},
		{"next-hops", "NextHop", wantNextHops},
		{"next-hop-routes", "NextHop Route", wantNextHopRoutes},
		{"rules", "Rule", wantRules},
		{"neighbors", "Neighbor", wantNeighbors},
		{"addresses", "Address", wantAddresses},
		{"links", "Link", wantLinks},
		{"netconf", "Netconf Link", wantNetconf},
		{"dump", "dumped Link Neighbor NextHop Rule Netconf", wantDump},
		{"dump-legs-down", "dumped Route", wantDumpLegsDown},
	} {
		tested[tt.name] = true
		t.Run(tt.name, func(t *testing.T) {
			i := slices.IndexFunc(captures, func(c capture) bool { return c.name == tt.name })
			if *update {
				captures[i].write(t)
			}
			got := events(t, captures[i], tt.kinds)
			if strings.HasPrefix(tt.kinds, "dumped") { // neighbors are in an order of chance
				sortByText(got)
				sortByText(tt.want)
			}
			for i := range max(len(got), len(tt.want)) {
				switch {
				case i >= len(got):
					t.Errorf("event %d is missing, want %s", i, show(tt.want[i]))
				case i >= len(tt.want):
					t.Errorf("event %d is %s, want none", i, show(got[i]))
				case !reflect.DeepEqual(got[i], tt.want[i]):
					t.Errorf("event %d is\n%s, want\n%s", i, show(got[i]), show(tt.want[i]))
				}
			}
		})
	}
	for _, c := range captures {
		if !tested[c.name] {
			t.Errorf("nothing tests the capture %s", c.name)
		}
	}
}

// events decodes a capture and keeps the kinds named, or if these begin with
// "dumped" those of dumps only.
func events(t *testing.T, c capture, kinds string) (kept []Event) {
	kinds, dumped := strings.CutPrefix(kinds, "dumped")
	for _, m := range c.read(t) {
		if m.Header.Type < unix.RTM_BASE || dumped && m.Header.Flags&netlink.Multi == 0 {
			continue
		}
		e, err := Decode(m)
		if err != nil {
			t.Fatal(err)
		}
		kind := strings.TrimPrefix(fmt.Sprintf("%T", e.Object), "*rtnl.")
		if strings.Contains(" "+kinds+" ", " "+kind+" ") {
			kept = append(kept, e)
		}
	}
	return kept
}

func sortByText(events []Event) {
	slices.SortFunc(events, func(a, b Event) int { return strings.Compare(show(a), show(b)) })
}

func show(e Event) string { return fmt.Sprintf("%v %T%+v", e.Deleted, e.Object, e.Object) }
