package main_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// onward are prefixes behind hosts, by the port of the host.
var onward = map[string]netip.Prefix{
	"a0": prefix("2001:db8:a::/48"),
	"b0": prefix("2001:db8:1::/48"),
	"b1": prefix("2001:db8:2::/48"),
	"b2": prefix("2001:db8:3::/48"),
}

// loopback is an address of R that no link knows.
var loopback = addr("2001:db8:10::1")

// Numbers of rtnetlink.h.
const (
	rtnBlackhole   = 6
	rtnUnreachable = 7
	rtnProhibit    = 8
)

// plainRoutes gives R a route of each kind, and an address on lo.
func plainRoutes(w *world) error {
	routes := []xdptest.Route{
		{Prefix: prefix("2001:db8:b6::/48"), Type: rtnBlackhole},
		{Prefix: prefix("2001:db8:b7::/48"), Type: rtnUnreachable},
		{Prefix: prefix("2001:db8:b8::/48"), Type: rtnProhibit},
		{Prefix: prefix("2001:db8:aa::/48"), Legs: []xdptest.Leg{{Via: w.A0.Link, Port: w.R0}}},
	}
	for _, h := range w.hosts {
		routes = append(routes, xdptest.Via(onward[h.Name], h.Peer))
	}
	if err := w.R.AddRoutes(routes...); err != nil {
		return err
	}
	if err := w.R0.AddNeighbor(addr("fd66::98"), mac("a0")); err != nil {
		return err
	}
	return w.addAddress(w.loopback(), netip.PrefixFrom(loopback, 128))
}

// to are destinations of every kind there is.
var to = []struct {
	name    string
	addr    netip.Addr
	transit bool // by fwd6 alone
}{
	{"on-link host", hostB, true},
	{"beyond a gateway", addr("2001:db8:1::1"), true},
	{"second egress", addr("2001:db8:2::1"), true},
	{"egress that is no port", addr("2001:db8:3::1"), false},
	{"back over a link-local gateway", addr("2001:db8:aa::1"), false},
	{"back over a global gateway", addr("2001:db8:a::1"), false},
	{"back to an on-link host", addr("fd66::98"), false},
	{"R's ingress address", addr("fd66::1"), false},
	{"R's other address", addr("fd66:1::1"), false},
	{"R's lo", loopback, false},
	{"subnet-router anycast", addr("fd66::"), false},
	{"other subnet-router anycast", addr("fd66:1::"), false},
	{"no route", addr("2001:db8:ffff::1"), false},
	{"blackhole", addr("2001:db8:b6::1"), false},
	{"unreachable", addr("2001:db8:b7::1"), false},
	{"prohibit", addr("2001:db8:b8::1"), false},
}

// three links to B, of which the last is not fwd6's.
var (
	threeLinks = xdptest.Config{StaticNeighbors: true, Extra: 2}
	threePorts = []string{"r0", "r1", "r2"}
)

func TestPackets(t *testing.T) {
	differential(t, scenario{
		config: threeLinks, prepare: plainRoutes, ports: threePorts,
		steps: slices.Concat(hopLimits(), sizes(), extensions(), payloads(), lengths(), links(), addresses()),
	}, variants)
}

// Redirects are sent to a neighbor at most six times, then once a second: each
// kind is seen three times.
func TestRedirects(t *testing.T) {
	var steps []step
	for _, d := range to[4:7] {
		for i := range 3 {
			p := packet{dst: d.addr}
			steps = append(steps, step{
				name:   fmt.Sprintf("%d to %s", i, d.name),
				frames: frames("a0", p.udp(uint16(i), 9, 10*i), p.tcp(uint16(i), 80, 0x10)),
			})
		}
	}
	strange := packet{src: addr("2001:db8:77::1"), dst: to[4].addr}
	steps = append(steps, step{name: "from no neighbor", frames: frames("a0", strange.udp(7, 7, 7))})
	differential(t, scenario{config: threeLinks, prepare: plainRoutes, ports: threePorts, steps: steps, redirects: true}, variants)
}

