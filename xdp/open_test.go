package xdp_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/internal/sys"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// eachOpen runs a test with both ways to open sockets.
func eachOpen(t *testing.T, test func(*testing.T, open)) {
	for _, o := range opens {
		t.Run(o.name, func(t *testing.T) {
			skipOffAMD64(t, o.name)
			test(t, o.open)
		})
	}
}

var plain = xdp.SocketConfig{RingSize: ringSize, ChunkSize: 2048}

func TestOpenRefuses(t *testing.T) {
	queue := []xdp.Queue{{Ifindex: 1 << 30, Port: "none"}}
	for _, tt := range []struct {
		name   string
		cfg    xdp.SocketConfig
		queues []xdp.Queue
		want   string
	}{
		{"no queue", plain, nil, "no queue"},
		{"no ring", xdp.SocketConfig{ChunkSize: 2048}, queue, "ring size 0"},
		{"ring of 100", xdp.SocketConfig{RingSize: 100, ChunkSize: 2048}, queue, "ring size 100"},
		{"chunks of 1024", xdp.SocketConfig{RingSize: 64, ChunkSize: 1024}, queue, "chunk size 1024"},
	} {
		eachOpen(t, func(t *testing.T, open open) {
			if _, err := open(tt.cfg, tt.queues); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.want)
			}
		})
	}
}

// What cannot be opened is named, with the reason, and nothing is left behind:
// the same queues open afterwards.
func TestOpenErrors(t *testing.T) {
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{})
		defer nothingMapped(t)()
		good := l.queues[0]
		for _, tt := range []struct {
			name  string
			bind  xdp.BindMode
			queue xdp.Queue
			match error
			want  string
		}{
			{"no such device", xdp.BindAuto, xdp.Queue{Ifindex: 9999, Port: "r9"}, xdp.ErrGone, "r9 queue 0"},
			{"no such queue", xdp.BindAuto, xdp.Queue{Ifindex: l.R1.Ifindex, Port: "r1", Queue: 7}, nil, "r1 queue 7"},
			{"no zero-copy", xdp.BindZeroCopy, l.queues[1], xdp.ErrNotSupported, "queue 0"},
		} {
			cfg := plain
			cfg.Bind = tt.bind
			b, err := l.tryOpen(cfg, open, good, tt.queue)
			if err == nil {
				b.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.want)
			}
			if tt.match != nil && !errors.Is(err, tt.match) {
				t.Errorf("%s: error %v does not match %v", tt.name, err, tt.match)
			}
		}
		b, err := l.tryOpen(plain, open, l.queues...)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
	})
}

// nothingMapped returns a check that no ring has been left mapped since.
func nothingMapped(t *testing.T) func() {
	before, err := sys.SocketMappings()
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		after, err := sys.SocketMappings()
		if err != nil {
			t.Fatal(err)
		}
		if len(after) != len(before) {
			t.Errorf("the rings of %d sockets are left mapped", len(after)-len(before))
		}
	}
}

// Where the driver has no zero-copy, BindAuto copies and says why.
func TestBindAuto(t *testing.T) {
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{})
		b := l.open(t, plain, open)
		if b.ZeroCopy(0) || b.ZeroCopy(1) {
			t.Error("ZeroCopy over veth")
		}
		if err := b.CopyCause(); !errors.Is(err, xdp.ErrNotSupported) || !strings.Contains(err.Error(), "r0") {
			t.Errorf("CopyCause = %v, want ErrNotSupported by r0", err)
		}
	})
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{})
		if err := l.open(t, xdp.SocketConfig{RingSize: 64, ChunkSize: 4096, Bind: xdp.BindCopy}, open).CopyCause(); err != nil {
			t.Errorf("CopyCause with BindCopy = %v, want nil", err)
		}
	})
}

