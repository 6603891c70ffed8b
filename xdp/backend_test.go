package xdp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp"
)

// What arrives is what was sent, in order, whatever the size.
func TestReceive(t *testing.T) {
	eachRig(t, xdp.SocketConfig{}, func(t *testing.T, r *rig) {
		var descs []xdp.Desc
		for i, size := range []int{60, 64, 65, 128, 1000, 1514, 1700} {
			r.inject(0, frame(i, size))
			got := receive(t, r, 0, 1)
			mustMatch(t, [][]byte{bytesOf(r, 0, got)}, [][]byte{frame(i, size)})
			descs = append(descs, got...)
		}
		r.audit(t, descs...)
		r.Free(0, descs)
		r.audit(t)
	})
}

// A frame goes back where it came from, changed in place.
func TestTransmitBack(t *testing.T) {
	eachRig(t, xdp.SocketConfig{}, func(t *testing.T, r *rig) {
		want := frame(1, 100)
		r.inject(0, want)
		descs := receive(t, r, 0, 1)
		bytesAt(r, descs[0])[20] ^= 0xff
		want[20] ^= 0xff
		if n := r.Transmit(0, 0, descs); n != 1 {
			t.Fatalf("Transmit = %d, want 1", n)
		}
		flush(t, r)
		mustMatch(t, r.emitted(0, 1), [][]byte{want})
		flush(t, r)
		r.audit(t)
	})
}

// bytesAt is a piece received on socket 0, in place.
func bytesAt(r *rig, d xdp.Desc) []byte { return r.Memory(0)[d.Addr : d.Addr+uint64(d.Len)] }

// Frames leave by the other port, in both directions, many times around every
// ring.
func TestForward(t *testing.T) {
	eachRig(t, xdp.SocketConfig{}, func(t *testing.T, r *rig) {
		const rounds, burst = 3 * ringSize / 50, 50
		for round := range rounds {
			for from := range 2 {
				var want [][]byte
				for i := range burst {
					f := frame(round*burst+i, 60+i)
					want = append(want, f)
					r.inject(from, f)
				}
				forward(t, r, from, 1-from, burst)
				mustMatch(t, r.emitted(1-from, burst), want)
			}
		}
		flush(t, r)
		r.audit(t)
	})
}

// forward moves n frames from one port to the other.
func forward(t *testing.T, r *rig, from, to, n int) {
	t.Helper()
	descs := receive(t, r, from, n)
	if sent := r.Transmit(to, from, descs); sent != len(descs) {
		t.Fatalf("Transmit = %d, want %d", sent, len(descs))
	}
	flush(t, r)
}

// Frames of 9000 bytes take several chunks and stay in one piece for all that.
func TestMultiBuffer(t *testing.T) {
	for _, chunk := range []int{2048, 4096} {
		t.Run(fmt.Sprintf("chunks of %d", chunk), func(t *testing.T) {
			eachRig(t, xdp.SocketConfig{MultiBuffer: true, ChunkSize: chunk}, func(t *testing.T, r *rig) {
				for round := range 100 {
					var want [][]byte
					for i, size := range []int{9014, 60, 5000, chunk - 256, chunk - 255, 9014} {
						want = append(want, frame(round+i, size))
						r.inject(0, frame(round+i, size))
					}
					forward(t, r, 0, 1, len(want))
					mustMatch(t, r.emitted(1, len(want)), want)
				}
				flush(t, r)
				r.audit(t)
			})
		})
	}
}

// Receive never gives a part of a frame.
func TestReceiveWholeFrames(t *testing.T) {
	eachRig(t, xdp.SocketConfig{MultiBuffer: true}, func(t *testing.T, r *rig) {
		const n = 10 // frames of 6 pieces
		for i := range n {
			r.inject(0, frame(i, 9014))
		}
		var descs [xdp.MaxPieces + 2]xdp.Desc // three frames, and two pieces
		frames := 0
		for deadline := time.Now().Add(2 * time.Second); frames < n && time.Now().Before(deadline); {
			got := r.Receive(0, descs[:])
			for rest := descs[:got]; len(rest) > 0; {
				pieces := firstFrame(rest)
				f := bytesOf(r, 0, rest[:pieces])
				if ours(f) {
					mustMatch(t, [][]byte{f}, [][]byte{frame(frames, 9014)})
					frames++
				}
				r.Free(0, rest[:pieces])
				rest = rest[pieces:]
			}
		}
		if frames != n {
			t.Errorf("received %d frames, want %d", frames, n)
		}
		r.audit(t)
	})
}

