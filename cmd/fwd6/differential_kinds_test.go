package main_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// Numbers of linux/rtnetlink.h.
const (
	rtnLocal   = 2
	rtnAnycast = 4
	rtnThrow   = 9

	rtnhOnlink = 4
	rtaxLock   = 1
	rtaxMTU    = 2
)

// addRouteWith adds a route with what xdptest.Route has no word for.
func addRouteWith(ns *xdptest.Namespace, p netip.Prefix, typ byte, flags uint32, put func(*netlink.AttributeEncoder)) error {
	header := []byte{syscall.AF_INET6, byte(p.Bits()), 0, 0, syscall.RT_TABLE_MAIN, syscall.RTPROT_STATIC, syscall.RT_SCOPE_UNIVERSE, typ,
		byte(flags), 0, 0, 0}
	return rtnetlink(ns, syscall.RTM_NEWROUTE, netlink.Create|netlink.Replace, header, func(e *netlink.AttributeEncoder) {
		e.Bytes(syscall.RTA_DST, p.Addr().AsSlice())
		put(e)
	})
}

// Routes of every kind that the kernel has, one after another in the place of
// an ordinary one.
func TestKindsOfRoutes(t *testing.T) {
	p := prefix("2001:db8:77::/48")
	to := datagrams([]netip.Addr{addr("2001:db8:77::"), addr("2001:db8:77::1"), addr("2001:db8:77:ffff::1"), addr("2001:db8:78::1"), addr("2001:db8:70::1")})
	to = append(to, frames("a0", packet{dst: addr("2001:db8:77::1")}.echo(1, 20), packet{dst: addr("2001:db8:77::2"), hops: 1}.echo(2, 20),
		packet{dst: addr("2001:db8:77::3")}.sized(1401), packet{dst: addr("2001:db8:77::3")}.sized(1500))...)
	change := func(name string, do func(*world) error) step {
		return step{name: name, do: do, frames: to, within: followWithin}
	}
	quiet := func(name string, do func(*world) error) step {
		return step{name: name, do: do, frames: to, within: followQuietWithin}
	}
	loopbackLeg := func(w *world) []xdptest.Leg { return []xdptest.Leg{{Port: w.loopback()}} }
	replace := func(name string, route func(*world) xdptest.Route) step {
		return change(name, func(w *world) error {
			if err := w.R.RemoveRoutes(xdptest.Route{Prefix: p}); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
			return w.R.AddRoutes(route(w))
		})
	}
	ordinary := func(w *world) xdptest.Route { return w.through(p, 0) }
	oif := func(p *xdptest.Port) func(*netlink.AttributeEncoder) {
		return func(e *netlink.AttributeEncoder) { e.Uint32(syscall.RTA_OIF, uint32(p.Ifindex)) }
	}
	steps := []step{
		change("a shorter prefix", func(w *world) error { return w.R.AddRoutes(w.through(prefix("2001:db8:70::/44"), 6)) }),
		replace("ordinary", ordinary),
		replace("local", func(w *world) xdptest.Route { return xdptest.Route{Prefix: p, Type: rtnLocal, Legs: loopbackLeg(w)} }),
		replace("ordinary", ordinary),
		replace("anycast", func(w *world) xdptest.Route {
			return xdptest.Route{Prefix: p, Type: rtnAnycast, Legs: []xdptest.Leg{{Port: w.R1}}}
		}),
		replace("throw", func(*world) xdptest.Route { return xdptest.Route{Prefix: p, Type: rtnThrow} }),
		replace("blackhole", func(*world) xdptest.Route { return xdptest.Route{Prefix: p, Type: rtnBlackhole} }),
		replace("unreachable", func(*world) xdptest.Route { return xdptest.Route{Prefix: p, Type: rtnUnreachable} }),
		replace("prohibit", func(*world) xdptest.Route { return xdptest.Route{Prefix: p, Type: rtnProhibit} }),
		replace("by lo", func(w *world) xdptest.Route { return xdptest.Route{Prefix: p, Legs: loopbackLeg(w)} }),
		change("local in the table local", func(w *world) error {
			return w.R.AddRoutes(xdptest.Route{Prefix: prefix("2001:db8:77::/64"), Type: rtnLocal, Table: 255, Legs: loopbackLeg(w)})
		}),
		change("not any more", func(w *world) error {
			return w.R.RemoveRoutes(xdptest.Route{Prefix: prefix("2001:db8:77::/64"), Table: 255, Type: rtnLocal})
		}),
		change("ordinary in the table local", func(w *world) error {
			r := w.through(prefix("2001:db8:77::/64"), 9)
			r.Table = 255
			return w.R.AddRoutes(r)
		}),
		change("not any more", func(w *world) error {
			return w.R.RemoveRoutes(xdptest.Route{Prefix: prefix("2001:db8:77::/64"), Table: 255})
		}),
		change("a gateway that is in no link's prefix", func(w *world) error {
			gateway := addr("2001:db8:dead::1")
			return errors.Join(w.R1.AddNeighbor(gateway, gatewayMAC(300)), w.R.RemoveRoutes(xdptest.Route{Prefix: p}),
				addRouteWith(w.R, p, syscall.RTN_UNICAST, rtnhOnlink, func(e *netlink.AttributeEncoder) {
					e.Bytes(syscall.RTA_GATEWAY, gateway.AsSlice())
					oif(w.R1)(e)
				}))
		}),
		replace("a link-local gateway", func(w *world) xdptest.Route {
			return xdptest.Route{Prefix: p, Legs: []xdptest.Leg{{Via: addr("fe80::1"), Port: w.R1}}}
		}),
		change("that is a neighbor", func(w *world) error { return w.R1.AddNeighbor(addr("fe80::1"), gatewayMAC(301)) }),
		change("and another on another link", func(w *world) error {
			return w.router("r2").AddNeighbor(addr("fe80::1"), gatewayMAC(302))
		}),
		replace("the same gateway on another link", func(w *world) xdptest.Route {
			return xdptest.Route{Prefix: p, Legs: []xdptest.Leg{{Via: addr("fe80::1"), Port: w.router("r2")}}}
		}),
		replace("ordinary", ordinary),
		change("a locked MTU", func(w *world) error {
			gateway, _ := gateway(0)
			return addRouteWith(w.R, p, syscall.RTN_UNICAST, 0, func(e *netlink.AttributeEncoder) {
				e.Bytes(syscall.RTA_GATEWAY, gateway.AsSlice())
				oif(w.R1)(e)
				e.Nested(syscall.RTA_METRICS, func(e *netlink.AttributeEncoder) error {
					e.Uint32(rtaxMTU, 1400)
					e.Uint32(rtaxLock, 1<<rtaxMTU)
					return nil
				})
			})
		}),
		replace("an MTU", func(w *world) xdptest.Route {
			r := ordinary(w)
			r.MTU = 1400
			return r
		}),
		replace("an on-link prefix", func(w *world) xdptest.Route { return xdptest.Route{Prefix: p, Legs: []xdptest.Leg{{Port: w.R1}}} }),
		change("with a neighbor", func(w *world) error { return w.R1.AddNeighbor(addr("2001:db8:77::1"), gatewayMAC(303)) }),
		change("with a neighbor at its edge", func(w *world) error { return w.R1.AddNeighbor(addr("2001:db8:77::"), gatewayMAC(304)) }),
		change("with the neighbor on another link, too", func(w *world) error {
			return w.router("r2").AddNeighbor(addr("2001:db8:77::1"), gatewayMAC(305))
		}),
		replace("on-link on another link", func(w *world) xdptest.Route {
			return xdptest.Route{Prefix: p, Legs: []xdptest.Leg{{Port: w.router("r2")}}}
		}),
		change("a host route beside the neighbor", func(w *world) error {
			return w.R.AddRoutes(w.through(prefix("2001:db8:77::1/128"), 12))
		}),
		change("not any more", func(w *world) error { return w.R.RemoveRoutes(xdptest.Route{Prefix: prefix("2001:db8:77::1/128")}) }),
		change("the neighbor goes", func(w *world) error { return w.router("r2").RemoveNeighbor(addr("2001:db8:77::1")) }),
		replace("by a device that is no port", func(w *world) xdptest.Route { return w.through(p, 2) }),
		replace("ordinary", ordinary),
		change("everything on-link", func(w *world) error {
			return w.R.AddRoutes(xdptest.Route{Prefix: prefix("::/0"), Legs: []xdptest.Leg{{Port: w.R1}}})
		}),
		change("with a neighbor", func(w *world) error { return w.R1.AddNeighbor(addr("2001:db8:80::1"), gatewayMAC(306)) }),
		quiet("an egress that is a host's", func(w *world) error { return w.R.Sysctl("ipv6/conf/r1/forwarding", "0") }),
		quiet("an ingress that is a host's", func(w *world) error { return w.R.Sysctl("ipv6/conf/r0/forwarding", "0") }),
		quiet("a router's again", func(w *world) error {
			return errors.Join(w.R.Sysctl("ipv6/conf/r0/forwarding", "1"), w.R.Sysctl("ipv6/conf/r1/forwarding", "1"))
		}),
		{name: "an egress without IPv6", do: func(w *world) error { return w.R.Sysctl("ipv6/conf/r2/disable_ipv6", "1") },
			frames: to, within: followQuietWithin, settle: 20 * time.Millisecond},
	}
	differential(t, scenario{config: threeLinks, ports: threePorts, prepare: addGateways, steps: steps}, variants)
}