// In the XDP program's slower mode, and with several queues and workers, the
// same must come out; a selection shows it.
func TestPacketsInOtherModes(t *testing.T) {
	some := slices.Concat(hopLimits(), sizes(), lengths(), links())
	differential(t, scenario{config: threeLinks, prepare: plainRoutes, ports: threePorts, steps: some}, map[string][]string{
		"generic":         {"--xdp-mode", "generic"},
		"generic, asavie": {"--xdp-mode", "generic", "--backend", "asavie"},
	})
	queues := threeLinks
	queues.Queues = 2
	differential(t, scenario{config: queues, prepare: plainRoutes, ports: threePorts, steps: some}, map[string][]string{
		"two queues":         {"--workers", "2"},
		"two queues, asavie": {"--workers", "2", "--backend", "asavie"},
	})
}

func hopLimits() (steps []step) {
	for _, d := range to {
		for _, hops := range []int{-1, 1, 2, 64, 255} {
			p := packet{dst: d.addr, hops: hops}
			steps = append(steps, step{
				name:    fmt.Sprintf("hop limit %d to %s", max(hops, 0), d.name),
				frames:  frames("a0", p.echo(uint16(hops), 16)),
				transit: d.transit && hops > 1,
			})
		}
	}
	// In the other direction, and between links of the same host.
	for _, s := range []struct{ in, dst string }{{"b0", "fd66::99"}, {"b1", "fd66:1::99"}, {"b0", "2001:db8:2::7"}} {
		for _, hops := range []int{-1, 1, 2, 64, 255} {
			p := packet{src: addr("2001:db8:5::5"), dst: addr(s.dst), hops: hops}
			steps = append(steps, step{
				name: fmt.Sprintf("hop limit %d from %s to %s", max(hops, 0), s.in, s.dst), in: s.in,
				frames: frames(s.in, p.udp(1, 2, 3)), transit: hops > 1,
			})
		}
	}
	return steps
}

// edgesAndSpread are sizes of packets: each near an edge, some between.
func edgesAndSpread(most int) (sizes []int) {
	for n := ip6Len; n <= most; n++ {
		edge := n < 110 || n > 1270 && n < 1290 || n > 1470 && n < 1510 || n > most-10
		if edge || n%67 == 0 {
			sizes = append(sizes, n)
		}
	}
	return sizes
}

func sizes() (steps []step) {
	for _, d := range to[:8] {
		var packets []packet
		for _, n := range edgesAndSpread(1500) {
			packets = append(packets, packet{dst: d.addr}.sized(n))
		}
		for part := range slices.Chunk(packets, 64) {
			steps = append(steps, step{name: "sizes to " + d.name, frames: frames("a0", part...), transit: d.transit})
		}
	}
	return steps
}