// A full TX ring takes what it has room for; the rest stays with the caller.
func TestTransmitRingFull(t *testing.T) {
	eachRig(t, xdp.SocketConfig{}, func(t *testing.T, r *rig) {
		var all []xdp.Desc
		for len(all) < ringSize+50 {
			for i := range 50 {
				r.inject(0, frame(len(all)+i, 60))
			}
			all = append(all, receive(t, r, 0, 50)...)
			flush(t, r)
		}
		sent := r.Transmit(1, 0, all)
		if sent != ringSize {
			t.Errorf("Transmit = %d, want the size of the ring, %d", sent, ringSize)
		}
		if n := r.Transmit(1, 0, all[sent:]); n != 0 {
			t.Errorf("Transmit to a full ring = %d, want 0", n)
		}
		flush(t, r)
		r.audit(t, all[sent:]...)
		if got := r.emitted(1, sent); len(got) != sent {
			t.Errorf("%d frames left, want %d", len(got), sent)
		}
		flush(t, r)
		rest := all[sent:]
		if n := r.Transmit(1, 0, rest); n != len(rest) {
			t.Errorf("Transmit of the rest = %d, want %d", n, len(rest))
		}
		flush(t, r)
		r.emitted(1, len(rest))
		flush(t, r)
		r.audit(t)
	})
}

// Transmit takes no part of a frame either.
func TestTransmitWholeFrames(t *testing.T) {
	eachRig(t, xdp.SocketConfig{MultiBuffer: true}, func(t *testing.T, r *rig) {
		var all []xdp.Desc
		for count(all)*6 < ringSize {
			r.inject(0, frame(len(all), 9014))
			all = append(all, receive(t, r, 0, 1)...)
			flush(t, r)
		}
		const want = ringSize / 6 * 6
		if n := r.Transmit(1, 0, all); n != want {
			t.Errorf("Transmit of %d pieces = %d, want %d", len(all), n, want)
		}
		r.Free(0, all[want:])
		flush(t, r)
		if got := r.emitted(1, want/6); len(got) != want/6 {
			t.Errorf("%d frames left, want %d", len(got), want/6)
		}
		flush(t, r)
		r.audit(t)
	})
}

// A port that goes down while frames leave by it costs no frame for good, and
// works when it is up again.
func TestLinkDown(t *testing.T) {
	eachRig(t, xdp.SocketConfig{}, func(t *testing.T, r *rig) {
		for cycle := range 3 {
			r.setUp(1, false)
			for i := range 3 * ringSize / 50 { // more than the TX ring takes
				for j := range 50 {
					r.inject(0, frame(i*50+j, 60))
				}
				descs := receive(t, r, 0, 50)
				sent := r.Transmit(1, 0, descs)
				r.Free(0, descs[sent:])
				flush(t, r)
			}
			r.audit(t)
			r.setUp(1, true)
			for deadline := time.Now().Add(2 * time.Second); ; {
				flush(t, r)
				r.emitted(1, 0) // in memory, this is what sends
				if xdp.Unsent(unwrap(r)) == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("cycle %d: %d frames are stuck on the TX ring", cycle, xdp.Unsent(unwrap(r)))
				}
			}
			r.emitted(1, 0)
			r.audit(t)
		}
		last := frame(99, 99)
		r.inject(0, last)
		forward(t, r, 0, 1, 1)
		for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
			for _, f := range r.emitted(1, 1) {
				if bytes.Equal(f, last) {
					return
				}
			}
		}
		t.Error("a frame sent after the port came up again did not arrive")
	})
}

