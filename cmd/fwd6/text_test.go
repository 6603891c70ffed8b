package main

import (
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/control"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
)

// testdata holds what iproute2 6.1 said of the same routes and neighbors, as
// text (without blanks at the ends of lines) and as JSON.
func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// decode reads iproute2's JSON, in which nothing may be unknown to us.
func decode[T any](t *testing.T, name string) (values []T) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, name), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func sameLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			t.Errorf("line %d is missing, want %q", i+1, w[i])
		case i >= len(w):
			t.Errorf("line %d is %q, want none", i+1, g[i])
		case g[i] != w[i]:
			t.Errorf("line %d is\n%q, want\n%q", i+1, g[i], w[i])
		}
	}
}

func TestRouteTextIsIproute2s(t *testing.T) {
	var text strings.Builder
	for _, r := range decode[control.RouteInfo](t, "route.json") {
		text.WriteString(routeText(r))
	}
	sameLines(t, text.String(), string(readFile(t, "route.txt")))
}

func TestNeighborTextIsIproute2s(t *testing.T) {
	var text strings.Builder
	if err := printNeighbors(&text, decode[control.NeighborInfo](t, "neigh.json")); err != nil {
		t.Fatal(err)
	}
	sameLines(t, text.String(), string(readFile(t, "neigh.txt")))
}

// All that iproute2 says in JSON, we say with the same keys.
func TestJSONHasIproute2sKeys(t *testing.T) {
	tests := map[string]any{
		"route.json": decode[control.RouteInfo](t, "route.json"),
		"neigh.json": decode[control.NeighborInfo](t, "neigh.json"),
	}
	for name, values := range tests {
		data, err := new(query).encode(values)
		if err != nil {
			t.Fatal(err)
		}
		var got []map[string]any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		want := decode[map[string]any](t, name)
		if len(want) == 0 || len(got) != len(want) {
			t.Fatalf("%s: %d objects, want %d", name, len(got), len(want))
		}
		for i := range want {
			if !covers(got[i], want[i]) {
				t.Errorf("%s: %v, want %v and what is ours", name, got[i], want[i])
			}
		}
	}
}

// ours are the keys that iproute2 has not.
var ours = []string{"reason", "why", "used"}

// covers says whether got is want, but for what is ours.
func covers(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		got = maps.Clone(got)
		maps.DeleteFunc(got, func(key string, _ any) bool { return slices.Contains(ours, key) })
		return maps.EqualFunc(got, want, covers)
	case []any:
		got, _ := got.([]any)
		return slices.EqualFunc(got, want, covers)
	}
	return got == want
}

var (
	route = control.RouteInfo{
		Dst: netip.MustParsePrefix("2001:db8::/32"), Table: 254, Type: "unicast", Protocol: 4, Metric: 1024,
		Legs: []control.LegInfo{{Gateway: netip.MustParseAddr("fe80::1"), Dev: "r0", Weight: 1, MAC: "02:00:00:00:00:aa"}},
	}
	multipath = control.RouteInfo{
		Dst: netip.MustParsePrefix("::/0"), Table: 254, Type: "unicast", Protocol: 4, Metric: 1024,
		Legs: []control.LegInfo{
			{Gateway: netip.MustParseAddr("fe80::1"), Dev: "r0", Weight: 1, MAC: "02:00:00:00:00:aa"},
			{Gateway: netip.MustParseAddr("fe80::2"), Dev: "r1", Weight: 2, Reason: dataplane.PuntNeighbor},
		},
	}
)

func unresolved() control.RouteInfo {
	r := route
	r.Legs = []control.LegInfo{{Gateway: netip.MustParseAddr("fe80::1"), Dev: "r0", Weight: 1, Reason: dataplane.PuntNeighbor}}
	return r
}

func TestRouteTextSaysWhatTheKernelDoes(t *testing.T) {
	sameLines(t, routeText(unresolved())+routeText(multipath),
		`2001:db8::/32 via fe80::1 dev r0 proto static metric 1024 pref medium reason punt_neighbor
default proto static metric 1024 pref medium
	nexthop via fe80::1 dev r0 weight 1
	nexthop via fe80::2 dev r1 weight 2 reason punt_neighbor
`)
}

