package main_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// ip4 is R's world of IPv4: 10.66.0.0/24 behind r0, 10.66.1.0/24 behind r1.
func ip4(w *world) error {
	return errors.Join(
		plainRoutes(w),
		w.R.Sysctl("ipv4/conf/all/forwarding", "1"),
		addIP4(w.R0, netip.MustParsePrefix("10.66.0.1/24")),
		addIP4(w.R1, netip.MustParsePrefix("10.66.1.1/24")),
		addNeighbor4(w.R1, addr("10.66.1.99"), mac("b0")),
		addNeighbor4(w.R0, addr("10.66.0.99"), mac("a0")),
	)
}

// IPv4 and ARP pass fwd6 by.
func TestOtherProtocols(t *testing.T) {
	datagram := func(ttl byte, dst string, n int) []byte {
		b := binary.BigEndian.AppendUint16([]byte{0x45, 0}, uint16(28+n))
		b = append(b, 0x12, 0x34, 0x40, 0, ttl, udp, 0, 0)
		b = append(b, addr("10.66.0.99").AsSlice()...)
		b = append(b, addr(dst).AsSlice()...)
		binary.BigEndian.PutUint16(b[10:], checksum(b))
		b = binary.BigEndian.AppendUint16(append(b, 1, 2, 3, 4), uint16(8+n))
		return append(append(b, 0, 0), pattern(n)...)
	}
	arp := func(op byte, target string) []byte {
		b := append([]byte{0, 1, 8, 0, 6, 4, 0, op}, mac("a0")...)
		b = append(append(b, addr("10.66.0.99").AsSlice()...), make([]byte, 6)...)
		return append(b, addr(target).AsSlice()...)
	}
	broadcast := net.HardwareAddr{255, 255, 255, 255, 255, 255}
	var steps []step
	for _, n := range []int{0, 18, 100, 1400, 1472} {
		for _, ttl := range []byte{0, 1, 2, 64, 255} {
			for _, dst := range []string{"10.66.1.99", "10.66.0.98"} {
				steps = append(steps, step{
					name:   fmt.Sprintf("%d bytes of IPv4 to %s, TTL %d", n, dst, ttl),
					frames: [][]byte{frameTo(mac("r0"), mac("a0"), etherIPv4, datagram(ttl, dst, n))},
				})
			}
		}
	}
	for _, target := range []string{"10.66.0.1", "10.66.1.1", "10.66.0.7"} {
		steps = append(steps,
			step{name: "ARP for " + target, frames: [][]byte{frameTo(broadcast, mac("a0"), etherARP, arp(1, target))}},
			step{name: "ARP with padding for " + target, frames: [][]byte{frameTo(broadcast, mac("a0"), etherARP, append(arp(1, target), make([]byte, 18)...))}},
			step{name: "ARP to R alone for " + target, frames: [][]byte{frameTo(mac("r0"), mac("a0"), etherARP, arp(1, target))}})
	}
	differential(t, scenario{config: threeLinks, prepare: ip4, ports: threePorts, steps: steps}, variants)
}

