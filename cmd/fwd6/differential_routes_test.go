package main_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// gateways are neighbors of R with a MAC each, on every port but r0 in turn.
const gateways = 129

// gateway is the address of gateway i and the host port behind which it is.
func gateway(i int) (netip.Addr, string) {
	link := 1 + i%3
	return netip.AddrFrom16([16]byte{0xfd, 0x66, 0, byte(link), 12: 0, 13: 1, 14: byte(i >> 8), 15: byte(i)}), []string{"b0", "b1", "b2"}[i%3]
}

func gatewayMAC(i int) net.HardwareAddr {
	return net.HardwareAddr{2, 0x66, 0, 0, byte(i >> 8), byte(i)}
}

func addGateways(w *world) error {
	for i := range gateways {
		a, host := gateway(i)
		if err := w.host(host).Peer.AddNeighbor(a, gatewayMAC(i)); err != nil {
			return err
		}
	}
	return nil
}

// through is the route to a prefix by gateway i.
func (w *world) through(p netip.Prefix, i int) xdptest.Route {
	a, host := gateway(i)
	return xdptest.Route{Prefix: p, Legs: []xdptest.Leg{{Via: a, Port: w.host(host).Peer}}}
}

// edges are the first and last address of a prefix, and their neighbors beyond.
func edges(p netip.Prefix) []netip.Addr {
	first := p.Masked().Addr()
	last := first.As16()
	for bit := p.Bits(); bit < 128; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	end := netip.AddrFrom16(last)
	all := []netip.Addr{first, end}
	for _, a := range []netip.Addr{first.Prev(), end.Next()} {
		if a.IsValid() {
			all = append(all, a)
		}
	}
	return all
}

// datagrams are a packet from hostA to each destination.
func datagrams(to []netip.Addr) [][]byte {
	var packets []packet
	for i, a := range to {
		packets = append(packets, packet{dst: a}.udp(uint16(i), 9, 4))
	}
	return frames("a0", packets...)
}