func TestRouteGetText(t *testing.T) {
	addr := netip.MustParseAddr("2001:db8::5")
	var got strings.Builder
	if err := printMatches(&got, matches{{route, addr}, {unresolved(), addr}, {multipath, addr}}); err != nil {
		t.Fatal(err)
	}
	sameLines(t, got.String(), `2001:db8::5 via fe80::1 dev r0 proto static metric 1024 pref medium
    match 2001:db8::/32 lladdr 02:00:00:00:00:aa: forwarded by fwd6
2001:db8::5 via fe80::1 dev r0 proto static metric 1024 pref medium reason punt_neighbor
    match 2001:db8::/32: left to the kernel: next hop not resolved
2001:db8::5 proto static metric 1024 pref medium
	nexthop via fe80::1 dev r0 weight 1
	nexthop via fe80::2 dev r1 weight 2 reason punt_neighbor
    match default: forwarded by fwd6
`)
}

// What no worker sees has no reason of a worker's.
func TestPassedText(t *testing.T) {
	group, all := multipath, route
	group.Pass, group.Why = xdp.PassMulticast, "multicast"
	all.Pass, all.Why = xdp.PassPassing, "a rule that only the kernel follows: 9: from all lookup 100"
	var got strings.Builder
	if err := printMatches(&got, matches{{group, netip.MustParseAddr("ff0e::1")}, {all, netip.MustParseAddr("2001:db8::5")}}); err != nil {
		t.Fatal(err)
	}
	sameLines(t, got.String(), `ff0e::1 proto static metric 1024 pref medium reason pass_multicast
	nexthop via fe80::1 dev r0 weight 1 reason pass_multicast
	nexthop via fe80::2 dev r1 weight 2 reason pass_multicast
    match default: left to the kernel: multicast
2001:db8::5 via fe80::1 dev r0 proto static metric 1024 pref medium reason pass_passing
    match 2001:db8::/32 lladdr 02:00:00:00:00:aa: left to the kernel, as all traffic is: a rule that only the kernel follows: 9: from all lookup 100
`)
}

