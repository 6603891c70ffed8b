package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
)

// canned answers from its fields, so that no kernel is needed.
type canned struct {
	status    StatusInfo
	stats     dataplane.Stats
	routes    []RouteInfo
	neighbors []NeighborInfo
	err       error // of every question; of Routes after its routes
}

func (c *canned) Status(context.Context) (StatusInfo, error)        { return c.status, c.err }
func (c *canned) Stats(context.Context) (dataplane.Stats, error)    { return c.stats, c.err }
func (c *canned) Neighbors(context.Context) ([]NeighborInfo, error) { return c.neighbors, c.err }
func (c *canned) Routes(_ context.Context, f func(RouteInfo) error) error {
	for _, r := range c.routes {
		if err := f(r); err != nil {
			return err
		}
	}
	return c.err
}

func (c *canned) RouteGet(_ context.Context, addr netip.Addr) (RouteInfo, error) {
	for _, r := range c.routes {
		if r.Dst.Contains(addr) {
			return r, c.err
		}
	}
	return RouteInfo{Reason: dataplane.PuntNoRoute}, c.err
}

// startAPI serves from on a socket of its own and returns the socket's path.
func startAPI(t *testing.T, from answers) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run", "fwd6.sock")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- (&api{from, slog.New(slog.DiscardHandler)}).serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve = %v, want nil once its context ended", err)
		}
	})
	return path
}

func startClient(t *testing.T, from answers) *Client {
	t.Helper()
	c := NewClient(startAPI(t, from))
	t.Cleanup(c.Close)
	return c
}

var (
	aRoute = RouteInfo{
		Dst: netip.MustParsePrefix("2001:db8:1::/48"), Table: 254, Type: "unicast", Protocol: 186, Metric: 20,
		NextHop: 7, Flags: []string{"onlink"}, MTU: 1400, Pref: 3, PrefSrc: netip.MustParseAddr("2001:db8::1"),
		Legs: []LegInfo{{Gateway: netip.MustParseAddr("fe80::1"), Dev: "r0", Weight: 1, MAC: "02:00:00:00:00:aa"}},
	}
	multipath = RouteInfo{
		Dst: netip.MustParsePrefix("::/0"), Table: 100, Type: "unicast", Protocol: 77, Metric: 1024,
		Flags: []string{}, Reason: dataplane.PuntRoute,
		Legs: []LegInfo{
			{Gateway: netip.MustParseAddr("fe80::1"), Dev: "r0", Weight: 1, MAC: "02:00:00:00:00:aa", Flags: []string{}},
			{Dev: "r1", Weight: 3, Reason: dataplane.PuntEgress, Flags: []string{"dead", "linkdown"}},
		},
	}
	linkLocal = RouteInfo{
		Dst: netip.MustParsePrefix("fe80::/64"), Table: 254, Type: "unicast", Protocol: 2, Metric: 256, Flags: []string{},
		Legs: []LegInfo{{Dev: "r0", Weight: 1, Flags: []string{}}, {Dev: "r1", Weight: 1, Flags: []string{}}},
		Pass: xdp.PassLinkLocal, Why: "link-local destination",
	}
	blackhole = RouteInfo{
		Dst: netip.MustParsePrefix("2001:db8:3::1/128"), Table: 255, Type: "blackhole", Protocol: 3,
		Flags: []string{}, Reason: dataplane.PuntRoute,
	}
)

func TestClientGetsWhatTheSourceSays(t *testing.T) {
	source := &canned{
		status: StatusInfo{
			Version: "v1", PID: 7, Started: time.Unix(1700000000, 0).UTC(), Backend: "shared", Workers: 2,
			Ports:  []PortInfo{{Name: "r0", Ifindex: 3, State: "kernel", Why: "link is down", MAC: "02:00:00:00:00:10", MTU: 1500, Queues: 1, XDPMode: "native", ZeroCopy: true}},
			Routes: 1, Groups: 2, Neighbors: 3, FIB: FIBInfo{Used: 41, Free: 42, Reserved: 43, Million: 44, Lookup: "generic"}, Resyncs: 5, Events: 6, Undecoded: 7, Passing: "a rule",
		},
		routes: []RouteInfo{aRoute, multipath, linkLocal, blackhole},
		neighbors: []NeighborInfo{
			{Addr: netip.MustParseAddr("fe80::1"), Dev: "r0", MAC: "02:00:00:00:00:aa", States: []string{"REACHABLE"}, Router: true, Used: true},
			{Addr: netip.MustParseAddr("fe80::2"), Dev: "r1", States: []string{"FAILED"}},
		},
		stats: dataplane.Stats{Ports: []dataplane.PortStats{{
			Name: "r0", RxPackets: 1, RxBytes: 2, TxPackets: 3, TxBytes: 4, RxDropped: 5, Sorted: map[string]uint64{"steered": 6},
		}}},
	}
	for i := range source.stats.Reasons {
		source.stats.Reasons[i] = uint64(100 + i)
	}
	c, ctx := startClient(t, source), context.Background()
	check := func(what string, got any, err error, want any) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %+v, %v, want %+v", what, got, err, want)
		}
	}
	status, err := c.Status(ctx)
	check("Status", status, err, source.status)
	stats, err := c.Stats(ctx)
	check("Stats", stats, err, source.stats)
	neighbors, err := c.Neighbors(ctx)
	check("Neighbors", neighbors, err, source.neighbors)
	route, err := c.RouteGet(ctx, netip.MustParseAddr("2001:db8:1::5"))
	check("RouteGet", route, err, aRoute)
	var routes []RouteInfo
	err = c.Routes(ctx, func(r RouteInfo) error { routes = append(routes, r); return nil })
	check("Routes", routes, err, source.routes)
}