// A queue that is held is named; when it is let go, it opens.
func TestQueueHeld(t *testing.T) {
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{})
		holder, err := l.tryOpen(plain, xdp.OpenShared, l.queues[1])
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		_, err = l.tryOpen(plain, open, l.queues...)
		if !errors.Is(err, xdp.ErrBusy) || !strings.Contains(err.Error(), "r1 queue 0") {
			t.Errorf("open = %v, want ErrBusy of r1 queue 0", err)
		}
		if took := time.Since(started); took < 500*time.Millisecond || took > 5*time.Second {
			t.Errorf("gave up after %v, want about 1 s", took)
		}
		time.AfterFunc(100*time.Millisecond, func() { holder.Close() })
		l.open(t, plain, open)
	})
}

// Sockets that are closed open again at once, by either backend, and work.
func TestCloseAndReopen(t *testing.T) {
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{})
		for range 5 {
			b, err := l.tryOpen(plain, open, l.queues...)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
			if _, err := b.Stats(0); err == nil {
				t.Error("Stats after Close: no error")
			}
		}
		b := l.open(t, plain, open)
		l.steer(t, b)
		if err := sender(t, l.A0).Send(frame(1, 60)); err != nil {
			t.Fatal(err)
		}
		receive(t, b, 0, 1)
	})
}

// Closing under traffic, with frames in every ring, goes well too.
func TestCloseUnderTraffic(t *testing.T) {
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{})
		b, err := l.tryOpen(plain, open, l.queues...)
		if err != nil {
			t.Fatal(err)
		}
		l.steer(t, b)
		s := sender(t, l.A0)
		for i := range 2 * ringSize {
			if err := s.Send(frame(i, 60)); err != nil {
				t.Fatal(err)
			}
		}
		descs := receive(t, b, 0, 10)
		b.Transmit(1, 0, descs)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		l.open(t, plain, open)
	})
}

// Each queue has its socket, for receiving and for sending.
func TestTwoQueues(t *testing.T) {
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{Queues: 2})
		b := l.open(t, plain, open)
		l.steer(t, b)
		s, c := sender(t, l.A0), capture(t, l.B0)
		const flows = 100
		for i := range flows {
			if err := s.Send(flow(i)); err != nil {
				t.Fatal(err)
			}
		}
		var descs [64]xdp.Desc
		var got [2]int
		for deadline := time.Now().Add(2 * time.Second); got[0]+got[1] < flows && time.Now().Before(deadline); {
			for queue := range 2 {
				n := b.Receive(queue, descs[:])
				for i := range n {
					if isFlow(bytesOf(b, queue, descs[i:i+1])) {
						got[queue]++
						binary.BigEndian.PutUint16(b.Memory(queue)[descs[i].Addr+12:], 0x88b5)
					}
				}
				if sent := b.Transmit(2+queue, queue, descs[:n]); sent != n {
					t.Fatalf("Transmit = %d, want %d", sent, n)
				}
			}
			flush(t, b)
		}
		if got[0] == 0 || got[1] == 0 || got[0]+got[1] != flows {
			t.Errorf("queues received %v flows, want %d over both", got, flows)
		}
		if sent := take(t, c, flows); len(sent) != flows {
			t.Errorf("%d frames left, want %d", len(sent), flows)
		}
	})
}