// What R resolves, and what it cannot. B answers for its own addresses, and R
// must find it; nobody answers for the rest.
func TestNeighbors(t *testing.T) {
	unknown := func(w *world) error {
		return errors.Join(
			// Give up after 3 solicitations, one each 60 ms rather than 1 s.
			w.R.Sysctl("ipv6/neigh/r1/retrans_time_ms", "60"),
			w.R.Sysctl("ipv6/neigh/r0/retrans_time_ms", "60"),
			w.R0.AddNeighbor(hostA, mac("a0")), w.R1.AddNeighbor(hostB, mac("b0")),
			w.R1.AddNeighbor(addr("fd66:1::98"), mac("b0")),
			w.R1.AddNeighbor(addr("fd66:1::97"), net.HardwareAddr{2, 0, 0, 0, 0, 0x97}),
			w.B0.AddAddress(netip.MustParsePrefix("fd66:1::50/64")),
			w.B0.AddAddress(netip.MustParsePrefix("fd66:1::51/64")),
			w.R.AddRoutes(
				xdptest.Route{Prefix: prefix("2001:db8:51::/48"), Legs: []xdptest.Leg{{Via: addr("fd66:1::51"), Port: w.R1}}},
				xdptest.Route{Prefix: prefix("2001:db8:52::/48"), Legs: []xdptest.Leg{{Via: w.B0.Link, Port: w.R1}}},
				xdptest.Route{Prefix: prefix("2001:db8:76::/48"), Legs: []xdptest.Leg{{Via: addr("fd66:1::76"), Port: w.R1}}},
				xdptest.Route{Prefix: prefix("2001:db8:aaaa::/48"), Legs: []xdptest.Leg{{Port: w.R1}}},
			),
		)
	}
	burst := func(dst string, from, n int) (all [][]byte) {
		for i := range n {
			all = append(all, frames("a0", packet{dst: addr(dst), next: noNext, payload: []byte{byte(from + i)}})...)
		}
		return all
	}
	steps := []step{
		{name: "an on-link host, not yet known", frames: burst("fd66:1::50", 0, 3)},
		{name: "the host, known", frames: burst("fd66:1::50", 3, 3)},
		{name: "a gateway, not yet known", frames: burst("2001:db8:51::1", 0, 3)},
		{name: "the gateway, known", frames: burst("2001:db8:51::2", 3, 3)},
		{name: "a link-local gateway, not yet known", frames: burst("2001:db8:52::1", 0, 3)},
		{name: "the link-local gateway, known", frames: burst("2001:db8:52::2", 3, 3)},
		{name: "another host of the prefix", frames: burst("fd66:1::98", 0, 3), transit: true},
		{name: "a host with a MAC of its own", frames: burst("fd66:1::97", 0, 3), transit: true},
		{name: "a host that nobody is", frames: burst("fd66:1::77", 0, 3), settle: 400 * time.Millisecond},
		{name: "the host again", frames: burst("fd66:1::77", 3, 3), settle: 400 * time.Millisecond},
		{name: "a gateway that nobody is", frames: burst("2001:db8:76::1", 0, 3), settle: 400 * time.Millisecond},
		{name: "a route whose hosts are on the link, and nobody is", frames: burst("2001:db8:aaaa::1", 0, 3), settle: 400 * time.Millisecond},
		{name: "the host is there", do: func(w *world) error {
			return w.R1.AddNeighbor(addr("fd66:1::77"), net.HardwareAddr{2, 0, 0, 0, 0, 0x77})
		}, frames: burst("fd66:1::77", 6, 3), transit: true},
		{name: "the gateway is there", do: func(w *world) error {
			return w.R1.AddNeighbor(addr("fd66:1::76"), net.HardwareAddr{2, 0, 0, 0, 0, 0x76})
		}, frames: burst("2001:db8:76::1", 6, 3), transit: true},
		{name: "a host of the on-link route is there", do: func(w *world) error {
			return w.R1.AddNeighbor(addr("2001:db8:aaaa::2"), net.HardwareAddr{2, 0, 0, 0, 0, 0xaa})
		}, frames: burst("2001:db8:aaaa::2", 6, 3), transit: true},
		{name: "its neighbor is still nobody", frames: burst("2001:db8:aaaa::3", 0, 3), settle: 400 * time.Millisecond},
		{name: "the host is gone", do: func(w *world) error { return w.R1.RemoveNeighbor(addr("fd66:1::77")) },
			frames: burst("fd66:1::77", 9, 3), settle: 400 * time.Millisecond},
		{name: "fwd6 forwards to those it learnt", frames: slices.Concat(
			burst("fd66:1::50", 9, 1), burst("2001:db8:51::3", 9, 1), burst("2001:db8:52::3", 9, 1)), transit: true},
	}
	differential(t, scenario{prepare: unknown, steps: steps}, variants)
}