func TestRouteGetWithoutRoute(t *testing.T) {
	c := startClient(t, &canned{})
	r, err := c.RouteGet(context.Background(), netip.MustParseAddr("2001:db8::1"))
	if err != nil || r.Dst.IsValid() || r.Reason != dataplane.PuntNoRoute {
		t.Errorf("RouteGet = %+v, %v, want no Dst and %v", r, err, dataplane.PuntNoRoute)
	}
}

func TestClientGetsErrors(t *testing.T) {
	c, ctx := startClient(t, &canned{routes: []RouteInfo{aRoute}, err: errors.New("netlink is gone")}), context.Background()
	questions := map[string]func() error{
		"Status":    func() error { _, err := c.Status(ctx); return err },
		"Stats":     func() error { _, err := c.Stats(ctx); return err },
		"Neighbors": func() error { _, err := c.Neighbors(ctx); return err },
		"RouteGet":  func() error { _, err := c.RouteGet(ctx, netip.IPv6Loopback()); return err },
		"Routes":    func() error { return c.Routes(ctx, func(RouteInfo) error { return nil }) },
	}
	for name, ask := range questions {
		if err := ask(); err == nil || err.Error() != "netlink is gone" {
			t.Errorf("%s: error %v, want the source's", name, err)
		}
	}
	stop := errors.New("enough")
	if err := c.Routes(ctx, func(RouteInfo) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Routes = %v, want its function's error", err)
	}
}

// A forwarder that ends in the middle of a list must not look like a short list.
func TestRoutesCutOff(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	path := filepath.Join(t.TempDir(), "s")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- (&api{&endless{}, slog.New(slog.DiscardHandler)}).serve(ctx, l) }()
	n := 0
	err = NewClient(path).Routes(context.Background(), func(RouteInfo) error {
		if n++; n == 1000 {
			cancel()
		}
		return nil
	})
	if err == nil {
		t.Error("Routes = nil, want an error: the server went away in between")
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// The same when what arrived before ends with a whole line.
func TestRoutesCutOffAfterLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(aRoute)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})}
	defer server.Close()
	go server.Serve(l)
	n := 0
	err = NewClient(path).Routes(context.Background(), func(RouteInfo) error { n++; return nil })
	if err == nil || n != 1 {
		t.Errorf("Routes = %v after %d routes, want an error after 1", err, n)
	}
}

// endless has routes until its client is gone.
type endless struct{ canned }

func (*endless) Routes(ctx context.Context, f func(RouteInfo) error) error {
	for ctx.Err() == nil {
		if err := f(aRoute); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func TestBadRequests(t *testing.T) {
	path := startAPI(t, &canned{})
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	defer client.CloseIdleConnections()
	tests := []struct {
		method, question string
		status           int
		says             string
	}{
		{"GET", "/route", 400, "the address is missing: ask for /route?addr=2001:db8::1"},
		{"GET", "/route?addr=r0", 400, `\"r0\" is no address: write it like 2001:db8::1`},
		{"GET", "/route?addr=192.0.2.1", 400, "192.0.2.1 is an IPv4 address: the kernel forwards those, ask `ip route get 192.0.2.1`"},
		{"GET", "/route?addr=fe80::1%25r0", 400, `fe80::1%r0 has a zone: leave \"%r0\" away, routes have none`},
		{"GET", "/nonsense", 404, "GET /nonsense means nothing here: GET /status, /stats, /route?addr=ADDRESS, /routes or /neigh"},
		{"POST", "/status", 404, "POST /status means nothing here"},
		{"GET", "/route?addr=2001:db8::1", 200, `"reason":"punt_no_route"`},
		{"GET", "/neigh", 200, "[]"},
		{"GET", "/stats", 200, `"ports":[]`},
	}
	for _, tt := range tests {
		req, err := http.NewRequest(tt.method, "http://fwd6"+tt.question, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.says) {
			t.Errorf("%s %s = %d %s, want %d with %s", tt.method, tt.question, resp.StatusCode, body, tt.status, tt.says)
		}
		if got := resp.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s %s: Content-Type %q, want application/json", tt.method, tt.question, got)
		}
	}
}

func BenchmarkRoutes(b *testing.B) {
	source := &canned{routes: make([]RouteInfo, 1000)}
	for i := range source.routes {
		source.routes[i] = aRoute
	}
	path := filepath.Join(b.TempDir(), "s")
	l, err := listen(path)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go (&api{source, slog.New(slog.DiscardHandler)}).serve(ctx, l)
	c := NewClient(path)
	defer c.Close()
	for b.Loop() {
		if err := c.Routes(ctx, func(RouteInfo) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/route")
}
