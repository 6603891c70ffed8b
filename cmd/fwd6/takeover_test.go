package main_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/fwd6/fwd6/bench/traffic"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// pace is how many packets a second fwd6 forwards when something happens to it.
const pace = 200_000

// otherPace is how many it forwards when something happens to others: some 300
// ms without forwarding must show, a machine busy with many tests must not.
const otherPace = 50_000

// flooded is a lab whose R is flooded from A; B counts what arrives.
type flooded struct {
	*world
	flood     *traffic.Flood
	perSecond uint64 // packets
}

func newFlooded(t *testing.T) *flooded {
	t.Helper()
	w := newWorld(t, xdptest.Config{StaticNeighbors: true})
	if err := plainRoutes(w); err != nil {
		t.Fatal(err)
	}
	destinations := make([]netip.Addr, 256)
	for i := range destinations {
		destinations[i] = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 1, 14: byte(i), 15: 1})
	}
	return flood(t, w, w.B0, pace, destinations)
}

// flood prepares a flood from A to a port of B. It must come before fwd6: while
// a veth has an XDP program it looks ready for a flood, and then no more.
func flood(t *testing.T, w *world, to *xdptest.Port, perSecond uint64, destinations []netip.Addr) *flooded {
	t.Helper()
	flood, err := traffic.Open(traffic.Config{From: w.A0, To: to, Destinations: destinations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { flood.Close() })
	return &flooded{w, flood, perSecond}
}

// during runs f in the middle of a flood, and says what the flood came to.
func (f *flooded) during(t *testing.T, d time.Duration, event func() error) traffic.Result {
	t.Helper()
	done := make(chan error, 1)
	time.AfterFunc(d/2, func() { done <- event() })
	result, err := f.flood.Pace(context.Background(), int(f.perSecond), d)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d packets sent in %v, lost %d; arrived: %v", result.Sent, result.Elapsed.Round(time.Millisecond), result.Lost(), result.Counts)
	if result.Wrong() > 0 {
		t.Errorf("arrived: %v, want good ones alone", result.Counts)
	}
	if asked := uint64(d.Seconds() * float64(f.perSecond)); result.Sent < asked/2 {
		t.Errorf("sent %d packets, want about %d: this machine does not manage the load", result.Sent, asked)
	}
	return result
}

// by counts the packets that the kernel and fwd6 forward while f runs.
func (f *flooded) by(t *testing.T, during func()) (kernel, fwd6 uint64) {
	t.Helper()
	count := func() (uint64, uint64) {
		kernel, err := f.kernelForwarded()
		if err != nil {
			t.Fatal(err)
		}
		if f.fwd6 == nil || !f.fwd6.alive() {
			return kernel, 0
		}
		stats, err := f.fwd6.stats()
		if err != nil {
			t.Fatal(err)
		}
		return kernel, stats.Reasons[0]
	}
	k0, f0 := count()
	during()
	k1, f1 := count()
	return k1 - k0, f1 - min(f0, f1)
}

// forwards fails unless it is fwd6, and not the kernel, that forwards, as long
// as it has a processor.
func (f *flooded) forwards(t *testing.T) {
	t.Helper()
	before, err1 := f.fwd6.leftToKernel()
	kernel, fwd6 := f.by(t, func() { f.during(t, 200*time.Millisecond, func() error { return nil }) })
	after, err2 := f.fwd6.leftToKernel()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if left := after - before; fwd6 < f.perSecond/50 || kernel > fwd6/10+left {
		t.Errorf("fwd6 forwarded %d packets and the kernel %d, of which fwd6 left it %d; want nearly all by fwd6", fwd6, kernel, left)
	}
}

func TestTakeover(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(variants)) {
		t.Run(name, func(t *testing.T) {
			f := newFlooded(t)
			run := func() {
				t.Helper()
				f.start(t, []string{"r0", "r1"}, variants[name]...)
			}
			less := func(r traffic.Result, most uint64) {
				t.Helper()
				if r.Lost() >= most {
					t.Errorf("lost %d packets, want less than %d", r.Lost(), most)
				}
			}

			f.during(t, 300*time.Millisecond, func() error { return nil }) // the kernel warms up
			t.Log("fwd6 takes over from the kernel")
			less(f.during(t, 2*time.Second, func() error { run(); return nil }), 10_000)
			f.forwards(t)

			t.Log("fwd6 is killed")
			var killed traffic.Result
			kernel, _ := f.by(t, func() {
				killed = f.during(t, 2*time.Second, func() error { f.fwd6.kill(); return nil })
			})
			less(killed, 10_000)
			if kernel < pace/2 {
				t.Errorf("the kernel forwarded %d packets after fwd6 was killed, want nearly %d", kernel, pace)
			}

			t.Log("another fwd6 takes over what the killed one left")
			less(f.during(t, 2*time.Second, func() error { run(); return nil }), 10_000)
			f.forwards(t)

			t.Log("fwd6 hangs for 500 ms")
			less(f.during(t, 2*time.Second, func() error {
				f.fwd6.signal(syscall.SIGSTOP)
				time.Sleep(500 * time.Millisecond)
				f.fwd6.signal(syscall.SIGCONT)
				return nil
			}), 5000)
			f.forwards(t)

			t.Log("fwd6 ends")
			less(f.during(t, 2*time.Second, func() error {
				took, err := f.fwd6.stop()
				if err == nil && took > endsWithin {
					err = fmt.Errorf("fwd6 took %v to end", took)
				}
				return err
			}), 5000)
		})
	}
}

