package control

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// disagreement says how the FIB departs from the kernel for addr; it is empty
// if it does not. Leaving packets to the kernel is no departure; forwarded
// says whether it does better.
func (k *kernelLab) disagreement(addr netip.Addr) (complaint string, forwarded bool) {
	want := k.kernelRouteTo(addr)
	got := k.fibOf(addr)
	all := fmt.Sprintf("%v: FIB says %v, kernel %+v", addr, got, want)
	for _, o := range got {
		switch {
		case o.reason == dataplane.Forward:
			forwarded = true
		case o.reason == dataplane.PuntRoute: // whatever it is
			return "", false
		case (o.reason == dataplane.PuntNoRoute) != (want.typ == 0):
			return all, false
		case (o.reason == dataplane.PuntLocal) != (want.typ == rtnLocal || want.typ == rtnAnycast):
			return all, false
		}
	}
	if !forwarded {
		return "", false
	}
	to := want.gateway
	if !to.IsValid() {
		to = addr
	}
	// The kernel's choice of leg is its own; it must be one of ours.
	for _, o := range got {
		if o.reason != dataplane.Forward && want.typ == rtnUnicast {
			return "", true
		}
		if p := k.ports[o.port]; want.typ == rtnUnicast && p.Ifindex == int(want.ifindex) &&
			slices.Equal(o.mac[:], macFor(p.Ifindex, to)) {
			return "", true
		}
	}
	return all, true
}

// Random routes, objects, neighbors and links in a real kernel: where fwd6
// forwards, it forwards as the kernel would.
func TestAgainstKernel(t *testing.T) {
	k := newKernelLab(t)
	rnd := rand.New(rand.NewPCG(6, 6))
	w := &kernelWalk{kernelLab: k, rnd: rnd}
	for range 40 {
		w.prefixes = append(w.prefixes, randomPrefix(rnd))
	}
	for i := range k.ports {
		w.meet(i)
	}
	asked, forwarded := 0, 0
	for round := range 20 {
		for range 40 {
			w.step()
		}
		// Some changes are only found by a dump, which follows another after a
		// second at the earliest.
		var last []netip.Addr
		k.within(4*time.Second, func() string {
			if last == nil {
				last = w.edges()
			}
			for len(last) > 0 {
				complaint, fwd := k.disagreement(last[0])
				if complaint != "" {
					return fmt.Sprintf("round %d: %s", round, complaint)
				}
				last = last[1:]
				if asked++; fwd {
					forwarded++
				}
			}
			return ""
		})
	}
	t.Logf("%d addresses asked for, %d of them forwarded", asked, forwarded)
	if forwarded < asked/6 {
		t.Errorf("%d of %d addresses are forwarded: the rest is left to the kernel for no reason", forwarded, asked)
	}
}

// kernelWalk does random things to a kernel. It is all the same whether the
// kernel refuses some of them.
type kernelWalk struct {
	*kernelLab
	rnd      *rand.Rand
	prefixes []netip.Prefix
}

func (w *kernelWalk) gateway(port int) netip.Addr {
	a := w.ports[port].Addr.As16()
	a[15] = byte(0x10 + w.rnd.IntN(3))
	return netip.AddrFrom16(a)
}

// meet makes the gateways and some hosts of a port known.
func (w *kernelWalk) meet(port int) {
	p := w.ports[port]
	for i := range 3 {
		a := p.Addr.As16()
		a[15] = byte(0x10 + i)
		w.know(p, netip.AddrFrom16(a))
	}
	for _, prefix := range w.prefixes {
		w.know(p, prefix.Addr().Next())
	}
}

func (w *kernelWalk) know(p *xdptest.Port, a netip.Addr) {
	_ = p.AddNeighbor(a, macFor(p.Ifindex, a))
}

func (w *kernelWalk) route() xdptest.Route {
	r := xdptest.Route{Prefix: pick(w.rnd, w.prefixes), Metric: uint32(100 + w.rnd.IntN(6))}
	if w.rnd.IntN(20) == 0 {
		r.Table = tableLocal
	}
	if w.rnd.IntN(80) == 0 {
		r.Source = fakeSource
	}
	switch w.rnd.IntN(8) {
	case 0:
		r.Type = pick(w.rnd, []uint8{rtnLocal, 6, 7, 8})
		if r.Type == rtnLocal {
			r.Legs = []xdptest.Leg{{Port: &xdptest.Port{Ifindex: 1}}}
			r.Table = tableLocal
		}
		for r.Table == tableLocal && r.Prefix.Bits() < 48 {
			r.Prefix = pick(w.rnd, w.prefixes) // or it would hide nearly everything
		}
	case 1:
		r.Legs = []xdptest.Leg{{Port: pick(w.rnd, w.ports)}}
	default:
		for range 1 + w.rnd.IntN(3)*w.rnd.IntN(2) {
			i := w.rnd.IntN(3)
			r.Legs = append(r.Legs, xdptest.Leg{Via: w.gateway(i), Port: w.ports[i], Weight: 1 + w.rnd.IntN(3)})
		}
	}
	return r
}