// extensions are chains of extension headers, before something that the far
// end of the chain answers if it is R.
func extensions() (steps []step) {
	pad := []byte{1, 4, 0, 0, 0, 0}
	chains := []struct {
		name    string
		headers []header
		punted  bool
	}{
		{"destination options", []header{options(destOptions, pad...)}, false},
		{"long destination options", []header{options(destOptions, append([]byte{1, 250}, make([]byte, 250)...)...)}, false},
		{"unknown destination option", []header{options(destOptions, 0x9e, 2, 0, 0)}, false},
		{"hop-by-hop padding", []header{options(hopByHop, pad...)}, true},
		{"router alert", []header{options(hopByHop, 5, 2, 0, 0)}, true},
		{"unknown option, skip", []header{options(hopByHop, 0x1e, 2, 0, 0)}, true},
		{"unknown option, discard", []header{options(hopByHop, 0x5e, 2, 0, 0)}, true},
		{"unknown option, discard and tell", []header{options(hopByHop, 0x9e, 2, 0, 0)}, true},
		{"unknown option, discard and tell unless multicast", []header{options(hopByHop, 0xde, 2, 0, 0)}, true},
		{"hop-by-hop beyond the packet", []header{{hopByHop, []byte{9, 1, 4, 0, 0, 0, 0}}}, true},
		{"jumbo payload of a small packet", []header{options(hopByHop, 0xc2, 4, 0, 0, 0, 64)}, true},
		{"routing, type 0", []header{{routing, append([]byte{2, 0, 1, 0, 0, 0, 0}, hostB.AsSlice()...)}}, false},
		{"routing, type 2", []header{{routing, append([]byte{2, 2, 1, 0, 0, 0, 0}, hostB.AsSlice()...)}}, false},
		{"routing, type 4", []header{{routing, append([]byte{2, 4, 1, 0, 0, 0, 0}, hostB.AsSlice()...)}}, false},
		{"routing, nothing left", []header{{routing, append([]byte{2, 0, 0, 0, 0, 0, 0}, hostB.AsSlice()...)}}, false},
		{"authentication", []header{{ah, append([]byte{4}, make([]byte, 22)...)}}, false},
		{"whole in one fragment", []header{fragmentAt(0, false, 7)}, false},
		{"chain", []header{options(destOptions, pad...), {routing, append([]byte{2, 0, 0, 0, 0, 0, 0}, hostB.AsSlice()...)}, options(destOptions, pad...)}, false},
		{"chain from hop-by-hop on", []header{options(hopByHop, pad...), options(destOptions, pad...), fragmentAt(0, false, 8)}, true},
		{"options in the wrong place", []header{options(destOptions, pad...), options(hopByHop, pad...)}, false},
		{"many options headers", slices.Repeat([]header{options(destOptions, pad...)}, 20), false},
	}
	for _, d := range to {
		for i, c := range chains {
			for j, hops := range []int{64, 1} {
				p := packet{dst: d.addr, hops: hops}.echo(uint16(i), 20+j).behind(c.headers...)
				steps = append(steps, step{
					name: fmt.Sprintf("%s to %s, hop limit %d", c.name, d.name, hops), frames: frames("a0", p),
					transit: d.transit && !c.punted && hops > 1,
				})
			}
		}
		steps = append(steps, fragments(d.addr, d.name, d.transit)...)
	}
	return steps
}

// fragments are an echo request in pieces. R answers them once it has all.
func fragments(dst netip.Addr, name string, transit bool) (steps []step) {
	p := packet{dst: dst}.echo(99, 992)
	piece := func(id uint32, from, to int) packet {
		return packet{dst: dst, next: icmp6, payload: p.payload[from:to]}.behind(fragmentAt(from, to < len(p.payload), id))
	}
	for i, pieces := range [][]packet{
		{piece(1, 0, 400), piece(1, 400, 800), piece(1, 800, 1000)},
		{piece(2, 800, 1000), piece(2, 400, 800), piece(2, 0, 400)},
		{piece(3, 0, 400), piece(3, 392, 1000)},               // overlapping
		{piece(4, 400, 800)},                                  // middle
		{piece(5, 800, 1000)},                                 // last
		{piece(6, 0, 400)},                                    // first
		{piece(7, 0, 403), piece(7, 400, 1000)},               // length no multiple of 8
		{piece(8, 0, 8), piece(8, 8, 16), piece(8, 16, 1000)}, // tiny
	} {
		steps = append(steps, step{name: fmt.Sprintf("fragments %d to %s", i, name), frames: frames("a0", pieces...), transit: transit})
	}
	return steps
}

