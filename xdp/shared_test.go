package xdp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// newRings makes a backend in memory with two sockets.
func newRings(t *testing.T, cfg xdp.SocketConfig) *xdptest.Rings {
	cfg.RingSize = ringSize
	return xdptest.NewRings(t, cfg, 2)
}

// pass moves n frames from socket 0 to socket 1, without Flush.
func pass(t *testing.T, r *xdptest.Rings, n int) {
	t.Helper()
	var descs [64]xdp.Desc
	for range n {
		r.End(0).Deliver(frame(n, 60))
		got := r.Receive(0, descs[:])
		if sent := r.Transmit(1, 0, descs[:got]); got != 1 || sent != 1 {
			t.Fatalf("received %d and sent %d, want 1 and 1", got, sent)
		}
	}
}

// The kernel is woken for what is on the TX ring, if it asks for that.
func TestFlushWakes(t *testing.T) {
	for _, tt := range []struct {
		name       string
		frames     int
		needWakeup bool
		prepare    func(*xdptest.End)
		want       int64
	}{
		{"nothing to send", 0, true, nil, 0},
		{"one frame", 1, true, nil, 1},
		{"one frame, kernel awake", 1, false, nil, 0},
		{"100 frames", 100, true, nil, 1},
		{"100 frames, sent 32 at a time", 100, true, (*xdptest.End).Choke, 4},
		{"port down", 100, true, (*xdptest.End).Down, 1},
	} {
		r := newRings(t, xdp.SocketConfig{})
		end := r.End(1)
		end.NeedWakeup(false, tt.needWakeup)
		if tt.prepare != nil {
			tt.prepare(end)
		}
		pass(t, r, tt.frames)
		flush(t, r)
		if got := end.TransmitWakes(); got != tt.want {
			t.Errorf("%s: %d wake-ups, want %d", tt.name, got, tt.want)
		}
	}
}

// What is stuck on a TX ring costs one call a Flush until it has gone.
func TestFlushWakesForStuckFrames(t *testing.T) {
	r := newRings(t, xdp.SocketConfig{})
	end := r.End(1)
	end.Choke()
	pass(t, r, 100)
	flush(t, r)
	before := end.TransmitWakes()
	for range 10 {
		flush(t, r)
	}
	if got := end.TransmitWakes() - before; got != 10 {
		t.Errorf("%d wake-ups in 10 rounds, want 10", got)
	}
	end.Discard()
	flush(t, r)
	if got := end.TransmitWakes() - before; got != 10 {
		t.Errorf("%d wake-ups after all was sent, want 10 still", got)
	}
	if err := r.Audit(); err != nil {
		t.Error(err)
	}
}

// Copy mode sends in the call itself: the completed frames are back when Flush
// returns.
func TestFlushReapsWhatTheCallSent(t *testing.T) {
	r := newRings(t, xdp.SocketConfig{})
	end := r.End(1)
	end.OnWake = func() { end.Discard() }
	pass(t, r, 1) // so that the kernel's end has frames in hand for the rest
	flush(t, r)
	pass(t, r, 10)
	before := len(r.AppendFree(nil))
	flush(t, r)
	if got := len(r.AppendFree(nil)); got != before+10 {
		t.Errorf("%d free frames, want %d", got, before+10)
	}
}

// A zero-copy driver sends later: the frames are back with the Flush after that,
// although there is nothing to wake the kernel for.
func TestFlushReapsWhatWasSentLater(t *testing.T) {
	r := newRings(t, xdp.SocketConfig{})
	pass(t, r, 10)
	flush(t, r)
	before := len(r.AppendFree(nil))
	r.End(1).Discard()
	flush(t, r)
	if got := len(r.AppendFree(nil)); got != before+10 {
		t.Errorf("%d free frames, want %d", got, before+10)
	}
}

// A driver that ran out of frames asks to be woken when there are some.
func TestFlushWakesFillRing(t *testing.T) {
	r := newRings(t, xdp.SocketConfig{})
	flush(t, r)
	if got := r.End(0).ReceiveWakes(); got != 0 {
		t.Errorf("%d wake-ups of a kernel that is awake, want 0", got)
	}
	r.End(0).NeedWakeup(true, true)
	flush(t, r)
	if got := r.End(0).ReceiveWakes(); got != 1 {
		t.Errorf("%d wake-ups, want 1", got)
	}
	if got := r.End(1).ReceiveWakes(); got != 0 {
		t.Errorf("%d wake-ups of another socket, want 0", got)
	}
}

// A device that is gone is reported once; the other sockets work on.
func TestPortGone(t *testing.T) {
	r := newRings(t, xdp.SocketConfig{})
	r.End(1).Remove()
	pass(t, r, 10)
	err := r.Flush()
	if !errors.Is(err, xdp.ErrGone) || !strings.Contains(err.Error(), "port1") {
		t.Errorf("Flush = %v, want ErrGone of port1", err)
	}
	var descs [64]xdp.Desc
	for range 10 {
		r.End(0).Deliver(frame(1, 60))
		n := r.Receive(0, descs[:])
		if sent := r.Transmit(1, 0, descs[:n]); sent != 0 {
			t.Errorf("Transmit to a port that is gone = %d, want 0", sent)
		}
		if sent := r.Transmit(0, 0, descs[:n]); sent != 1 {
			t.Errorf("Transmit to the other port = %d, want 1", sent)
		}
		flush(t, r)
	}
	if got := len(r.End(0).Collect()); got != 10 {
		t.Errorf("%d frames left by the other port, want 10", got)
	}
}

// A frame with more pieces than can be sent is dropped whole and counted, and
// what follows it arrives.
func TestFrameWithTooManyPieces(t *testing.T) {
	const piece = 2048 - 256
	for _, pieces := range []int{xdp.MaxPieces, xdp.MaxPieces + 1, 2 * xdp.MaxPieces, 37} {
		for _, room := range []int{xdp.MaxPieces, 20, 64} {
			r := newRings(t, xdp.SocketConfig{MultiBuffer: true})
			r.End(0).Deliver(frame(1, 60), frame(2, pieces*piece), frame(3, 61))
			var sizes []int
			var held []xdp.Desc
			descs := make([]xdp.Desc, room)
			for range 10 {
				n := r.Receive(0, descs)
				held = append(held, descs[:n]...)
				for rest := descs[:n]; len(rest) > 0; rest = rest[firstFrame(rest):] {
					sizes = append(sizes, len(bytesOf(r, 0, rest[:firstFrame(rest)])))
				}
			}
			dropped := pieces > xdp.MaxPieces
			want := 3
			if dropped {
				want = 2
			}
			if len(sizes) != want || sizes[0] != 60 || sizes[want-1] != 61 {
				t.Errorf("%d pieces, room for %d: received frames of %v bytes", pieces, room, sizes)
			}
			stats, err := r.Stats(0)
			if err != nil || (stats.RxDropped == 1) != dropped {
				t.Errorf("%d pieces: RxDropped = %d (%v)", pieces, stats.RxDropped, err)
			}
			if err := r.Audit(held...); err != nil {
				t.Errorf("%d pieces, room for %d: %v", pieces, room, err)
			}
		}
	}
}

// Giving a frame back twice is found at once, not when it is overwritten.
func TestFreeTwicePanics(t *testing.T) {
	r := newRings(t, xdp.SocketConfig{})
	r.End(0).Deliver(frame(1, 60))
	var descs [1]xdp.Desc
	r.Receive(0, descs[:])
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	for range ringSize * 8 {
		r.Free(0, descs[:])
	}
}
