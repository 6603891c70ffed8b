package xdp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// rig is a backend with a socket on each of two ports, and what is at the
// other ends of their links.
type rig struct {
	xdp.Backend
	inject  func(port int, frame []byte)          // sends a frame to a port
	emitted func(port, n int) [][]byte            // waits for n frames that the port sent
	setUp   func(port int, up bool)               // sets the port up or down
	audit   func(tb testing.TB, held ...xdp.Desc) // every frame has an owner; nothing moves
}

// ringSize of the rigs: small, so that rings wrap and fill.
const ringSize = 256

// rigs are the backends that one suite tests: the name and how to build one.
var rigs = []struct {
	name  string
	build func(tb testing.TB, cfg xdp.SocketConfig) *rig
}{
	{"rings in memory", memoryRig},
	{"shared over veth", func(tb testing.TB, cfg xdp.SocketConfig) *rig { return vethRig(tb, cfg, xdp.OpenShared) }},
	{"asavie over veth", func(tb testing.TB, cfg xdp.SocketConfig) *rig { return vethRig(tb, cfg, xdp.OpenAsavie) }},
}

// open is OpenShared or OpenAsavie.
type open func(xdp.SocketConfig, []xdp.Queue) (xdp.Backend, error)

var opens = []struct {
	name string
	open open
}{
	{"shared", xdp.OpenShared},
	{"asavie", xdp.OpenAsavie},
}

// eachRig runs a test over every backend.
func eachRig(t *testing.T, cfg xdp.SocketConfig, test func(*testing.T, *rig)) {
	cfg.RingSize = ringSize
	if cfg.ChunkSize == 0 {
		cfg.ChunkSize = 2048
	}
	for _, r := range rigs {
		t.Run(r.name, func(t *testing.T) {
			skipOffAMD64(t, r.name)
			test(t, r.build(t, cfg))
		})
	}
}

// skipOffAMD64 skips what github.com/asavie/xdp cannot do elsewhere.
func skipOffAMD64(t *testing.T, name string) {
	if strings.HasPrefix(name, "asavie") && runtime.GOARCH != "amd64" {
		t.Skip("the asavie backend is for amd64 only")
	}
}

func memoryRig(tb testing.TB, cfg xdp.SocketConfig) *rig {
	r := xdptest.NewRings(tb, cfg, 2)
	return &rig{
		Backend: r,
		inject:  func(p int, frame []byte) { r.End(p).Deliver(frame) },
		emitted: func(p, _ int) [][]byte { return r.End(p).Collect() },
		setUp: func(p int, up bool) {
			if up {
				r.End(p).Up()
			} else {
				r.End(p).Down()
			}
		},
		audit: func(tb testing.TB, held ...xdp.Desc) {
			tb.Helper()
			if err := r.Audit(held...); err != nil {
				tb.Error(err)
			}
		},
	}
}

// vethRig opens a backend on the two ports of a lab's router.
func vethRig(tb testing.TB, cfg xdp.SocketConfig, open open) *rig {
	tb.Helper()
	l := newLab(tb, xdptest.Config{MTU: 9000, Queues: 1})
	b := l.open(tb, cfg, open)
	l.steer(tb, b)
	ports := []*xdptest.Port{l.R0, l.R1}
	var senders [2]*xdptest.Sender
	var captures [2]*xdptest.Capture
	for i, p := range ports {
		senders[i], captures[i] = sender(tb, p.Peer), capture(tb, p.Peer)
	}
	return &rig{
		Backend: b,
		inject: func(p int, frame []byte) {
			if err := senders[p].Send(frame); err != nil {
				tb.Fatal(err)
			}
		},
		emitted: func(p, n int) [][]byte { return take(tb, captures[p], n) },
		setUp: func(p int, up bool) {
			if err := ports[p].SetUp(up); err != nil {
				tb.Fatal(err)
			}
		},
		audit: func(tb testing.TB, held ...xdp.Desc) {
			tb.Helper()
			const kept = 2 // by the kernel: one a socket
			deadline := time.Now().Add(time.Second)
			for xdp.Missing(b) > len(held)+kept && time.Now().Before(deadline) {
				flush(tb, b)
			}
			if n := xdp.Missing(b) - len(held); n < 0 || n > kept {
				tb.Errorf("%d frames are missing, want 0 to %d", n, kept)
			}
		},
	}
}

// lab is an xdptest.Lab whose router's ports send all that they receive to
// sockets.
type lab struct {
	*xdptest.Lab
	queues []xdp.Queue
}

func newLab(tb testing.TB, config xdptest.Config) *lab {
	tb.Helper()
	config.StaticNeighbors = true
	l := &lab{Lab: xdptest.NewLabWith(tb, config)}
	for _, p := range []*xdptest.Port{l.R0, l.R1} {
		for q := range max(1, config.Queues) {
			l.queues = append(l.queues, xdp.Queue{Ifindex: p.Ifindex, Port: p.Name, Queue: q})
		}
	}
	return l
}