func (w *kernelWalk) step() {
	switch w.rnd.IntN(24) {
	case 0, 1, 2, 3, 4, 5:
		_ = w.R.AddRoutes(w.route())
	case 6, 7, 8, 9:
		_ = w.R.ReplaceRoutes(w.route())
	case 10, 11, 12:
		_ = w.R.AppendRoutes(w.route())
	case 13, 14, 15, 16:
		r := w.route()
		r.Legs, r.Type, r.Source = nil, 0, netip.Prefix{}
		_ = w.R.RemoveRoutes(r)
	case 17:
		i := w.rnd.IntN(3)
		_ = w.setObject(uint32(1+w.rnd.IntN(4)), w.ports[i], w.gateway(i))
	case 18:
		_ = w.setObject(uint32(5+w.rnd.IntN(2)), nil, netip.Addr{}, uint32(1+w.rnd.IntN(2)), uint32(3+w.rnd.IntN(2)))
	case 19, 20, 21:
		_ = w.routeByObject(pick(w.rnd, w.prefixes), uint32(1+w.rnd.IntN(6)))
	case 22:
		_ = w.removeObject(uint32(1 + w.rnd.IntN(6)))
	case 23:
		i := w.rnd.IntN(3)
		p := w.ports[i]
		_ = p.SetUp(false)
		if w.rnd.IntN(3) > 0 {
			_ = p.SetUp(true)
			_ = p.AddAddress(netip.PrefixFrom(p.Addr, 64))
			w.meet(i)
		}
	}
}

func (w *kernelWalk) edges() []netip.Addr {
	var all []netip.Addr
	for _, p := range w.prefixes {
		last := keyOf(p).last().Netip()
		all = append(all, p.Addr(), p.Addr().Next(), p.Addr().Prev(), last, last.Next())
	}
	for _, p := range w.ports {
		all = append(all, p.Addr, p.Addr.Next(), p.Peer.Addr)
	}
	return slices.DeleteFunc(all, func(a netip.Addr) bool {
		return !a.IsValid() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.Is4In6()
	})
}

// Changes are in the FIB within 100 ms, most far sooner. On a machine that is
// busy with other things one or two may be late.
func TestReactionTime(t *testing.T) {
	k := newKernelLab(t)
	gateway := k.R1.Addr.Next()
	far := netip.MustParsePrefix("2001:db8:7::/48")
	addr := far.Addr().Next()
	goes := func(want ...string) func() string {
		return func() string {
			var got []string
			for _, o := range k.fibOf(addr) {
				got = append(got, o.reason.String())
			}
			if !slices.Equal(got, want) {
				return fmt.Sprintf("%v goes %v, want %v", addr, got, want)
			}
			return ""
		}
	}
	late := 0
	do := func(name string, err error, want ...string) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		start := time.Now()
		k.within(2*time.Second, goes(want...))
		took := time.Since(start)
		if t.Logf("%s: %v", name, took.Round(100*time.Microsecond)); took > 100*time.Millisecond {
			late++
		}
	}
	do("neighbor", k.R1.AddNeighbor(gateway, k.B0.MAC), "punt_no_route")
	do("route added", k.R.AddRoutes(xdptest.Via(far, k.R1)), "forwarded")
	do("neighbor moved", k.R1.AddNeighbor(gateway, net.HardwareAddr{2, 9, 9, 9, 9, 9}), "forwarded")
	k.within(2*time.Second, func() string {
		if o := k.fibOf(addr)[0]; o.mac != [6]byte{2, 9, 9, 9, 9, 9} {
			return fmt.Sprintf("packets go to %x", o.mac)
		}
		return ""
	})
	do("peer down", k.B0.SetUp(false), "punt_egress")
	do("peer up", k.B0.SetUp(true), "forwarded")
	do("object", k.setObject(7, k.R1, gateway), "forwarded")
	do("route by object", k.routeByObject(far, 7), "forwarded")
	do("object moved", k.setObject(7, k.R0, netip.MustParseAddr("fe80::77")), "punt_neighbor")
	do("object removed", k.removeObject(7), "punt_no_route")
	do("route again", k.R.AddRoutes(xdptest.Via(far, k.R1)), "forwarded")
	do("link down", k.R1.SetUp(false), "punt_no_route")
	if late > 2 {
		t.Errorf("%d changes took more than 100 ms", late)
	}
}