// Whatever a worker does with frames, each has one owner.
func TestFramesAreConserved(t *testing.T) {
	eachRig(t, xdp.SocketConfig{MultiBuffer: true}, func(t *testing.T, r *rig) {
		const seed = 1
		random := rand.New(rand.NewPCG(seed, 0))
		var descs [64]xdp.Desc
		for round := range 400 {
			for range random.IntN(60) {
				r.inject(random.IntN(2), frame(round, 60+random.IntN(8000)))
			}
			for range random.IntN(4) {
				from, to := random.IntN(2), random.IntN(2)
				n := r.Receive(from, descs[:])
				sent := 0
				if random.IntN(4) > 0 {
					sent = r.Transmit(to, from, descs[:n])
				}
				r.Free(from, descs[sent:n])
			}
			if random.IntN(3) == 0 {
				r.emitted(random.IntN(2), 0)
			}
			if random.IntN(3) > 0 {
				flush(t, r)
				r.audit(t)
			}
		}
		for s := range 2 {
			flush(t, r)
			r.emitted(s, 0)
			for n := r.Receive(s, descs[:]); n > 0; n = r.Receive(s, descs[:]) {
				r.Free(s, descs[:n])
			}
		}
		flush(t, r)
		r.audit(t)
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
}

// Nothing on the packet's way allocates.
func TestNoAllocations(t *testing.T) {
	eachRig(t, xdp.SocketConfig{MultiBuffer: true}, func(t *testing.T, r *rig) {
		for i := range ringSize / 2 {
			r.inject(0, frame(i, 60))
		}
		var descs [64]xdp.Desc
		moved := 0
		allocs := testing.AllocsPerRun(100, func() {
			n := r.Receive(0, descs[:1])
			if n > 0 {
				moved++
				sent := r.Transmit(1, 0, descs[:n])
				r.Free(0, descs[sent:n])
			}
			if err := r.Flush(); err != nil {
				t.Error(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations a round, want 0", allocs)
		}
		if moved < 100 {
			t.Errorf("moved %d frames, want 100: nothing was measured", moved)
		}
	})
}

// Wait ends early when a frame arrives, and in time when none does.
func TestWait(t *testing.T) {
	eachRig(t, xdp.SocketConfig{}, func(t *testing.T, r *rig) {
		var started time.Time
		for tries := range 10 { // the kernel sends a frame now and then
			drain(r)
			started = time.Now()
			if err := r.Wait(50); err != nil {
				t.Fatal(err)
			}
			took := time.Since(started)
			if took > 40*time.Millisecond && took < time.Second {
				break
			}
			if tries == 9 {
				t.Errorf("Wait(50 ms) without frames took %v", took)
			}
		}
		go func() {
			time.Sleep(20 * time.Millisecond)
			r.inject(1, frame(1, 60))
		}()
		started = time.Now()
		if err := r.Wait(5000); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took > time.Second {
			t.Errorf("Wait(5 s) took %v for a frame after 20 ms", took)
		}
		receive(t, r, 1, 1)
	})
}

// drain frees all that has arrived.
func drain(r *rig) {
	var descs [64]xdp.Desc
	for s := range 2 {
		for n := r.Receive(s, descs[:]); n > 0; n = r.Receive(s, descs[:]) {
			r.Free(s, descs[:n])
		}
	}
}

// A frame longer than a chunk is dropped and counted without multi-buffer.
func TestLongFrameDropped(t *testing.T) {
	eachRig(t, xdp.SocketConfig{}, func(t *testing.T, r *rig) {
		r.inject(0, frame(1, 3000))
		r.inject(0, frame(2, 60))
		got := receive(t, r, 0, 1)
		mustMatch(t, [][]byte{bytesOf(r, 0, got)}, [][]byte{frame(2, 60)})
		stats, err := r.Stats(0)
		if err != nil {
			t.Fatal(err)
		}
		if stats.RxDropped != 1 {
			t.Errorf("RxDropped = %d, want 1", stats.RxDropped)
		}
		r.audit(t, got...)
	})
}