// open opens all queues of the router.
func (l *lab) open(tb testing.TB, cfg xdp.SocketConfig, open open) xdp.Backend {
	tb.Helper()
	b, err := l.tryOpen(cfg, open, l.queues...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

func (l *lab) tryOpen(cfg xdp.SocketConfig, open open, queues ...xdp.Queue) (b xdp.Backend, err error) {
	return b, l.R.Do(func() error {
		b, err = open(cfg, queues)
		return err
	})
}

// steer attaches a program to each port that sends everything to the sockets
// of b, which are those of l.queues.
func (l *lab) steer(tb testing.TB, b xdp.Backend) {
	tb.Helper()
	maps := map[int]*ebpf.Map{}
	for s, q := range l.queues {
		m := maps[q.Ifindex]
		if m == nil {
			m = l.attach(tb, q.Ifindex)
			maps[q.Ifindex] = m
		}
		if err := m.Put(uint32(q.Queue), uint32(b.FD(s))); err != nil {
			tb.Fatalf("steer %s queue %d: %v", q.Port, q.Queue, err)
		}
	}
}

// attach attaches a program that redirects by queue, and returns its XSKMAP.
func (l *lab) attach(tb testing.TB, ifindex int) *ebpf.Map {
	tb.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: 8})
	if err != nil {
		tb.Fatal(err)
	}
	const (
		rxQueueIndex = 16     // in struct xdp_md
		xdpPass      = 2      // XDP_PASS
		hasFrags     = 1 << 5 // BPF_F_XDP_HAS_FRAGS
	)
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:  ebpf.XDP,
		Flags: hasFrags,
		Instructions: asm.Instructions{
			asm.LoadMem(asm.R2, asm.R1, rxQueueIndex, asm.Word),
			asm.LoadMapPtr(asm.R1, m.FD()),
			asm.Mov.Imm(asm.R3, xdpPass),
			asm.FnRedirectMap.Call(),
			asm.Return(),
		},
		License: "Dual BSD/GPL",
	})
	if err != nil {
		tb.Fatal(err)
	}
	var at link.Link
	err = l.R.Do(func() (err error) {
		at, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: ifindex, Flags: link.XDPDriverMode})
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		at.Close()
		prog.Close()
		m.Close()
	})
	return m
}

func sender(tb testing.TB, p *xdptest.Port) *xdptest.Sender {
	tb.Helper()
	s, err := p.Sender()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func capture(tb testing.TB, p *xdptest.Port) *xdptest.Capture {
	tb.Helper()
	c, err := p.Capture(ours)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// take waits for n frames.
func take(tb testing.TB, c *xdptest.Capture, n int) (frames [][]byte) {
	tb.Helper()
	for deadline := time.Now().Add(2 * time.Second); len(frames) < n && time.Now().Before(deadline); {
		more, err := c.Take(n-len(frames), time.Until(deadline))
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range more {
			frames = append(frames, f.Data)
		}
	}
	return frames
}

// frame is the n-th frame of a test: an Ethernet header and a pattern that
// depends on n.
func frame(n, size int) []byte {
	f := make([]byte, size)
	copy(f, "\x02\x78\x73\x00\x00\x01\x02\x78\x73\x00\x00\x02\x88\xb5")
	for i := 14; i < size; i++ {
		f[i] = byte(n + i)
	}
	binary.BigEndian.PutUint32(f[14:], uint32(n))
	return f
}

// ours tells the frames of frame (EtherType 0x88b5, local experiments) from
// those that the kernel sends by itself.
func ours(f []byte) bool { return len(f) >= 14 && f[12] == 0x88 && f[13] == 0xb5 }

// flush is Flush where no error is expected.
func flush(tb testing.TB, b xdp.Backend) {
	tb.Helper()
	if err := b.Flush(); err != nil {
		tb.Fatal(err)
	}
}

// receive waits for n frames on a socket. It frees what the kernel sent.
func receive(tb testing.TB, b xdp.Backend, s, n int) []xdp.Desc {
	tb.Helper()
	var all []xdp.Desc
	var descs [64]xdp.Desc
	for deadline := time.Now().Add(2 * time.Second); count(all) < n; {
		got := b.Receive(s, descs[:])
		for rest := descs[:got]; len(rest) > 0; {
			pieces := firstFrame(rest)
			if ours(bytesOf(b, s, rest[:1])) {
				all = append(all, rest[:pieces]...)
			} else {
				b.Free(s, rest[:pieces])
			}
			rest = rest[pieces:]
		}
		if got > 0 {
			continue
		}
		if time.Now().After(deadline) {
			tb.Fatalf("received %d frames on socket %d, want %d", count(all), s, n)
		}
		flush(tb, b)
		if err := b.Wait(10); err != nil {
			tb.Fatal(err)
		}
	}
	return all
}

// firstFrame is the number of pieces of the first frame.
func firstFrame(descs []xdp.Desc) int {
	for i, d := range descs {
		if d.Options&xdp.DescContinued == 0 {
			return i + 1
		}
	}
	return len(descs)
}

// count is the number of frames.
func count(descs []xdp.Desc) (n int) {
	for _, d := range descs {
		if d.Options&xdp.DescContinued == 0 {
			n++
		}
	}
	return n
}

// bytesOf joins the pieces of a frame received on socket s.
func bytesOf(b xdp.Backend, s int, pieces []xdp.Desc) (f []byte) {
	for _, d := range pieces {
		f = append(f, b.Memory(s)[d.Addr:d.Addr+uint64(d.Len)]...)
	}
	return f
}

// mustMatch compares frames, in order.
func mustMatch(tb testing.TB, got, want [][]byte) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("got %d frames, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			tb.Fatalf("frame %d: got %d bytes %s, want %d bytes %s", i,
				len(got[i]), head(got[i]), len(want[i]), head(want[i]))
		}
	}
}

func head(f []byte) string { return fmt.Sprintf("% x…", f[:min(len(f), 24)]) }

// unwrap is the backend that Missing and Unsent know.
func unwrap(r *rig) xdp.Backend {
	if rings, ok := r.Backend.(*xdptest.Rings); ok {
		return rings.Shared
	}
	return r.Backend
}