// The questions of the API, answered by a running Controller.
func TestQuestions(t *testing.T) {
	k := newKernelLab(t)
	ctx := context.Background()
	far := netip.MustParsePrefix("2001:db8:7::/48")
	gateway, unknown := k.R1.Addr.Next(), netip.MustParseAddr("fe80::77")
	hosts := []error{
		k.R1.AddNeighbor(gateway, k.B0.MAC), k.R0.AddNeighbor(k.A0.Addr, k.A0.MAC),
		k.R.AddRoutes(xdptest.Via(far, k.R1), xdptest.Route{
			Prefix: netip.MustParsePrefix("2001:db8:8::/48"), Metric: 5,
			Legs: []xdptest.Leg{{Via: gateway, Port: k.R1, Weight: 3}, {Via: unknown, Port: k.R0}},
		}),
	}
	for _, err := range hosts {
		if err != nil {
			t.Fatal(err)
		}
	}
	mac := k.B0.MAC.String()
	plain := func(dst string, metric uint32, legs ...LegInfo) RouteInfo {
		return RouteInfo{Dst: netip.MustParsePrefix(dst), Table: tableMain, Type: "unicast", Protocol: 4, Metric: metric, Legs: legs}
	}
	connected := plain("fd66::/64", 256, LegInfo{Dev: "r0", Weight: 1, MAC: k.A0.MAC.String()})
	connected.Protocol = 2
	tests := []struct {
		addr string
		want RouteInfo
	}{
		{"2001:db8:7::5", plain("2001:db8:7::/48", 1024, LegInfo{Gateway: gateway, Dev: "r1", Weight: 1, MAC: mac})},
		{"2001:db8:8::5", plain("2001:db8:8::/48", 5,
			LegInfo{Gateway: gateway, Dev: "r1", Weight: 3, MAC: mac},
			LegInfo{Gateway: unknown, Dev: "r0", Weight: 1, Reason: dataplane.PuntNeighbor})},
		{k.A0.Addr.String(), connected},
		{"2001:db8:9::5", RouteInfo{Reason: dataplane.PuntNoRoute}},
	}
	for _, tt := range tests {
		k.within(2*time.Second, func() string {
			got, err := k.c.RouteGet(ctx, netip.MustParseAddr(tt.addr))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				return fmt.Sprintf("RouteGet(%s) = %+v, %v, want %+v", tt.addr, got, err, tt.want)
			}
			return ""
		})
	}
	if _, err := k.c.RouteGet(ctx, netip.MustParseAddr("192.0.2.1")); err == nil {
		t.Error("RouteGet of an IPv4 address is no error")
	}

	many := make([]xdptest.Route, 3*routesAtOnce)
	for i := range many {
		many[i] = xdptest.Via(netip.MustParsePrefix(fmt.Sprintf("2001:db8:1000:%x::/64", i)), k.R1)
	}
	if err := k.R.AddRoutes(many...); err != nil {
		t.Fatal(err)
	}
	k.within(time.Second, func() string {
		var listed []netip.Prefix
		if err := k.c.Routes(ctx, func(r RouteInfo) error { listed = append(listed, r.Dst); return nil }); err != nil {
			return err.Error()
		}
		var want []netip.Prefix
		if err := k.c.call(ctx, func() { // only its goroutine may look at all
			for p := range k.c.resolver.fib.Routes.All() {
				if a := p.Addr(); p.Bits() < 128 || a != k.A0.Addr && a != gateway { // hosts are no routes
					want = append(want, p)
				}
			}
		}); err != nil {
			return err.Error()
		}
		if len(listed) < len(many) || !slices.Equal(listed, want) {
			return fmt.Sprintf("%d routes listed, want %d", len(listed), len(want))
		}
		return ""
	})

	neighbors, err := k.c.Neighbors(ctx)
	want := NeighborInfo{Addr: gateway, Dev: "r1", MAC: mac, States: []string{"PERMANENT"}, Used: true}
	if err != nil || !slices.ContainsFunc(neighbors, func(n NeighborInfo) bool { return reflect.DeepEqual(n, want) }) {
		t.Errorf("Neighbors = %+v, %v, want %+v among them", neighbors, err, want)
	}
	stats, err := k.c.Stats(ctx)
	if err != nil || len(stats.Ports) != 3 || stats.Ports[2].Name != "r2" {
		t.Errorf("Stats = %+v, %v, want three ports", stats, err)
	}
	k.end()
	if _, err := k.c.Status(ctx); !errors.Is(err, ErrEnded) {
		t.Errorf("Status after the end = %v, want ErrEnded", err)
	}
}

