package main_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// Links of 9000 bytes to A and by r1; of 1500 by r2; of 1280 by r3.
func jumboLab(w *world) error {
	return errors.Join(plainRoutes(w),
		w.router("r2").SetMTU(1500), w.host("b1").SetMTU(1500),
		w.router("r3").SetMTU(1280), w.host("b2").SetMTU(1280),
		w.R.AddRoutes(
			xdptest.Route{Prefix: prefix("2001:db8:e1::/48"), Legs: []xdptest.Leg{{Via: addr("fd66:1::2"), Port: w.R1}}, MTU: 1400},
			xdptest.Route{Prefix: prefix("2001:db8:e2::/48"), Legs: []xdptest.Leg{{Via: addr("fd66:2::2"), Port: w.router("r2")}}, MTU: 8000},
		))
}

func TestJumboFrames(t *testing.T) {
	var steps []step
	for _, d := range []struct {
		name string
		dst  netip.Addr
		mtu  int
	}{
		{"9000 bytes", hostB, 9000},
		{"1500 bytes", hostC, 1500},
		{"1280 bytes", hostD, 1280},
		{"9000 bytes beyond a gateway", addr("2001:db8:1::1"), 9000},
		{"1500 bytes beyond a gateway", addr("2001:db8:2::1"), 1500},
		{"a route of 1400 bytes over a link of 9000", addr("2001:db8:e1::1"), 0},
		{"a route of 8000 bytes over a link of 1500", addr("2001:db8:e2::1"), 0},
		{"R", addr("fd66::1"), 0},
		{"back to a neighbor", addr("fd66::98"), 0},
		{"no route", addr("2001:db8:ffff::1"), 0},
	} {
		for _, n := range []int{40, 100, 1279, 1280, 1281, 1300, 1399, 1400, 1401, 1499, 1500, 1501, 1514, 1518, 1535, 1536, 1537, 1700,
			1777, 1778, 1779, 1792, 1793, 2033, 2034, 2035, 2048, 3400, 3498, 3506, 3520, 3825, 3826, 3827, 3840, 3841, 4082, 4096, 5000,
			6000, 7665, 7666, 7667, 7680, 7999, 8000, 8001, 8192, 8985, 8986, 8987, 8999, 9000} {
			p := packet{dst: d.dst}.sized(n)
			steps = append(steps, step{name: fmt.Sprintf("%d bytes to %s", n, d.name), frames: frames("a0", p), transit: n <= d.mtu})
			q := packet{dst: d.dst, hops: 1}.sized(n)
			steps = append(steps, step{name: fmt.Sprintf("%d bytes, hop limit 1, to %s", n, d.name), frames: frames("a0", q)})
			padded := append(fromHost("a0", packet{dst: d.dst}.sized(40).bytes()), pattern(n-40)...)
			steps = append(steps, step{name: fmt.Sprintf("40 bytes padded to %d to %s", n, d.name), frames: [][]byte{padded}, transit: d.mtu > 0})
		}
	}
	for _, n := range []int{40, 1280, 1281, 1499, 1500} {
		p := packet{src: addr("2001:db8:5::5"), dst: hostA}.sized(n)
		steps = append(steps, step{name: fmt.Sprintf("%d bytes from the link of 1500", n), in: "b1", frames: frames("b1", p), transit: true})
	}
	s := scenario{
		config:  xdptest.Config{StaticNeighbors: true, Extra: 2, MTU: 9000},
		prepare: jumboLab, ports: []string{"r0", "r1", "r2", "r3"}, steps: steps,
	}
	differential(t, s, map[string][]string{
		"shared":  variants["shared"],
		"asavie":  variants["asavie"],
		"generic": {"--xdp-mode", "generic"},
	})
}

func TestSmallEgressMTU(t *testing.T) {
	var steps []step
	for _, d := range to {
		for _, n := range []int{1279, 1280, 1281, 1282, 1400, 1499, 1500} {
			p := packet{dst: d.addr}
			steps = append(steps,
				step{name: fmt.Sprintf("%d bytes to %s", n, d.name), frames: frames("a0", p.sized(n)), transit: d.transit && n <= 1280},
				step{name: fmt.Sprintf("%d bytes of fragment to %s", n, d.name),
					frames: frames("a0", p.sized(n-8).behind(fragmentAt(0, true, 5))), transit: d.transit && n <= 1280})
		}
	}
	differential(t, scenario{
		config: threeLinks, ports: threePorts, steps: steps,
		prepare: func(w *world) error {
			for _, h := range w.hosts[1:] {
				if err := errors.Join(h.SetMTU(1280), h.Peer.SetMTU(1280)); err != nil {
					return err
				}
			}
			return plainRoutes(w)
		},
	}, variants)
}
