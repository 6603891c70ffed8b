package xdp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

var (
	portMAC    = [6]byte{0x02, 0xf6, 0, 0, 0, 1}
	otherMAC   = [6]byte{0x02, 0xf6, 0, 0, 0, 2}
	markMAC    = [6]byte{0x02, 'f', 'w', 'd', '6', 0}
	localAddr  = netip.MustParseAddr("2001:db8::1")
	remoteAddr = netip.MustParseAddr("2001:db8:1::2")
	sourceAddr = netip.MustParseAddr("2001:db8:2::3")
)

// sorter is a sorting program that is loaded, not attached, with a socket on
// queue 0 and two workers, of which worker 0 serves it.
type sorter struct {
	tb       testing.TB
	steering *xdp.Steering
	program  *xdp.Program
	counted  xdp.Counters
}

func newSorter(tb testing.TB, frags bool) *sorter {
	tb.Helper()
	xdptest.Privileged(tb)
	steering, err := xdp.NewSteering(2)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mustClose(tb, steering) })
	program, err := steering.Load(xdp.PortConfig{Name: "test", MAC: portMAC}, frags)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mustClose(tb, program) })
	if err := errors.Join(
		steering.AddLocal(localAddr),
		program.Steer(0, unboundSocket(tb), 0),
		program.SetPassing(false),
	); err != nil {
		tb.Fatal(err)
	}
	return &sorter{tb: tb, steering: steering, program: program}
}

func mustClose(tb testing.TB, c interface{ Close() error }) {
	if err := c.Close(); err != nil {
		tb.Error(err)
	}
}

// unboundSocket is an AF_XDP socket: all that an XSKMAP asks for.
func unboundSocket(tb testing.TB) int {
	tb.Helper()
	const afXDP = 44
	fd, err := syscall.Socket(afXDP, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(os.NewSyscallError("socket", err))
	}
	tb.Cleanup(func() { syscall.Close(fd) })
	return fd
}

// Return values of XDP programs (enum xdp_action).
const (
	xdpPass     = 2
	xdpRedirect = 4
)

// sort runs the program on a frame and returns the verdict that it counted.
func (s *sorter) sort(frame []byte) xdp.Verdict {
	s.tb.Helper()
	out := make([]byte, len(frame))
	action, err := s.program.Kernel().Run(&ebpf.RunOptions{Data: frame, DataOut: out})
	if err != nil {
		s.tb.Fatal(err)
	}
	if !bytes.Equal(out, frame) {
		s.tb.Errorf("frame after the program = %x, want %x", out, frame)
	}
	v := s.newlyCounted()
	want := uint32(xdpPass)
	if v == xdp.Steered {
		want = xdpRedirect
	}
	if action != want {
		s.tb.Errorf("XDP action of verdict %v = %d, want %d", v, action, want)
	}
	return v
}

// newlyCounted is the one verdict counted since the last call.
func (s *sorter) newlyCounted() xdp.Verdict {
	s.tb.Helper()
	now, err := s.program.Counters()
	if err != nil {
		s.tb.Fatal(err)
	}
	found, total := xdp.NumVerdicts, uint64(0)
	for v, n := range now {
		if d := n - s.counted[v]; d != 0 {
			found = xdp.Verdict(v)
			total += d
		}
	}
	s.counted = now
	if total != 1 {
		s.tb.Fatalf("frames counted = %d, want 1", total)
	}
	return found
}

// beat is one sign of life of worker 0.
func (s *sorter) beat() { s.steering.Heartbeat(0).Add(1) }

// packet is a UDP packet in transit: what the program is to steer.
type packet struct {
	eth layers.Ethernet
	ip6 layers.IPv6
}

func build(tb testing.TB, change func(*packet)) []byte {
	tb.Helper()
	p := packet{
		layers.Ethernet{SrcMAC: otherMAC[:], DstMAC: portMAC[:], EthernetType: layers.EthernetTypeIPv6},
		layers.IPv6{Version: 6, NextHeader: layers.IPProtocolUDP, HopLimit: 64,
			SrcIP: sourceAddr.AsSlice(), DstIP: remoteAddr.AsSlice()},
	}
	if change != nil {
		change(&p)
	}
	udp := layers.UDP{SrcPort: 1, DstPort: 2}
	if err := udp.SetNetworkLayerForChecksum(&p.ip6); err != nil {
		tb.Fatal(err)
	}
	return serialize(tb, &p.eth, &p.ip6, &udp, gopacket.Payload("what is carried does not matter"))
}