// loopback is R's device lo.
func (w *world) loopback() *xdptest.Port { return &xdptest.Port{Name: "lo", NS: w.R, Ifindex: 1} }

// Neighbors that say by themselves where they are now.
func TestNeighborsMove(t *testing.T) {
	host := addr("fd66:1::50")
	// advertise is an unsolicited advertisement (RFC 4861 §4.4) with the
	// override flag.
	advertise := func(mac net.HardwareAddr) [][]byte {
		payload := slices.Concat([]byte{136, 0, 0, 0, 0x20, 0, 0, 0}, host.AsSlice(), []byte{2, 1}, mac)
		p := packet{src: host, dst: addr("ff02::1"), hops: 255}.with(icmp6, payload, 2)
		return [][]byte{frameTo(net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, mac, etherIPv6, p.bytes())}
	}
	prepare := func(w *world) error {
		return errors.Join(
			w.R.AddRoutes(xdptest.Route{Prefix: prefix("2001:db8:51::/48"), Legs: []xdptest.Leg{{Via: host, Port: w.R1}}}),
			w.B0.AddAddress(netip.PrefixFrom(host, 64)),
			w.R0.AddNeighbor(hostA, mac("a0")), w.R1.AddNeighbor(hostB, mac("b0")))
	}
	quiet := func(to netip.Addr, n byte) packet { return packet{dst: to, next: noNext, payload: []byte{n}} }
	probe := frames("a0", quiet(host, 1), quiet(addr("2001:db8:51::1"), 2))
	steps := []step{
		{name: "not yet known", frames: frames("a0", quiet(host, 0))},
		{name: "known", frames: probe, transit: true, within: followWithin},
	}
	for i := range 5 {
		to := net.HardwareAddr{2, 0, 0, 0, 1, byte(i)}
		steps = append(steps,
			step{name: fmt.Sprintf("move %d", i), in: "b0", frames: advertise(to)},
			step{name: fmt.Sprintf("moved %d", i), frames: probe, transit: true, within: followWithin})
	}
	differential(t, scenario{prepare: prepare, steps: steps}, variants)
}

