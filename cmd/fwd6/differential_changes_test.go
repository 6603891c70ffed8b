package main_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// followQuietWithin is how soon fwd6 follows what the kernel does not tell
// everybody about: sysctls; and what changes everything: rules.
const followQuietWithin = 500 * time.Millisecond

// TestChanges changes R while fwd6 runs.
func TestChanges(t *testing.T) {
	onlink, beyond, back := hostB, addr("2001:db8:1::1"), hostA
	probe := slices.Concat(
		frames("a0", packet{dst: onlink}.echo(1, 20), packet{dst: beyond}.echo(2, 20), packet{dst: back, src: onlink}.echo(3, 20)),
		frames("a0", packet{dst: beyond}.sized(1300), packet{dst: beyond}.sized(1400), packet{dst: beyond}.sized(1500)),
		frames("a0", packet{dst: addr("2001:db8:2::1")}.sized(1500)),
	)
	local := []string{"fd66::1", "fd66:1::1", "2001:db8:10::1", "2001:db8:10::2", "2001:db8:1::1", "2001:db8:1::", "2001:db8:2::1", "fd66:1::", "fd66:1::99"}
	var delivered [][]byte
	for i, a := range local {
		delivered = append(delivered, frames("a0", packet{dst: addr(a)}.echo(uint16(i), 20))...)
	}
	change := func(name string, do func(*world) error) step {
		return step{name: name, do: do, frames: probe, within: followWithin}
	}
	quiet := func(name string, do func(*world) error) step {
		return step{name: name, do: do, frames: probe, within: followQuietWithin}
	}
	own := func(name string, do func(*world) error) step { // packets to the old MAC are lost, and so are sentinels
		return step{name: name, do: do, frames: probe, within: followWithin, settle: 20 * time.Millisecond}
	}
	address := func(name string, do func(*world) error) step {
		return step{name: name, do: do, frames: delivered, within: followWithin}
	}
	moved := net.HardwareAddr{2, 0, 0, 0, 0, 0x42}
	steps := []step{
		{name: "as it begins", frames: probe},
		change("a more specific route", func(w *world) error { return w.R.AddRoutes(w.through(prefix("2001:db8:1::/64"), 1)) }),
		change("the route moves", func(w *world) error { return w.R.ReplaceRoutes(w.through(prefix("2001:db8:1::/64"), 0)) }),
		change("the route goes", func(w *world) error { return w.R.RemoveRoutes(xdptest.Route{Prefix: prefix("2001:db8:1::/64")}) }),
		change("no route", func(w *world) error { return w.R.RemoveRoutes(xdptest.Route{Prefix: onward["b0"]}) }),
		change("the route is back", func(w *world) error { return w.R.AddRoutes(xdptest.Via(onward["b0"], w.R1)) }),
		change("the gateway's MAC changes", func(w *world) error { return w.R1.AddNeighbor(w.B0.Addr, moved) }),
		change("the host's MAC changes", func(w *world) error { return w.R1.AddNeighbor(onlink, moved) }),
		change("the gateway's MAC changes back", func(w *world) error { return w.R1.AddNeighbor(w.B0.Addr, mac("b0")) }),
		change("the host's MAC changes back", func(w *world) error { return w.R1.AddNeighbor(onlink, mac("b0")) }),
		own("R's own MAC changes at the egress", func(w *world) error { return setMAC(w.R1, moved) }),
		own("R's own MAC changes back", func(w *world) error { return setMAC(w.R1, w.R1.MAC) }),
		own("R's own MAC changes at the ingress", func(w *world) error { return setMAC(w.R0, moved) }),
		own("R's own MAC changes back", func(w *world) error { return setMAC(w.R0, w.R0.MAC) }),
		change("egress of 1300 bytes", func(w *world) error { return w.R1.SetMTU(1300) }),
		change("egress of 1280 bytes", func(w *world) error { return w.R1.SetMTU(1280) }),
		change("egress of 1500 bytes", func(w *world) error { return w.R1.SetMTU(1500) }),
		quiet("IPv6's MTU is 1300", func(w *world) error { return w.R.Sysctl("ipv6/conf/r1/mtu", "1300") }),
		quiet("IPv6's MTU is 1500", func(w *world) error { return w.R.Sysctl("ipv6/conf/r1/mtu", "1500") }),

		address("R's addresses", nil),
		address("an address on lo", func(w *world) error { return w.addAddress(w.loopback(), netip.PrefixFrom(addr("2001:db8:10::2"), 128)) }),
		address("another on a port", func(w *world) error { return w.addAddress(w.R1, prefix("2001:db8:1::1/64")) }),
		address("another on a device that is no port", func(w *world) error {
			return w.addAddress(w.router("r3"), netip.PrefixFrom(addr("2001:db8:2::1"), 128))
		}),
		address("the one on lo goes", func(w *world) error { return w.loopback().RemoveAddress(netip.PrefixFrom(addr("2001:db8:10::2"), 128)) }),
		address("the one on the port goes", func(w *world) error { return w.R1.RemoveAddress(prefix("2001:db8:1::1/64")) }),
		address("the one on the device goes", func(w *world) error {
			return w.router("r3").RemoveAddress(netip.PrefixFrom(addr("2001:db8:2::1"), 128))
		}),

		{name: "forwarding is off", do: func(w *world) error { return w.R.Sysctl("ipv6/conf/all/forwarding", "0") },
			frames: slices.Concat(probe, delivered), within: followQuietWithin, settle: 20 * time.Millisecond},
		{name: "forwarding is on", do: func(w *world) error { return w.R.Sysctl("ipv6/conf/all/forwarding", "1") },
			frames: slices.Concat(probe, delivered), within: followQuietWithin, settle: 20 * time.Millisecond},
		quiet("a table for what comes by a0", func(w *world) error {
			elsewhere := w.through(prefix("2001:db8:1::/48"), 4)
			elsewhere.Table = 100
			return errors.Join(w.R.AddRoutes(elsewhere), rule{priority: 1000, table: 100, in: "r0"}.add(w.R))
		}),
		quiet("a table for one source", func(w *world) error {
			return errors.Join(rule{priority: 1000, table: 100, in: "r0"}.remove(w.R), rule{priority: 1000, table: 100, from: prefix("fd66::99/128")}.add(w.R))
		}),
		quiet("a table for other destinations", func(w *world) error {
			return errors.Join(rule{priority: 1000, table: 100, from: prefix("fd66::99/128")}.remove(w.R), rule{priority: 1000, table: 100, to: prefix("2001:db8:2::/48")}.add(w.R))
		}),
		quiet("no rules", func(w *world) error {
			return rule{priority: 1000, table: 100, to: prefix("2001:db8:2::/48")}.remove(w.R)
		}),
		{name: "as it was", frames: probe[:2], transit: true},
		quiet("no IPv6 at the ingress", func(w *world) error { return w.R.Sysctl("ipv6/conf/r0/disable_ipv6", "1") }),
		quiet("IPv6 at the ingress", func(w *world) error {
			return errors.Join(w.R.Sysctl("ipv6/conf/r0/disable_ipv6", "0"), w.addAddress(w.R0, netip.PrefixFrom(w.R0.Addr, 64)), addHosts(w.R0))
		}),
		{name: "as it was, again", frames: probe[:2], transit: true},
	}
	for i := range steps {
		if steps[i].name == "no IPv6 at the ingress" {
			steps[i].settle = 20 * time.Millisecond
		}
	}
	prepare := func(w *world) error { return errors.Join(plainRoutes(w), addGateways(w)) }
	differential(t, scenario{config: threeLinks, ports: threePorts, prepare: prepare, steps: steps}, variants)
}

// setMAC changes the MAC of a port of R, which costs it its neighbors, and
// brings these back.
func setMAC(p *xdptest.Port, mac net.HardwareAddr) error {
	return errors.Join(p.SetMAC(mac), addHosts(p))
}

// addHosts makes those behind a port its neighbors.
func addHosts(p *xdptest.Port) error {
	var errs []error
	for _, a := range []netip.Addr{hostBehind[p.Peer.Name], p.Peer.Addr, p.Peer.Link} {
		errs = append(errs, p.AddNeighbor(a, p.Peer.MAC))
	}
	return errors.Join(errs...)
}