// A route of each length, all at once: each in the one before, each by its own
// gateway.
func TestEveryPrefixLength(t *testing.T) {
	base := addr("2001:db8:5a5a:a5a5:9966:6699:c33c:3cc3")
	var steps []step
	for bits := range 129 {
		p := netip.PrefixFrom(base, bits).Masked()
		steps = append(steps, step{name: fmt.Sprintf("edges of %v", p), frames: datagrams(edges(p))})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for bits := range 129 { // those that have just so many bits in common with base
		to := make([]netip.Addr, 4)
		for i := range to {
			to[i] = divergeAt(base, bits, random)
		}
		steps = append(steps, step{name: fmt.Sprintf("%d bits of %v", bits, base), frames: datagrams(to)})
	}
	differential(t, scenario{
		config: threeLinks, ports: threePorts, steps: steps,
		prepare: func(w *world) error {
			var routes []xdptest.Route
			for bits := range 129 {
				routes = append(routes, w.through(netip.PrefixFrom(base, bits).Masked(), bits))
			}
			if err := addGateways(w); err != nil {
				return err
			}
			return w.R.AddRoutes(routes...)
		},
	}, variants)
}

// divergeAt is an address that has exactly so many leading bits of base.
func divergeAt(base netip.Addr, bits int, random *rand.Rand) netip.Addr {
	b := base.As16()
	for bit := bits; bit < 128; bit++ {
		mask := byte(0x80 >> (bit % 8))
		if bit == bits || random.IntN(2) == 0 {
			b[bit/8] ^= mask
		}
	}
	return netip.AddrFrom16(b)
}

// randomTables is how many tables TestRandomTables goes through.
const randomTables = 200

// Random tables of nested prefixes, one after another.
func TestRandomTables(t *testing.T) {
	seed := testSeed(t)
	tables := make([][]netip.Prefix, randomTables+1) // the first is empty
	var steps []step
	for i := 1; i <= randomTables; i++ {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		tables[i] = nestedPrefixes(random)
		var to []netip.Addr
		for _, p := range tables[i] {
			to = append(to, edges(p)...)
		}
		for range 20 {
			inside := tables[i][random.IntN(len(tables[i]))]
			to = append(to, divergeAt(inside.Addr(), random.IntN(129), random))
		}
		to = slices.DeleteFunc(to, own)
		steps = append(steps, step{
			name:   fmt.Sprintf("table %d of seed %d", i, seed),
			do:     func(w *world) error { return replaceTable(w, tables[i-1], tables[i]) },
			frames: datagrams(to), within: followWithin,
		})
	}
	differential(t, scenario{config: threeLinks, ports: threePorts, prepare: addGateways, steps: steps}, variants)
}

// testSeed is a new one each time, or FWD6_TEST_SEED to see again what one did.
func testSeed(t *testing.T) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("FWD6_TEST_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("FWD6_TEST_SEED=%d", seed)
	return seed
}

// own says whether an address is on R's links, where hosts answer.
func own(a netip.Addr) bool { return prefix("fd66::/32").Contains(a) || a.IsMulticast() }

// nestedPrefixes are prefixes of which many lie in one another, but none in
// what R's links or the sentinels need.
func nestedPrefixes(random *rand.Rand) []netip.Prefix {
	all := []netip.Prefix{netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	for want := 8 + random.IntN(24); len(all) < want; {
		parent := all[random.IntN(len(all))]
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], random.Uint64())
		binary.BigEndian.PutUint64(b[8:], random.Uint64())
		for bit := range parent.Bits() { // as the parent up to its length
			mask := byte(0x80 >> (bit % 8))
			b[bit/8] = b[bit/8]&^mask | parent.Addr().As16()[bit/8]&mask
		}
		bits := min(128, parent.Bits()+1+random.IntN([]int{4, 16, 64, 128}[random.IntN(4)]))
		p := netip.PrefixFrom(netip.AddrFrom16(b), bits).Masked()
		if p.Bits() < 32 && p.Overlaps(prefix("fd66::/32")) && p.Bits() > 0 || own(p.Addr()) || slices.Contains(all, p) {
			continue
		}
		all = append(all, p)
	}
	if random.IntN(2) == 0 {
		all = all[1:] // without a default route
	}
	return all
}

// replaceTable makes a table of prefixes R's in place of another. The i-th
// prefix's gateway depends on all of the table, so a prefix that stays moves.
func replaceTable(w *world, old, new []netip.Prefix) error {
	var remove, add []xdptest.Route
	for _, p := range old {
		remove = append(remove, xdptest.Route{Prefix: p})
	}
	for i, p := range new {
		r := w.through(p, (i*7+len(new))%gateways)
		switch i % 11 {
		case 5:
			r = xdptest.Route{Prefix: p, Type: rtnBlackhole}
		case 7:
			r = xdptest.Route{Prefix: p, Type: rtnUnreachable}
		}
		add = append(add, r)
	}
	if err := w.R.RemoveRoutes(remove...); err != nil {
		return err
	}
	return w.R.AddRoutes(add...)
}