// A gateway that is taken away is asked for at once. If the operator puts it
// back meanwhile, for good, then that must not be undone.
func TestPermanentNeighborsStay(t *testing.T) {
	probe := frames("a0", packet{dst: addr("2001:db8:1::1")}.echo(1, 20))
	byKernel := frames("a0", packet{dst: addr("2001:db8:1::1")}.echo(2, 20).behind(options(hopByHop, 1, 4, 0, 0, 0, 0)))
	var steps []step
	for i := range 40 {
		to := net.HardwareAddr{2, 0, 0, 0, 2, byte(i)}
		pause := time.Duration(i) * 50 * time.Microsecond
		steps = append(steps,
			step{name: fmt.Sprintf("put back after %v", pause), do: func(w *world) error {
				err := w.R1.RemoveNeighbor(w.B0.Addr)
				time.Sleep(pause)
				return errors.Join(err, w.R1.AddNeighbor(w.B0.Addr, to))
			}, frames: probe, transit: true, within: followWithin},
			step{name: fmt.Sprintf("the kernel still has it, put back after %v", pause), frames: byKernel})
	}
	differential(t, scenario{config: threeLinks, ports: threePorts, prepare: plainRoutes, steps: steps}, variants)
}

// A sender that leaves checksums to its device loses by fwd6, as by any XDP
// program that redirects: fwd6 says so.
func TestSaysWhoLeavesChecksumsUndone(t *testing.T) {
	w := newWorld(t, xdptest.Config{StaticNeighbors: true})
	if err := w.A0.SetFeature("tx-checksum-ip-generic", true); err != nil {
		t.Fatal(err)
	}
	w.start(t, []string{"r0", "r1"})
	if err := w.A.Do(func() error {
		conn, err := net.Dial("udp", netip.AddrPortFrom(w.B0.Addr, 9).String())
		if err != nil {
			return err
		}
		defer conn.Close()
		for range 5 {
			if _, err := conn.Write(pattern(100)); err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	line, err := w.fwd6.awaitLog(2*time.Second, "WARN", "r0", "checksum")
	if err != nil || !strings.Contains(line, "ethtool") {
		t.Errorf("it says %q, %v; want what to do about r0's sender", line, err)
	}
}