// Connections to R, from R and through R live as without fwd6: what A, R and B
// say is up to their kernels, so bytes are compared end to end.
func TestConnections(t *testing.T) {
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, xdptest.Config{})
			if err := plainRoutes(w); err != nil {
				t.Fatal(err)
			}
			w.start(t, []string{"r0", "r1"}, args...)
			for _, c := range []struct {
				name     string
				from, to *xdptest.Namespace
				addr     netip.Addr
			}{
				{"A to R's near address", w.A, w.R, w.R0.Addr},
				{"A to R's far address", w.A, w.R, w.R1.Addr},
				{"A to R's lo", w.A, w.R, loopback},
				{"A to B", w.A, w.B, w.B0.Addr},
				{"B to A", w.B, w.A, w.A0.Addr},
				{"R to A", w.R, w.A, w.A0.Addr},
				{"R to B", w.R, w.B, w.B0.Addr},
				{"A to R's link-local address", w.A, w.R, w.R0.Link.WithZone("a0")},
			} {
				if err := transfer(c.from, c.to, c.addr, 1<<20); err != nil {
					t.Errorf("TCP from %s: %v", c.name, err)
				}
				if err := ping(c.from, c.addr, 20); err != nil {
					t.Errorf("ping from %s: %v", c.name, err)
				}
			}
		})
	}
}

// transfer sends random bytes over TCP and compares checksums.
func transfer(from, to *xdptest.Namespace, addr netip.Addr, size int64) error {
	here, there, err := connect(from, to, addr)
	if err != nil {
		return err
	}
	defer here.Close()
	defer there.Close()
	deadline := time.Now().Add(10 * time.Second)
	here.SetDeadline(deadline)
	there.SetDeadline(deadline)
	sent, received := sha256.New(), sha256.New()
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(received, there)
		done <- err
	}()
	_, err = io.Copy(here, io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{6}), size), sent))
	if err := errors.Join(err, here.CloseWrite(), <-done); err != nil {
		return err
	}
	if !slices.Equal(sent.Sum(nil), received.Sum(nil)) {
		return errors.New("other bytes arrived than were sent")
	}
	return nil
}

// connect opens a TCP connection to an address of another namespace.
func connect(from, to *xdptest.Namespace, addr netip.Addr) (here, there *net.TCPConn, err error) {
	var listener *net.TCPListener
	if err := to.Do(func() (err error) {
		listener, err = net.ListenTCP("tcp6", &net.TCPAddr{})
		return err
	}); err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	port := uint16(listener.Addr().(*net.TCPAddr).Port)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := from.Do(func() error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp6", netip.AddrPortFrom(addr, port).String())
		if err == nil {
			here = conn.(*net.TCPConn)
		}
		return err
	}); err != nil {
		return nil, nil, err
	}
	listener.SetDeadline(time.Now().Add(5 * time.Second))
	if there, err = listener.AcceptTCP(); err != nil {
		here.Close()
	}
	return here, there, err
}

// ping sends echo requests one by one and waits for each answer.
func ping(from *xdptest.Namespace, addr netip.Addr, count int) error {
	return from.Do(func() error {
		conn, err := net.ListenPacket("ip6:ipv6-icmp", "::")
		if err != nil {
			return err
		}
		defer conn.Close()
		for i := range count {
			request := append([]byte{128, 0, 0, 0, 0x66, 0x36, 0, byte(i)}, pattern(i*50)...)
			if _, err := conn.WriteTo(request, &net.IPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}); err != nil {
				return err
			}
			conn.SetReadDeadline(time.Now().Add(2 * time.Second))
			for buffer := make([]byte, 2048); ; {
				n, _, err := conn.ReadFrom(buffer)
				if err != nil {
					return fmt.Errorf("no answer from %v to request %d: %w", addr, i, err)
				}
				if buffer[0] == 129 && slices.Equal(buffer[4:n], request[4:]) {
					break
				}
			}
		}
		return nil
	})
}