// payloads are what packets carry.
func payloads() (steps []step) {
	for _, d := range to {
		p := packet{dst: d.addr}
		for name, q := range map[string]packet{
			"UDP":                 p.udp(1000, 2000, 100),
			"UDP without payload": p.udp(1001, 2000, 0),
			"TCP SYN":             p.tcp(1002, 2000, 0x02),
			"TCP ACK":             p.tcp(1003, 2000, 0x10),
			"TCP RST":             p.tcp(1004, 2000, 0x04),
			"echo":                p.echo(1, 56),
			"echo reply":          p.with(icmp6, []byte{129, 0, 0, 0, 1, 2, 3, 4}, 2),
			"ICMPv6 error":        p.with(icmp6, append([]byte{1, 0, 0, 0, 0, 0, 0, 0}, packet{src: d.addr, dst: hostA}.udp(9, 9, 9).bytes()...), 2),
			"unknown ICMPv6":      p.with(icmp6, []byte{200, 0, 0, 0, 1, 2, 3, 4}, 2),
			"no next header":      p,
			"experiment":          {dst: d.addr, next: experiment, payload: pattern(64)},
			"SCTP":                {dst: d.addr, next: 132, payload: pattern(64)},
			"ESP":                 {dst: d.addr, next: 50, payload: pattern(64)},
			"class and flow":      packet{dst: d.addr, class: 0xb9, flow: 0x54321}.udp(1005, 2000, 7),
			"bad UDP checksum":    {dst: d.addr, next: udp, payload: []byte{1, 2, 3, 4, 0, 8, 6, 6}},
			"bad ICMPv6 checksum": {dst: d.addr, next: icmp6, payload: []byte{128, 0, 6, 6, 0, 0, 0, 0}},
		} {
			steps = append(steps, step{name: name + " to " + d.name, frames: frames("a0", q), transit: d.transit})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return strings.Compare(a.name, b.name) })
	return steps
}

// lengths are frames whose length is not that of the packet in them.
func lengths() (steps []step) {
	for _, d := range to[:8] {
		var cut [][]byte
		whole := fromHost("a0", packet{dst: d.addr}.udp(3, 4, 200).bytes())
		for n := range 61 {
			cut = append(cut, whole[:ethernetLen+n])
		}
		steps = append(steps, step{name: "cut short, to " + d.name, frames: cut, transit: d.transit})

		for _, n := range []int{1, 2, 7, 40, 46, 100, 1000} {
			steps = append(steps, step{
				name:   fmt.Sprintf("%d bytes of padding to %s", n, d.name),
				frames: [][]byte{append(fromHost("a0", packet{dst: d.addr}.echo(5, 20).bytes()), pattern(n)...)}, transit: d.transit,
			})
		}
		for _, length := range []int{0, 1, 7, 8, 100, 207, 208, 209, 210, 300, 1460, 1500, 65535} {
			p := packet{dst: d.addr}.udp(3, 4, 200)
			p.wrong, p.length = true, length
			q := packet{dst: d.addr}.echo(6, 200)
			q.wrong, q.length = true, length
			r := packet{dst: d.addr, hops: 1}.udp(3, 5, 200)
			r.wrong, r.length = true, length
			steps = append(steps,
				step{name: fmt.Sprintf("payload length %d of 208 to %s", length, d.name), frames: frames("a0", p), transit: d.transit},
				step{name: fmt.Sprintf("echo of payload length %d of 208 to %s", length, d.name), frames: frames("a0", q), transit: d.transit},
				step{name: fmt.Sprintf("hop limit 1 and payload length %d of 208 to %s", length, d.name), frames: frames("a0", r)})
		}
		h := packet{dst: d.addr}.echo(7, 20).behind(options(hopByHop, 1, 4, 0, 0, 0, 0))
		h.wrong, h.length = true, 0
		steps = append(steps, step{name: "payload length 0 with hop-by-hop options to " + d.name, frames: frames("a0", h)})
	}
	return steps
}