// What fwd6 cannot have it refuses in one line, and leaves those alone who do.
func TestRefusals(t *testing.T) {
	w := newWorld(t, xdptest.Config{Extra: 1})
	attachOther(t, w.router("r2"))
	first := start(t, w.R, "--ports", "r0,r1")
	for _, tt := range []struct {
		name string
		args []string
		want []string // parts of its last line
		only bool     // it says nothing else
	}{
		{"ports of a fwd6 that runs", []string{"--ports", "r0,r1"}, []string{"r0", "XDP program", "fwd6_sort"}, false},
		{"one port of it", []string{"--ports", "r1"}, []string{"r1", "XDP program", "fwd6_sort"}, false},
		{"no such device", []string{"--ports", "r0,r9"}, []string{"r9", "no such"}, true},
		{"loopback", []string{"--ports", "lo"}, []string{"lo", "loopback"}, true},
		{"a port with a program of somebody else", []string{"--ports", "r2"}, []string{"r2", "XDP program", "innocent"}, false},
		{"its socket", []string{"--ports", "r0", "--socket", first.socket}, []string{first.socket}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			second := launch(t, w.R, tt.args...)
			select {
			case <-second.ended:
			case <-second.ready:
				t.Fatal("it runs")
			case <-time.After(10 * time.Second):
				t.Fatal("it does not end")
			}
			lines := strings.Split(second.logged(), "\n")
			last := lines[len(lines)-1]
			for _, part := range tt.want {
				if !strings.HasPrefix(last, "fwd6: ") || !strings.Contains(last, part) {
					t.Errorf("it says %q, want one line with %q", last, part)
				}
			}
			if tt.only && len(lines) > 1 {
				t.Errorf("it says %q, want the last line alone", lines)
			}
			if second.exit == nil || second.cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("it ends with %v, want exit status 1", second.exit)
			}
			t.Log(last)
		})
	}
	if err := ping(w.A, w.B0.Addr, 3); err != nil || !first.alive() {
		t.Errorf("the first fwd6 forwards no more: %v", err)
	}
}

// attachOther gives a port an XDP program that is not fwd6's.
func attachOther(t *testing.T, p *xdptest.Port) {
	t.Helper()
	const xdpPass = 2
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "innocent", Type: ebpf.XDP, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	if err := p.NS.Do(func() error {
		l, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: p.Ifindex})
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Whoever is logged in through a port stays so when fwd6 starts and ends, in
// whatever way.
func TestLoginSurvives(t *testing.T) {
	w := newWorld(t, xdptest.Config{})
	here, there, err := connect(w.A, w.R, w.R0.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	defer there.Close()
	say := func(when string) {
		t.Helper()
		deadline := time.Now().Add(time.Second)
		here.SetDeadline(deadline)
		there.SetDeadline(deadline)
		buffer := make([]byte, 100)
		for i := range 20 {
			line := fmt.Sprintf("%s, line %d\n", when, i)
			for _, way := range []struct {
				from, to interface {
					Read([]byte) (int, error)
					Write([]byte) (int, error)
				}
			}{{here, there}, {there, here}} {
				if _, err := way.from.Write([]byte(line)); err != nil {
					t.Fatalf("%s: %v", when, err)
				}
				if n, err := way.to.Read(buffer); err != nil || string(buffer[:n]) != line {
					t.Fatalf("%s: read %q, %v", when, buffer[:n], err)
				}
			}
		}
	}
	say("without fwd6")
	for _, name := range slices.Sorted(maps.Keys(variants)) {
		f := start(t, w.R, append([]string{"--ports", "r0,r1"}, variants[name]...)...)
		say("with fwd6 " + name)
		if _, err := f.stop(); err != nil {
			t.Error(err)
		}
		say("after fwd6 " + name)
		f = start(t, w.R, append([]string{"--ports", "r0,r1"}, variants[name]...)...)
		f.signal(syscall.SIGSTOP)
		say("with fwd6 stopped " + name)
		f.kill()
		say("after fwd6 was killed " + name)
	}
}
