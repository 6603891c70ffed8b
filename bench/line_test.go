package bench

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/bench/workload"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// BenchmarkLine runs 64-byte frames down the whole line, from the RX ring of
// one socket to the TX ring of another, over rings in memory: everything that
// is fwd6's own, nothing of the kernel's. What the benchmark does in the
// kernel's place (Deliver, Discard) is measured by itself as "kernel side",
// and has to be taken off.
func BenchmarkLine(b *testing.B) {
	for _, routes := range []int{1, 1_000, 100_000} {
		b.Run(fmt.Sprintf("routes=%d", routes), func(b *testing.B) { benchmarkLine(b, routes) })
	}
}

const burst = 64

func benchmarkLine(b *testing.B, routes int) {
	f, destinations := table(b, routes)
	rings := xdptest.NewRings(b, xdp.SocketConfig{RingSize: 1024}, 2)
	worker := dataplane.NewWorker(f, rings, []dataplane.PortID{0, 1}, []int{1, 2})
	frames := make([][][]byte, len(destinations)/burst)
	for i := range frames {
		for _, dst := range destinations[i*burst : (i+1)*burst] {
			frames[i] = append(frames[i], smallFrame(dst))
		}
	}
	in, out := rings.End(0), rings.End(1)
	sent := 0
	for i := 0; b.Loop(); i++ {
		in.Deliver(frames[i%len(frames)]...)
		worker.Round()
		sent += out.Discard()
	}
	if sent != b.N*burst {
		b.Fatalf("%d of %d packets forwarded", sent, b.N*burst)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/burst, "ns/packet")
}

// BenchmarkLineKernelSide is what BenchmarkLine spends in the kernel's place:
// the same bursts through rings whose worker does nothing but pass them on.
func BenchmarkLineKernelSide(b *testing.B) {
	rings := xdptest.NewRings(b, xdp.SocketConfig{RingSize: 1024}, 2)
	var frames [][]byte
	for range burst {
		frames = append(frames, smallFrame(netip.MustParseAddr("2001:db8::1")))
	}
	descs := make([]xdp.Desc, burst)
	in, out := rings.End(0), rings.End(1)
	for b.Loop() {
		in.Deliver(frames...)
		n := rings.Receive(0, descs)
		rings.Transmit(1, 0, descs[:n])
		if err := rings.Flush(); err != nil {
			b.Fatal(err)
		}
		out.Discard()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/burst, "ns/packet")
}

// table makes a FIB of an Internet-like table whose routes all leave by port 1,
// through 16 next hops, and random destinations in it.
func table(b *testing.B, routes int) (*dataplane.FIB, []netip.Addr) {
	f := dataplane.NewFIB()
	var groups []fib.GroupID
	for i := range fib.NextHopID(16) {
		f.Adjacencies.Set(i+1, dataplane.Adjacency{Rewrite: [14]byte{2, 5: byte(i), 12: 0x86, 13: 0xdd}, Port: 1, MTU: 1500})
		g, err := fib.NewGroup([]fib.Leg{{NextHop: i + 1, Weight: 1}})
		if err != nil {
			b.Fatal(err)
		}
		id, err := f.Groups.Add(g)
		if err != nil {
			b.Fatal(err)
		}
		groups = append(groups, id)
	}
	prefixes := []netip.Prefix{netip.MustParsePrefix("::/0")}
	if routes > 1 {
		prefixes = workload.Table(routes, 1)
	}
	for i, p := range prefixes {
		if err := f.Routes.Add(p, groups[i%len(groups)]); err != nil {
			b.Fatal(err)
		}
	}
	if routes == 1 {
		prefixes = []netip.Prefix{netip.MustParsePrefix("2000::/3")}
	}
	return f, workload.Hits(prefixes, 1<<16, 1)
}

// smallFrame is a 64-byte frame: an IPv6 header and 10 bytes.
func smallFrame(dst netip.Addr) []byte {
	f := make([]byte, 64)
	binary.BigEndian.PutUint16(f[12:], 0x86dd)
	f[14], f[19], f[20], f[21] = 0x60, 10, 59, 64
	src, to := netip.MustParseAddr("2001:db8:a::2").As16(), dst.As16()
	copy(f[22:], src[:])
	copy(f[38:], to[:])
	return f
}