func TestNoRoute(t *testing.T) {
	none := control.RouteInfo{Reason: dataplane.PuntNoRoute}
	passing := none
	passing.Pass, passing.Why = xdp.PassPassing, "the kernel does not forward"
	for want, r := range map[string]control.RouteInfo{
		"route get ::5: no route: its packets go to the kernel, which answers that it has none":                                    none,
		"route get ::5: no route in the tables local and main: left to the kernel, as all traffic is: the kernel does not forward": passing,
	} {
		if got := noRoute(netip.MustParseAddr("::5"), r).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRouteGetJSON(t *testing.T) {
	got, err := new(query).encode(matches{{unresolved(), netip.MustParseAddr("2001:db8::5")}})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"dst":"2001:db8::5","gateway":"fe80::1","dev":"r0","protocol":"static","metric":1024,"flags":[],` +
		`"pref":"medium","reason":"punt_neighbor","match":"2001:db8::/32"}]`
	if string(got) != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestNeighborUsed(t *testing.T) {
	got := neighborLine(control.NeighborInfo{Addr: netip.MustParseAddr("fe80::1"), Dev: "r0", States: []string{"FAILED"}, Used: true})
	if want := "fe80::1 dev r0 FAILED used"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRouteFilter(t *testing.T) {
	local := route
	local.Table = 255
	tests := []struct {
		name     string
		table    string
		prefixes []string
		route    control.RouteInfo
		want     bool
	}{
		{"table by name", "main", nil, route, true},
		{"table by number", "254", nil, route, true},
		{"other table", "main", nil, local, false},
		{"other table by number", "4294967295", nil, local, false},
		{"all tables", "all", nil, local, true},
		{"its prefix", "main", []string{"default", "2001:db8::/32"}, route, true},
		{"a shorter prefix", "main", []string{"default"}, route, false},
		{"its prefix, other table", "main", []string{"2001:db8::/32"}, local, false},
	}
	for _, tt := range tests {
		filter, err := newRouteFilter(tt.table, tt.prefixes)
		if got := filter.match(tt.route); err != nil || got != tt.want {
			t.Errorf("%s: match = %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestRouteLists(t *testing.T) {
	tests := []struct {
		name   string
		query  query
		routes []control.RouteInfo
		want   string
	}{
		{"text", query{}, []control.RouteInfo{route}, "2001:db8::/32 via fe80::1 dev r0 proto static metric 1024 pref medium\n"},
		{"no text", query{}, nil, ""},
		{"no JSON", query{json: true}, nil, "[]\n"},
	}
	for _, tt := range tests {
		var b strings.Builder
		p := tt.query.routePrinter(&b)
		for _, r := range tt.routes {
			if err := p.print(r); err != nil {
				t.Fatal(err)
			}
		}
		p.end()
		if b.String() != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, b.String(), tt.want)
		}
	}
	for _, pretty := range []bool{false, true} {
		var b strings.Builder
		p := (&query{json: true, pretty: pretty}).routePrinter(&b)
		p.print(route)
		p.print(multipath)
		p.end()
		var got []control.RouteInfo
		if err := json.Unmarshal([]byte(b.String()), &got); err != nil || len(got) != 2 || got[1].Dst != multipath.Dst {
			t.Errorf("pretty %v: %s: %v, want a JSON array of both routes", pretty, b.String(), err)
		}
		if lines := strings.Count(b.String(), "\n"); lines > 1 != pretty {
			t.Errorf("pretty %v: %d lines", pretty, lines)
		}
	}
}

func TestStatusText(t *testing.T) {
	now := time.Unix(1700000000, 0)
	var got strings.Builder
	err := printStatus(&got, control.StatusInfo{
		Version: "v0.1.0", PID: 4711, Started: now.Add(-3*time.Hour - 12*time.Second), Backend: "shared", Workers: 2,
		Routes: 160123, Groups: 1, Neighbors: 14, FIB: control.FIBInfo{Used: 1_700_000, Free: 20_000, Reserved: 134_000_000, Million: 9_500_000, Lookup: "avx512"}, Events: 16000, Resyncs: 1, Undecoded: 0,
		Passing: "forwarding is off",
		Ports: []control.PortInfo{
			{Name: "r0", State: "forwarding", MAC: "02:00:00:00:00:10", MTU: 1500, Queues: 4, XDPMode: "native", ZeroCopy: true},
			{Name: "wan1", State: "kernel", Why: "the link is down", MAC: "02:00:00:00:00:11", MTU: 9000, Queues: 16, XDPMode: "generic"},
			{Name: "r2", State: "absent", Why: "no such device"},
			{Name: "r3", State: "kernel", Why: "forwarding is off", MAC: "02:00:00:00:00:13", MTU: 1500, Queues: 4, XDPMode: "native"},
		},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	sameLines(t, got.String(), `fwd6 v0.1.0, pid 4711, up 3h0m12s, backend shared, 2 workers
table: 160123 prefixes, 1 next-hop group, 14 neighbors
trie: 1.7 MB used, 20.0 kB free, of 134.0 MB; a million routes more take 9.5 MB; lookups by avx512
netlink: 16000 messages, 1 resync, 0 not understood
ALL TRAFFIC IS LEFT TO THE KERNEL: forwarding is off

PORT  STATE       MAC                 MTU  QUEUES  XDP      FRAMES
r0    forwarding  02:00:00:00:00:10  1500       4  native   zero-copy
wan1  kernel      02:00:00:00:00:11  9000      16  generic  copied     the link is down
r2    absent                                                           no such device
r3    kernel      02:00:00:00:00:13  1500       4  native   copied
`)
}

func TestSize(t *testing.T) {
	for n, want := range map[int]string{999: "999 B", 1148: "1.1 kB", 21_300_000: "21.3 MB", 4_200_000_000: "4.2 GB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestStatsText(t *testing.T) {
	var s control.StatsInfo
	s.Reasons[dataplane.PuntNoRoute] = 12
	s.Ports = []dataplane.PortStats{
		{Name: "r0", RxPackets: 1000000, RxBytes: 48000000, TxPackets: 3, TxBytes: 4, RxDropped: 5,
			Sorted: map[string]uint64{"steered": 1000000, "not_ip6": 17, "multicast": 0}},
		{Name: "r1", Sorted: map[string]uint64{"steered": 3}},
	}
	var got strings.Builder
	if err := printStats(&got, s); err != nil {
		t.Fatal(err)
	}
	sameLines(t, got.String(), `PORT  RX PACKETS  RX BYTES  TX PACKETS  TX BYTES  RX DROPPED
r0       1000000  48000000           3         4           5
r1             0         0           0         0           0

XDP PROGRAM       r0  r1
not_ip6           17   0
steered      1000000   3

REASON         PACKETS
forwarded            0  sent to the next hop
punt_no_route       12  no route to the destination
`)
}