// links are frames whose Ethernet header is not that of plain transit.
func links() (steps []step) {
	for _, d := range to[:8] {
		p := packet{dst: d.addr}.echo(8, 20).bytes()
		for name, f := range map[string][]byte{
			"wrong MAC":              frameTo(mac("b0"), mac("a0"), etherIPv6, p),
			"another port's MAC":     frameTo(mac("r1"), mac("a0"), etherIPv6, p),
			"broadcast":              frameTo([]byte{255, 255, 255, 255, 255, 255}, mac("a0"), etherIPv6, p),
			"multicast MAC":          frameTo([]byte{0x33, 0x33, 0, 0, 0, 1}, mac("a0"), etherIPv6, p),
			"zero MAC":               frameTo(make([]byte, 6), mac("a0"), etherIPv6, p),
			"own source MAC":         frameTo(mac("r0"), mac("r0"), etherIPv6, p),
			"multicast source MAC":   frameTo(mac("r0"), []byte{0x33, 0x33, 0, 0, 0, 1}, etherIPv6, p),
			"unknown source MAC":     frameTo(mac("r0"), []byte{2, 9, 9, 9, 9, 9}, etherIPv6, p),
			"VLAN":                   frameTo(mac("r0"), mac("a0"), 0x8100, slices.Concat([]byte{0, 7, 0x86, 0xdd}, p)),
			"priority tag":           frameTo(mac("r0"), mac("a0"), 0x8100, slices.Concat([]byte{0xe0, 0, 0x86, 0xdd}, p)),
			"service VLAN":           frameTo(mac("r0"), mac("a0"), 0x88a8, slices.Concat([]byte{0, 7, 0x86, 0xdd}, p)),
			"two tags":               frameTo(mac("r0"), mac("a0"), 0x88a8, slices.Concat([]byte{0, 7, 0x81, 0, 0, 8, 0x86, 0xdd}, p)),
			"LLDP":                   frameTo([]byte{1, 0x80, 0xc2, 0, 0, 0xe}, mac("a0"), 0x88cc, p),
			"LACP":                   frameTo([]byte{1, 0x80, 0xc2, 0, 0, 2}, mac("a0"), 0x8809, p),
			"802.3":                  frameTo(mac("r0"), mac("a0"), 100, p),
			"IPv6 with IPv4's type":  frameTo(mac("r0"), mac("a0"), etherIPv4, p),
			"IPv6 with ARP's type":   frameTo(mac("r0"), mac("a0"), etherARP, p),
			"MPLS":                   frameTo(mac("r0"), mac("a0"), 0x8847, slices.Concat([]byte{0, 0, 0x11, 64}, p)),
			"loopback test protocol": frameTo(mac("r0"), mac("a0"), 0x9000, p),
		} {
			steps = append(steps, step{name: name + " to " + d.name, frames: [][]byte{f}})
		}
		for _, version := range []byte{1, 4, 5, 7, 15} {
			steps = append(steps, step{
				name:   fmt.Sprintf("version %d to %s", version, d.name),
				frames: frames("a0", packet{dst: d.addr, version: version}.udp(1, 2, 20)),
			})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return strings.Compare(a.name, b.name) })
	return steps
}

// special are addresses that are not to be forwarded blindly, or look so.
var special = []string{
	"::", "::1", "::2", "::10.66.1.2", "::ffff:10.66.1.2", "::ffff:0:10.66.1.2", "64:ff9b::10.66.1.2", "100::1",
	"2002:a42:102::1", "fe80::1", "fe80::66ff:fe36:0", "fe80:0:0:1::1", "fe90::1", "febf:ffff::1", "fec0::1", "fe00::1", "fdff::1",
	"ff00::1", "ff01::1", "ff02::1", "ff02::2", "ff02::1:2", "ff02::5", "ff02::1:ff00:1", "ff05::2", "ff05::1:3", "ff08::1", "ff0e::1234", "ff3e:40:2001:db8::1", "ff1e::1",
	"fd66::", "fd66::1", "fd66:1::1", "fd66:1::99", "2001:db8:10::1",
}

// addresses are packets from and to special addresses, first without and then
// with a default route.
func addresses() (steps []step) {
	plain := []string{"fd66::99", "fd66:1::99", "fd66::1", "2001:db8:1::1"}
	for i, suffix := range []string{"", ", default route"} {
		if i == 1 {
			steps = append(steps, step{name: "default route", do: func(w *world) error {
				return w.R.AddRoutes(xdptest.Via(prefix("::/0"), w.R1))
			}})
		}
		pair := func(src, dst string) {
			for _, hops := range []int{64, 1} {
				p := packet{src: addr(src), dst: addr(dst), hops: hops}
				steps = append(steps, step{
					name:   fmt.Sprintf("from %s to %s, hop limit %d%s", src, dst, hops, suffix),
					frames: frames("a0", p.udp(5, 6, 20), p.echo(9, 20)),
				})
			}
		}
		for _, a := range special {
			for _, b := range plain {
				pair(a, b)
				pair(b, a)
			}
			pair(a, a)
		}
	}
	return steps
}