// A device made again under its old name is taken up again.
func TestDeviceMadeAgain(t *testing.T) {
	k := newKernelLab(t)
	port := func(good func(PortInfo) bool) func() string {
		return func() string {
			info, err := k.c.Status(context.Background())
			if err != nil || !good(info.Ports[1]) {
				return fmt.Sprintf("r1 is %+v, %v", info.Ports[1], err)
			}
			return ""
		}
	}
	if err := k.R1.Delete(); err != nil {
		t.Fatal(err)
	}
	k.within(time.Second, port(func(p PortInfo) bool { return p.State == "absent" }))
	if err := k.makeVeth("r1"); err != nil {
		t.Fatal(err)
	}
	k.within(2*time.Second, port(func(p PortInfo) bool { return p.Ifindex != k.R1.Ifindex && p.Queues > 0 }))
}

// sameOfRoutes fails unless routes are said to be passed if all traffic is.
func (k *kernelLab) sameOfRoutes(why string) error {
	check := func(r RouteInfo) error {
		if passes := r.Pass == xdp.PassPassing; passes != (why != "") || passes && r.Why != why {
			return fmt.Errorf("%v has %v because %q while all traffic passes because %q", r.Dst, r.Pass, r.Why, why)
		}
		return nil
	}
	r, err := k.c.RouteGet(context.Background(), k.A0.Addr)
	return errors.Join(err, check(r), k.c.Routes(context.Background(), check))
}

// Rules and sysctls that take forwarding away, and give it back.
func TestPassing(t *testing.T) {
	k := newKernelLab(t)
	states := func(want ...string) func() string {
		return func() string {
			info, err := k.c.Status(context.Background())
			if err != nil {
				return err.Error()
			}
			if err := k.sameOfRoutes(info.Passing); err != nil {
				return err.Error()
			}
			got := []string{info.Passing}
			for _, p := range info.Ports {
				got = append(got, p.State)
			}
			if got[0] = strings.SplitN(got[0], ":", 2)[0]; !slices.Equal(got, want) {
				return fmt.Sprintf("passing and ports are %q, want %q", got, want)
			}
			return ""
		}
	}
	do := func(err error, limit time.Duration, want ...string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		k.within(limit, states(want...))
	}
	const soon, polled = time.Second, 2 * time.Second
	do(nil, soon, "", "forwarding", "forwarding", "forwarding")
	do(k.setRule(fakeSource, true), soon, "a rule that only the kernel follows", "kernel", "kernel", "kernel")
	do(k.setRule(fakeSource, false), soon, "", "forwarding", "forwarding", "forwarding")
	do(k.R.Sysctl("ipv6/conf/all/forwarding", "0"), soon, "the kernel does not forward", "kernel", "kernel", "kernel")
	do(k.R.Sysctl("ipv6/conf/all/forwarding", "1"), soon, "", "forwarding", "forwarding", "forwarding")
	best := time.Hour // of switching IPv6 off and on
	for range 3 {
		start := time.Now()
		do(k.R.Sysctl("ipv6/conf/r1/disable_ipv6", "1"), polled, "", "forwarding", "kernel", "forwarding")
		do(k.R.Sysctl("ipv6/conf/r1/disable_ipv6", "0"), polled, "", "forwarding", "forwarding", "forwarding")
		best = min(best, time.Since(start))
	}
	if best > pollEvery/2 {
		t.Errorf("IPv6 off and on is followed after %v at best: the routes that come and go with it tell sooner", best)
	}
	do(k.R1.SetUp(false), soon, "", "forwarding", "kernel", "forwarding")
	do(k.R1.SetUp(true), polled, "", "forwarding", "forwarding", "forwarding")
	do(k.R1.Delete(), polled, "", "forwarding", "absent", "forwarding")
	do(k.R0.Delete(), polled, "", "absent", "absent", "forwarding")
	do(k.ports[2].Delete(), polled, "no port forwards", "absent", "absent", "absent")
}