// Routes to one prefix beside each other: metrics, replacement, source.
func TestCompetingRoutes(t *testing.T) {
	p := prefix("2001:db8:77::/48")
	to := datagrams([]netip.Addr{addr("2001:db8:77::"), addr("2001:db8:77::1"), addr("2001:db8:77:ffff::1"), addr("2001:db8:78::1")})
	metric := func(w *world, i int, m uint32) xdptest.Route {
		r := w.through(p, i)
		r.Metric = m
		return r
	}
	change := func(name string, do func(*world) error) step {
		return step{name: name, do: do, frames: to, within: followWithin}
	}
	from := func(source string, frames ...netip.Addr) (all [][]byte) {
		for i, a := range frames {
			all = append(all, fromHost("a0", packet{src: addr(source), dst: a}.udp(uint16(i), 9, 4).bytes()))
		}
		return all
	}
	bySource := slices.Concat(
		from("2001:db8:5::1", addr("2001:db8:88::1"), addr("2001:db8:88:1::1"), addr("2001:db8:89::1")),
		from("2001:db8:6::1", addr("2001:db8:88::2"), addr("2001:db8:88:1::2"), addr("2001:db8:89::2")),
		from("fd66::99", addr("2001:db8:88::3"), addr("2001:db8:88:1::3"), addr("2001:db8:89::3")))
	steps := []step{
		change("a route", func(w *world) error { return w.R.AddRoutes(metric(w, 0, 100)) }),
		change("a worse one", func(w *world) error { return w.R.AddRoutes(metric(w, 1, 200)) }),
		change("a better one", func(w *world) error { return w.R.AddRoutes(metric(w, 4, 50)) }),
		change("the best goes", func(w *world) error { return w.R.RemoveRoutes(metric(w, 4, 50)) }),
		change("the best is replaced", func(w *world) error { return w.R.ReplaceRoutes(metric(w, 6, 100)) }),
		change("the worse is replaced", func(w *world) error { return w.R.ReplaceRoutes(metric(w, 7, 200)) }),
		change("the best goes again", func(w *world) error { return w.R.RemoveRoutes(metric(w, 6, 100)) }),
		change("a route by a device that is no port", func(w *world) error { return w.R.AddRoutes(metric(w, 2, 10)) }),
		change("it goes", func(w *world) error { return w.R.RemoveRoutes(metric(w, 2, 10)) }),
		change("a blackhole with the best metric", func(w *world) error {
			return w.R.AddRoutes(xdptest.Route{Prefix: p, Type: rtnBlackhole, Metric: 1})
		}),
		change("it goes", func(w *world) error { return w.R.RemoveRoutes(xdptest.Route{Prefix: p, Metric: 1, Type: rtnBlackhole}) }),
		change("a more specific route", func(w *world) error { return w.R.AddRoutes(w.through(prefix("2001:db8:77::/64"), 9)) }),
		change("a host route", func(w *world) error { return w.R.AddRoutes(w.through(prefix("2001:db8:77::1/128"), 10)) }),
		change("an on-link prefix", func(w *world) error {
			return w.R.AddRoutes(xdptest.Route{Prefix: prefix("2001:db8:77:ffff::/64"), Legs: []xdptest.Leg{{Port: w.R1}}})
		}),
		change("its host is known", func(w *world) error { return w.R1.AddNeighbor(addr("2001:db8:77:ffff::1"), gatewayMAC(200)) }),
		change("everything goes", func(w *world) error {
			return w.R.RemoveRoutes(metric(w, 7, 200), xdptest.Route{Prefix: prefix("2001:db8:77::/64")},
				xdptest.Route{Prefix: prefix("2001:db8:77::1/128")}, xdptest.Route{Prefix: prefix("2001:db8:77:ffff::/64")})
		}),
		{name: "a source-specific route", within: followWithin, frames: bySource, do: func(w *world) error {
			r := w.through(prefix("2001:db8:88::/48"), 12)
			r.Source = prefix("2001:db8:5::/48")
			return w.R.AddRoutes(r, w.through(prefix("2001:db8:80::/44"), 13))
		}},
		{name: "an ordinary one beside it", within: followWithin, frames: bySource, do: func(w *world) error {
			return w.R.AddRoutes(w.through(prefix("2001:db8:88::/48"), 15))
		}},
		{name: "an ordinary one inside it", within: followWithin, frames: bySource, do: func(w *world) error {
			return w.R.AddRoutes(w.through(prefix("2001:db8:88:1::/64"), 16))
		}},
		{name: "the source-specific one goes", within: followWithin, frames: bySource, do: func(w *world) error {
			return w.R.RemoveRoutes(xdptest.Route{Prefix: prefix("2001:db8:88::/48"), Source: prefix("2001:db8:5::/48")})
		}},
	}
	differential(t, scenario{config: threeLinks, ports: threePorts, prepare: addGateways, steps: steps}, variants)
}