func serialize(tb testing.TB, all ...gopacket.SerializableLayer) []byte {
	tb.Helper()
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buffer, options, all...); err != nil {
		tb.Fatal(err)
	}
	return bytes.Clone(buffer.Bytes())
}

func to(addr string) func(*packet) {
	return func(p *packet) { p.ip6.DstIP = netip.MustParseAddr(addr).AsSlice() }
}

func from(addr string) func(*packet) {
	return func(p *packet) { p.ip6.SrcIP = netip.MustParseAddr(addr).AsSlice() }
}

func etherType(t layers.EthernetType) func(*packet) {
	return func(p *packet) { p.eth.EthernetType = t }
}

type sortCase struct {
	name  string
	frame []byte
	want  xdp.Verdict
}

// sortCases are frames for the port of newSorter, not in generic mode.
func sortCases(tb testing.TB) []sortCase {
	transit := build(tb, nil)
	cases := []sortCase{
		{"transit", transit, xdp.Steered},
		{"minimal", transit[:54], xdp.Steered},
		{"version 4", patch(transit, 14, 0x40), xdp.PassVersion},
		{"version 15", patch(transit, 14, 0xf0), xdp.PassVersion},
		{"traffic class and flow label", patch(transit, 14, 0x6f), xdp.Steered},
		{"IPv4", build(tb, etherType(layers.EthernetTypeIPv4)), xdp.PassNotIPv6},
		{"LLDP", build(tb, etherType(layers.EthernetTypeLinkLayerDiscovery)), xdp.PassNotIPv6},
		{"LACP", build(tb, etherType(0x8809)), xdp.PassNotIPv6},
		{"802.3 length", build(tb, etherType(60)), xdp.PassNotIPv6},
		{"ARP", arp(tb), xdp.PassNotIPv6},
		{"VLAN", vlan(tb, layers.EthernetTypeDot1Q), xdp.PassNotIPv6},
		{"service VLAN", vlan(tb, layers.EthernetTypeQinQ), xdp.PassNotIPv6},
		{"Ethernet header alone", transit[:14], xdp.PassShort},
		{"one byte short", transit[:53], xdp.PassShort},
		{"IPv4 cut", build(tb, etherType(layers.EthernetTypeIPv4))[:20], xdp.PassNotIPv6},
		{"other MAC", build(tb, func(p *packet) { p.eth.DstMAC = otherMAC[:] }), xdp.PassOtherMAC},
		{"broadcast MAC", build(tb, func(p *packet) { p.eth.DstMAC = layers.EthernetBroadcast }), xdp.PassOtherMAC},
		{"injected, but not in generic mode", build(tb, func(p *packet) { p.eth.SrcMAC = markMAC[:] }), xdp.Steered},
		{"hop-by-hop", build(tb, func(p *packet) { p.ip6.NextHeader = layers.IPProtocolIPv6HopByHop }), xdp.PassHopByHop},
		{"fragment header", patch(transit, 20, byte(layers.IPProtocolIPv6Fragment)), xdp.Steered},
		{"destination options", patch(transit, 20, byte(layers.IPProtocolIPv6Destination)), xdp.Steered},
		{"hop limit 0", patch(transit, 21, 0), xdp.Steered},
		{"local", build(tb, to(localAddr.String())), xdp.PassLocal},
		{"from local", build(tb, from(localAddr.String())), xdp.Steered},
	}
	for _, mac := range []int{0, 1, 2, 3, 4, 5} {
		cases = append(cases, sortCase{"MAC, one bit off", patch(transit, mac, transit[mac]^0x10), xdp.PassOtherMAC})
	}
	for _, a := range []struct {
		addr string
		want xdp.Verdict
	}{
		{"ff02::1", xdp.PassMulticast},
		{"ff0e::1234", xdp.PassMulticast},
		{"ff00::", xdp.PassMulticast},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", xdp.PassMulticast},
		{"fe80::", xdp.PassLinkLocal},
		{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", xdp.PassLinkLocal},
		{"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", xdp.Steered},
		{"fec0::1", xdp.Steered}, // site-local: a unicast address as others
		{"::", xdp.PassReserved},
		{"::1", xdp.PassReserved},
		{"::192.0.2.1", xdp.PassReserved},
		{"::ffff:192.0.2.1", xdp.PassReserved},
		{"::fffe:192.0.2.1", xdp.Steered},
		{"::1:0:0", xdp.Steered},
		{"::1:0:0:0", xdp.Steered},
		{"::1:0:0:0:0", xdp.Steered},
		{"0:1::", xdp.Steered},
		{"64:ff9b::192.0.2.1", xdp.Steered},
		{"fd00::1", xdp.Steered},
		{"2001:db8::2", xdp.Steered},
	} {
		cases = append(cases,
			sortCase{"to " + a.addr, build(tb, to(a.addr)), a.want},
			sortCase{"from " + a.addr, build(tb, from(a.addr)), a.want})
	}
	return cases
}

func patch(frame []byte, at int, b byte) []byte {
	patched := bytes.Clone(frame)
	patched[at] = b
	return patched
}

func arp(tb testing.TB) []byte {
	return serialize(tb,
		&layers.Ethernet{SrcMAC: otherMAC[:], DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, Operation: layers.ARPRequest,
			SourceHwAddress: otherMAC[:], SourceProtAddress: []byte{192, 0, 2, 1},
			DstHwAddress: make([]byte, 6), DstProtAddress: []byte{192, 0, 2, 2}})
}

func vlan(tb testing.TB, tag layers.EthernetType) []byte {
	inner := build(tb, nil)
	return serialize(tb,
		&layers.Ethernet{SrcMAC: otherMAC[:], DstMAC: portMAC[:], EthernetType: tag},
		&layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeIPv6},
		gopacket.Payload(inner[14:]))
}