// Two workers share the ports by queue, each with sockets of its own.
func TestTwoWorkers(t *testing.T) {
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{Queues: 2})
		all := l.queues
		var workers [2]xdp.Backend
		maps := map[int]*ebpf.Map{}
		for w := range workers {
			l.queues = []xdp.Queue{all[w], all[2+w]} // queue w of r0 and of r1
			workers[w] = l.open(t, plain, open)
			for s, q := range l.queues {
				if maps[q.Ifindex] == nil {
					maps[q.Ifindex] = l.attach(t, q.Ifindex)
				}
				if err := maps[q.Ifindex].Put(uint32(w), uint32(workers[w].FD(s))); err != nil {
					t.Fatal(err)
				}
			}
		}
		s, c := sender(t, l.A0), capture(t, l.B0)
		const flows = 100
		var done sync.WaitGroup
		var stop atomic.Bool
		for _, b := range workers {
			done.Go(func() {
				var descs [64]xdp.Desc
				for !stop.Load() {
					n := b.Receive(0, descs[:])
					for _, d := range descs[:n] {
						if isFlow(bytesOf(b, 0, []xdp.Desc{d})) {
							binary.BigEndian.PutUint16(b.Memory(0)[d.Addr+12:], 0x88b5)
						}
					}
					sent := b.Transmit(1, 0, descs[:n])
					b.Free(0, descs[sent:n])
					if err := errors.Join(b.Flush(), b.Wait(1)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for i := range flows {
			if err := s.Send(flow(i)); err != nil {
				t.Error(err)
			}
		}
		if sent := take(t, c, flows); len(sent) != flows {
			t.Errorf("%d frames left, want %d", len(sent), flows)
		}
		stop.Store(true)
		done.Wait()
	})
}

// flow is an IPv6 packet of UDP, whose hash differs with n.
func flow(n int) []byte {
	f := frame(n, 62)
	copy(f[12:], "\x86\xdd\x60\x00\x00\x00\x00\x08\x11\x40")
	clear(f[22:])
	f[22], f[38] = 0xfd, 0xfd
	binary.BigEndian.PutUint16(f[54:], uint16(n)) // source port
	f[57], f[59] = 99, 8
	return f
}

func isFlow(f []byte) bool { return len(f) == 62 && f[20] == 0x11 && f[57] == 99 }

// A device deleted under open sockets is reported once; the other port works
// on, and closing works.
func TestDeviceDeleted(t *testing.T) {
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{})
		b := l.open(t, plain, open)
		l.steer(t, b)
		s, c := sender(t, l.A0), capture(t, l.A0)
		if err := l.R1.Delete(); err != nil {
			t.Fatal(err)
		}
		reports := 0
		for i := range 20 {
			if err := s.Send(frame(i, 60)); err != nil {
				t.Fatal(err)
			}
			descs := receive(t, b, 0, 1)
			sent := b.Transmit(1, 0, descs)
			b.Free(0, descs[sent:])
			if err := b.Flush(); err != nil {
				reports++
				if !errors.Is(err, xdp.ErrGone) || !strings.Contains(err.Error(), "r1 queue 0") {
					t.Errorf("Flush = %v, want ErrGone of r1 queue 0", err)
				}
			}
			if err := b.Wait(1); err != nil {
				t.Error(err)
			}
		}
		if reports != 1 {
			t.Errorf("%d reports, want 1", reports)
		}
		if err := s.Send(frame(99, 60)); err != nil {
			t.Fatal(err)
		}
		b.Transmit(0, 0, receive(t, b, 0, 1))
		flush(t, b)
		mustMatch(t, take(t, c, 1), [][]byte{frame(99, 60)})
	})
}

// The peer going down takes the carrier away: the kernel completes frames
// without sending them, and none is lost for good.
func TestNoCarrier(t *testing.T) {
	eachOpen(t, func(t *testing.T, open open) {
		l := newLab(t, xdptest.Config{})
		b := l.open(t, plain, open)
		l.steer(t, b)
		s := sender(t, l.A0)
		if err := l.B0.SetUp(false); err != nil {
			t.Fatal(err)
		}
		for i := range 2 * ringSize / 32 {
			for j := range 32 {
				if err := s.Send(frame(i*32+j, 60)); err != nil {
					t.Fatal(err)
				}
			}
			descs := receive(t, b, 0, 32)
			if sent := b.Transmit(1, 0, descs); sent != 32 {
				t.Fatalf("Transmit = %d, want 32: the ring does not empty", sent)
			}
			flush(t, b)
		}
		for range 100 {
			flush(t, b)
		}
		if n := xdp.Unsent(b); n != 0 {
			t.Errorf("%d frames are stuck", n)
		}
		if n := xdp.Missing(b); n < 0 || n > 2 {
			t.Errorf("%d frames are missing, want 0 to 2", n)
		}
	})
}

// Stats may be read while the worker works.
func TestStatsConcurrent(t *testing.T) {
	eachRig(t, xdp.SocketConfig{}, func(t *testing.T, r *rig) {
		done := make(chan error, 1)
		go func() {
			for range 1000 {
				if _, err := r.Stats(0); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for i := range 50 {
			r.inject(0, frame(i, 60))
			forward(t, r, 0, 1, 1)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
