package dataplane

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/xdp"
)

// BenchmarkStage measures each stage by itself, on batches of 64-byte frames
// that stay in L1, with few routes: what the line's own code costs. The whole
// line, with rings and a full table, is in bench/.
func BenchmarkStage(b *testing.B) {
	r := newRig(b, xdp.SocketConfig{})
	for i := range 256 {
		r.route(fmt.Sprintf("2001:db8:%x::/48", i), via(1, byte(i)))
	}
	var frames [][]byte
	for i := range BatchSize {
		a := netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 5: byte(i * 4), 15: 1})
		frames = append(frames, frame(dst(a.String()), size(50)))
	}
	batch := batchOf(2048, frames...)
	batch.from, batch.port = 0, 0
	line := func(stages ...func()) {
		for _, s := range stages {
			s()
		}
	}
	classify := batch.classify
	lookup := func() { batch.lookup(r.fib) }
	rewrite := func() { batch.rewrite(r.fib) }
	line(classify, lookup, rewrite)
	if batch.reason[0] != Forward {
		b.Fatalf("the packets are not forwarded: %v", batch.reason[0])
	}

	for _, stage := range []struct {
		name string
		run  func()
	}{
		{"classify", classify},
		{"lookup", lookup},
		{"rewrite", func() {
			for i := range batch.n {
				batch.headers(i)[21] = 64
			}
			rewrite()
		}},
		{"classify+lookup+rewrite", func() {
			for i := range batch.n {
				batch.headers(i)[21] = 64
			}
			line(classify, lookup, rewrite)
		}},
	} {
		b.Run(stage.name, func(b *testing.B) {
			for b.Loop() {
				stage.run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/BatchSize, "ns/packet")
		})
	}
	b.Run("flowHash", func(b *testing.B) {
		p, sum := batch.headers(0), uint32(0)
		for b.Loop() {
			sum += flowHash(p)
		}
		_ = sum
	})
}
