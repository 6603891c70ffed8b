package xdptest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp"
)

// What is delivered on one socket and transmitted on another is collected
// there, whole, also when it takes several chunks.
func TestRingsCarryFrames(t *testing.T) {
	r := NewRings(t, xdp.SocketConfig{MultiBuffer: true}, 2)
	var descs [64]xdp.Desc
	for round := range 300 {
		want := [][]byte{
			bytes.Repeat([]byte{byte(round)}, 60),
			bytes.Repeat([]byte{byte(round + 1)}, 9014),
		}
		if n := r.End(0).Deliver(want...); n != 2 {
			t.Fatalf("Deliver = %d, want 2", n)
		}
		n := r.Receive(0, descs[:])
		if sent := r.Transmit(1, 0, descs[:n]); sent != n || n != 7 {
			t.Fatalf("received %d pieces and transmitted %d, want 7 and 7", n, sent)
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		got := r.End(1).Collect()
		if len(got) != 2 || !bytes.Equal(got[0], want[0]) || !bytes.Equal(got[1], want[1]) {
			t.Fatalf("round %d: collected %d frames, or their bytes differ", round, len(got))
		}
	}
	if err := r.Audit(); err != nil {
		t.Error(err)
	}
}

// The end drops and counts as the kernel does.
func TestDeliverDrops(t *testing.T) {
	r := NewRings(t, xdp.SocketConfig{RingSize: 16}, 1)
	end := r.End(0)
	if n := end.Deliver(make([]byte, 1793)); n != 0 {
		t.Error("a frame longer than a chunk was delivered without MultiBuffer")
	}
	for range 20 {
		end.Deliver(make([]byte, 60))
	}
	stats, err := r.Stats(0)
	if err != nil {
		t.Fatal(err)
	}
	if want := (xdp.SocketStats{RxDropped: 1, RxRingFull: 4}); stats != want {
		t.Errorf("Stats = %+v, want %+v", stats, want)
	}
	var descs [16]xdp.Desc
	n := r.Receive(0, descs[:])
	end.Deliver(make([]byte, 60)) // the worker holds all that the fill ring had
	if stats, _ = r.Stats(0); n != 16 || stats.FillRingEmpty != 1 {
		t.Errorf("received %d and found the fill ring empty %d times, want 16 and 1", n, stats.FillRingEmpty)
	}
	if err := r.Audit(descs[:n]...); err != nil {
		t.Error(err)
	}
}

func TestAuditFinds(t *testing.T) {
	var descs [4]xdp.Desc
	for _, tt := range []struct {
		name string
		held []xdp.Desc
		do   func(r *Rings)
		want string
	}{
		{"a frame that was lost", descs[:3], func(*Rings) {}, "no owner"},
		{"a frame freed and kept", descs[:4], func(r *Rings) { r.Free(0, descs[:1]) }, "two owners"},
		{"a frame sent and kept", descs[:4], func(r *Rings) { r.Transmit(0, 0, descs[:1]) }, "two owners"},
	} {
		r := NewRings(t, xdp.SocketConfig{}, 1)
		for range descs {
			r.End(0).Deliver(make([]byte, 60))
		}
		if n := r.Receive(0, descs[:]); n != len(descs) {
			t.Fatalf("received %d", n)
		}
		tt.do(r)
		r.Flush()
		if err := r.Audit(tt.held...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Audit = %v, want %q", tt.name, err, tt.want)
		}
	}
}

// The worker and the kernel's ends may run on different cores.
func TestRingsConcurrent(t *testing.T) {
	r := NewRings(t, xdp.SocketConfig{}, 2)
	const total = 5000
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		for n := 0; n < total; {
			n += r.End(0).Deliver(make([]byte, 60))
		}
	}()
	collected := make(chan int)
	go func() {
		n := 0
		for deadline := time.Now().Add(20 * time.Second); n < total && time.Now().Before(deadline); {
			n += len(r.End(1).Collect())
		}
		collected <- n
	}()
	var descs [64]xdp.Desc
	for sent := 0; sent < total; {
		n := r.Receive(0, descs[:])
		taken := r.Transmit(1, 0, descs[:n])
		for taken < n { // wait for room: nothing may be lost here
			r.Flush()
			more := r.Transmit(1, 0, descs[taken:n])
			taken += more
		}
		sent += n
		r.Flush()
		if n == 0 {
			r.Wait(1)
		}
	}
	if n := <-collected; n != total {
		t.Errorf("collected %d frames, want %d", n, total)
	}
	<-delivered
	r.Flush()
	if err := r.Audit(); err != nil {
		t.Error(err)
	}
}

func BenchmarkRings(b *testing.B) {
	for _, burst := range []int{1, 8, 64} {
		b.Run(map[int]string{1: "single", 8: "8", 64: "64"}[burst], func(b *testing.B) {
			r := NewRings(b, xdp.SocketConfig{RingSize: 2048}, 2)
			frames := make([][]byte, burst)
			for i := range frames {
				frames[i] = make([]byte, 60)
			}
			var descs [64]xdp.Desc
			b.ReportAllocs()
			for b.Loop() {
				r.End(0).Deliver(frames...)
				n := r.Receive(0, descs[:])
				r.Transmit(1, 0, descs[:n])
				if err := r.Flush(); err != nil {
					b.Fatal(err)
				}
				if r.End(1).Discard() != burst {
					b.Fatal("frames were lost")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst), "ns/packet")
		})
	}
}