func TestSort(t *testing.T) {
	for _, frags := range []bool{true, false} {
		s := newSorter(t, frags)
		for _, tt := range sortCases(t) {
			s.beat()
			if got := s.sort(tt.frame); got != tt.want {
				t.Errorf("frags %v: %s: verdict = %v, want %v", frags, tt.name, got, tt.want)
			}
		}
	}
}

// A frame is steered only if both its headers are there, wherever it is cut.
func TestSortTruncated(t *testing.T) {
	s := newSorter(t, true)
	frame := build(t, nil)
	for n := range 81 {
		s.beat()
		if n < 14 {
			// The kernel has no frames without an Ethernet header.
			if _, err := s.program.Kernel().Run(&ebpf.RunOptions{Data: frame[:n]}); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%d bytes: error = %v, want EINVAL", n, err)
			}
			continue
		}
		want := xdp.PassShort
		if n >= 54 {
			want = xdp.Steered
		}
		if got := s.sort(frame[:n]); got != want {
			t.Errorf("%d bytes: verdict = %v, want %v", n, got, want)
		}
	}
}

func TestSortByPortState(t *testing.T) {
	s := newSorter(t, true)
	frame := build(t, nil)
	other := build(t, func(p *packet) { p.eth.DstMAC = otherMAC[:] })
	expect := func(what string, frame []byte, want xdp.Verdict) {
		t.Helper()
		s.beat()
		if got := s.sort(frame); got != want {
			t.Errorf("%s: verdict = %v, want %v", what, got, want)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	expect("at first", frame, xdp.Steered)

	do(s.program.SetPassing(true))
	expect("passing", frame, xdp.PassPassing)
	do(s.program.SetMAC(otherMAC))
	expect("passing, MAC changed", other, xdp.PassPassing)
	do(s.program.SetPassing(false))
	expect("new MAC", other, xdp.Steered)
	expect("old MAC", frame, xdp.PassOtherMAC)
	do(s.program.SetMAC(portMAC))
	expect("old MAC again", frame, xdp.Steered)

	do(s.steering.AddLocal(remoteAddr))
	do(s.steering.AddLocal(remoteAddr))
	expect("address added", frame, xdp.PassLocal)
	do(s.steering.RemoveLocal(remoteAddr))
	do(s.steering.RemoveLocal(remoteAddr))
	expect("address removed", frame, xdp.Steered)

	do(s.program.Unsteer(0))
	do(s.program.Unsteer(0))
	expect("no socket", frame, xdp.PassNoSocket)
	do(s.program.Steer(0, unboundSocket(t), 0))
	expect("socket again", frame, xdp.Steered)

	s.program.SetGeneric()
	expect("generic mode", frame, xdp.Steered)
	expect("injected", build(t, func(p *packet) { p.eth.SrcMAC = markMAC[:] }), xdp.PassInjected)
	do(s.program.SetMAC(portMAC))
	expect("injected, after SetMAC", build(t, func(p *packet) { p.eth.SrcMAC = markMAC[:] }), xdp.PassInjected)
}

// The kernel takes a socket that is closed out of the map by itself.
func TestSortSocketClosed(t *testing.T) {
	s := newSorter(t, true)
	fd := unboundSocket(t)
	if err := s.program.Steer(0, fd, 0); err != nil {
		t.Fatal(err)
	}
	s.beat()
	if got := s.sort(build(t, nil)); got != xdp.Steered {
		t.Errorf("verdict with a socket = %v, want %v", got, xdp.Steered)
	}
	syscall.Close(fd)
	deadline := time.Now().Add(5 * time.Second)
	for s.sort(build(t, nil)) == xdp.Steered {
		s.beat()
		if time.Now().After(deadline) {
			t.Fatal("still steered to a socket that is closed")
		}
		time.Sleep(time.Millisecond)
	}
	if err := s.program.Unsteer(0); err != nil {
		t.Error(err)
	}
}

func TestSteerRefusesNonsense(t *testing.T) {
	s := newSorter(t, true)
	fd := unboundSocket(t)
	for _, tt := range []struct {
		name              string
		queue, fd, worker int
	}{
		{"negative queue", -1, fd, 0},
		{"queue beyond all", 1024, fd, 0},
		{"negative worker", 0, fd, -1},
		{"worker that there is not", 0, fd, 2},
		{"file that is no socket", 0, int(os.Stdin.Fd()), 0},
	} {
		if err := s.program.Steer(tt.queue, tt.fd, tt.worker); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
}

// stale is longer than the program waits for a heartbeat, at any tick length.
const stale = 50 * time.Millisecond

func TestHeartbeat(t *testing.T) {
	s := newSorter(t, true)
	frame := build(t, nil)
	worker := s.steering.Heartbeat(0)
	expect := func(what string, want xdp.Verdict) {
		t.Helper()
		if got := s.sort(frame); got != want {
			t.Errorf("%s: verdict = %v, want %v", what, got, want)
		}
	}
	expect("never beaten", xdp.PassStale)
	worker.Add(1)
	expect("first beat", xdp.Steered)
	expect("same beat, at once", xdp.Steered)
	time.Sleep(stale)
	expect("same beat, late", xdp.PassStale)
	expect("same beat, later", xdp.PassStale)
	worker.Add(1)
	expect("resumed", xdp.Steered)

	worker.Add(1000) // it lives while no packet comes
	time.Sleep(stale)
	expect("after a pause", xdp.Steered)
	time.Sleep(stale)
	expect("stopped in the pause", xdp.PassStale)

	worker.Store(math.MaxUint64)
	expect("largest value", xdp.Steered)
	worker.Add(1)
	expect("wrapped", xdp.Steered)
	time.Sleep(stale)
	expect("stopped at zero", xdp.PassStale)

	s.steering.Heartbeat(1).Add(1)
	expect("another worker's beat", xdp.PassStale)
	if err := s.program.Steer(0, unboundSocket(t), 1); err != nil {
		t.Fatal(err)
	}
	expect("that worker's queue", xdp.Steered)
}

// A worker that beats as slowly as it may is never taken for dead.
func TestHeartbeatSlow(t *testing.T) {
	s := newSorter(t, true)
	frame := build(t, nil)
	late := 0
	for range 100 {
		last := time.Now()
		s.beat()
		for time.Since(last) < 2*time.Millisecond {
			// On a busy machine this test may itself be late.
			if s.sort(frame) != xdp.Steered && time.Since(last) < 5*time.Millisecond {
				late++
			}
		}
	}
	if late != 0 {
		t.Errorf("packets taken from a worker that lives = %d, want 0", late)
	}
}

// Each worker's word has a cache line to itself.
func TestHeartbeatIsTheKernelsWord(t *testing.T) {
	s := newSorter(t, true)
	s.steering.Heartbeat(1).Store(7)
	if got := s.steering.Heartbeat(0).Load(); got != 0 {
		t.Errorf("heartbeat of worker 0 = %d, want 0", got)
	}
}

// sortModel is the sort, slow and obvious. Port and local address are those of
// newSorter.
func sortModel(frame []byte, passing, generic bool) xdp.Verdict {
	if passing {
		return xdp.PassPassing
	}
	if len(frame) < 14 {
		return xdp.PassShort
	}
	if binary.BigEndian.Uint16(frame[12:]) != 0x86dd {
		return xdp.PassNotIPv6
	}
	if generic && bytes.Equal(frame[6:12], markMAC[:]) {
		return xdp.PassInjected
	}
	if len(frame) < 54 {
		return xdp.PassShort
	}
	if frame[14]>>4 != 6 {
		return xdp.PassVersion
	}
	source, destination := netip.AddrFrom16([16]byte(frame[22:])), netip.AddrFrom16([16]byte(frame[38:]))
	for _, a := range []netip.Addr{destination, source} {
		switch {
		case netip.MustParsePrefix("ff00::/8").Contains(a):
			return xdp.PassMulticast
		case netip.MustParsePrefix("fe80::/10").Contains(a):
			return xdp.PassLinkLocal
		case netip.MustParsePrefix("::/96").Contains(a), a.Is4In6():
			return xdp.PassReserved
		}
	}
	switch {
	case frame[20] == 0:
		return xdp.PassHopByHop
	case !bytes.Equal(frame[:6], portMAC[:]):
		return xdp.PassOtherMAC
	case destination == localAddr:
		return xdp.PassLocal
	}
	return xdp.Steered
}

func FuzzSort(f *testing.F) {
	for _, c := range sortCases(f) {
		f.Add(c.frame, false, false)
	}
	f.Add(build(f, func(p *packet) { p.eth.SrcMAC = markMAC[:] }), false, true)
	f.Add(build(f, nil), true, false)
	plain, generic := newSorter(f, true), newSorter(f, true)
	generic.program.SetGeneric()
	f.Fuzz(func(t *testing.T, frame []byte, passing, isGeneric bool) {
		if len(frame) < 14 || len(frame) > 3000 {
			t.Skip("the kernel runs no such frame")
		}
		s := plain
		if isGeneric {
			s = generic
		}
		s.tb = t
		if err := s.program.SetPassing(passing); err != nil {
			t.Fatal(err)
		}
		s.beat()
		if got, want := s.sort(frame), sortModel(frame, passing, isGeneric); got != want {
			t.Errorf("verdict on %x (passing %v, generic %v) = %v, want %v", frame, passing, isGeneric, got, want)
		}
	})
}

func BenchmarkSort(b *testing.B) {
	for _, c := range []struct {
		name   string
		change func(*packet)
	}{
		{"steered", nil},
		{"local", to(localAddr.String())},
		{"not_ipv6", etherType(layers.EthernetTypeIPv4)},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newSorter(b, true)
			frame := build(b, c.change)
			s.beat()
			var inKernel time.Duration
			for range b.N/1000 + 1 {
				s.beat()
				_, d, err := s.program.Kernel().Benchmark(frame, 1000, nil)
				if err != nil {
					b.Fatal(err)
				}
				inKernel += d
			}
			b.ReportMetric(float64(inKernel.Nanoseconds())/float64(b.N/1000+1), "ns/op")
		})
	}
}
