package xdp_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

func newInjector(tb testing.TB, s *xdp.Steering) *xdp.Injector {
	tb.Helper()
	in, err := xdp.NewInjector(s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mustClose(tb, in) })
	return in
}

func inject(in *xdp.Injector, p *xdptest.Port, frame []byte) error {
	return p.NS.Do(func() error { return in.Inject(p.Ifindex, frame) })
}

// arrival is a frame as it arrives on r0 from A: UDP to b, size bytes of
// packet.
func arrival(tb testing.TB, lab *xdptest.Lab, hopLimit uint8, size int) []byte {
	tb.Helper()
	payload := make([]byte, size-48)
	for i := range payload {
		payload[i] = byte(i ^ i>>8) // no two pages are the same
	}
	ip6 := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolUDP, HopLimit: hopLimit,
		SrcIP: lab.A0.Addr.AsSlice(), DstIP: lab.B0.Addr.AsSlice()}
	udp := &layers.UDP{SrcPort: 1, DstPort: 9}
	if err := udp.SetNetworkLayerForChecksum(ip6); err != nil {
		tb.Fatal(err)
	}
	return serialize(tb,
		&layers.Ethernet{SrcMAC: lab.A0.MAC, DstMAC: lab.R0.MAC, EthernetType: layers.EthernetTypeIPv6},
		ip6, udp, gopacket.Payload(payload))
}

// icmp says whether a frame is an ICMPv6 message of a type.
func icmp(typ byte) func([]byte) bool {
	return func(frame []byte) bool {
		return len(frame) > 54 && frame[12] == 0x86 && frame[13] == 0xdd && frame[20] == 58 && frame[54] == typ
	}
}

func isUDP(frame []byte) bool { return len(frame) > 54 && frame[12] == 0x86 && frame[20] == 17 }

func watch(tb testing.TB, p *xdptest.Port, keep func([]byte) bool) *xdptest.Capture {
	tb.Helper()
	c, err := p.Capture(keep)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { mustClose(tb, c) })
	return c
}

// exactly takes n frames and waits whether there are more.
func exactly(t *testing.T, what string, c *xdptest.Capture, n int) []xdptest.Frame {
	t.Helper()
	frames, err := c.Take(n, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	more, err := c.Take(1, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if frames = append(frames, more...); len(frames) != n {
		t.Fatalf("%s: frames = %d, want %d", what, len(frames), n)
	}
	return frames
}

func TestInjectForwards(t *testing.T) {
	lab := xdptest.NewLabWith(t, xdptest.Config{MTU: 9000})
	in := newInjector(t, newSteering(t))
	arrived := watch(t, lab.B0, isUDP)
	if err := ping(lab.A, lab.B0.Addr); err != nil { // so that the links are ready
		t.Fatal(err)
	}
	// Up, down, and around the end of the first part.
	const head = xdp.InjectorHead - 14
	for _, size := range []int{48, 9000, 1500, head - 1, head, head + 1, 4096, 49} {
		frame := arrival(t, lab, 64, size)
		before := bytes.Clone(frame)
		if err := inject(in, lab.R0, frame); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if !bytes.Equal(frame, before) {
			t.Errorf("%d bytes: frame was changed", size)
		}
		got := exactly(t, fmt.Sprintf("%d bytes", size), arrived, 1)[0].Data
		want := bytes.Clone(frame)
		copy(want, lab.B0.MAC)
		copy(want[6:], lab.R1.MAC)
		want[21]--
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: forwarded = %x, want %x", size, got, want)
		}
	}
}

func TestInjectDeliversLocally(t *testing.T) {
	lab := xdptest.NewLabWith(t, xdptest.Config{StaticNeighbors: true})
	in := newInjector(t, newSteering(t))
	if err := ping(lab.A, lab.B0.Addr); err != nil { // so that the links are ready
		t.Fatal(err)
	}
	replies := watch(t, lab.A0, func(frame []byte) bool { return icmp(129)(frame) && bytes.HasSuffix(frame, []byte("injected")) })
	ip6 := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolICMPv6, HopLimit: 1,
		SrcIP: lab.A0.Addr.AsSlice(), DstIP: lab.R1.Addr.AsSlice()}
	echo := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}
	if err := echo.SetNetworkLayerForChecksum(ip6); err != nil {
		t.Fatal(err)
	}
	frame := serialize(t,
		&layers.Ethernet{SrcMAC: lab.A0.MAC, DstMAC: lab.R0.MAC, EthernetType: layers.EthernetTypeIPv6},
		ip6, echo, gopacket.Payload([]byte{0, 1, 0, 1, 'i', 'n', 'j', 'e', 'c', 't', 'e', 'd'}))
	if err := inject(in, lab.R0, frame); err != nil {
		t.Fatal(err)
	}
	exactly(t, "echo replies", replies, 1)
}

func TestInjectIsAnswered(t *testing.T) {
	for _, mode := range []xdp.AttachMode{xdp.AttachNative, xdp.AttachGeneric} {
		t.Run(mode.String(), func(t *testing.T) {
			lab := xdptest.NewLabWith(t, xdptest.Config{MTU: 9000, StaticNeighbors: true})
			s := newSteering(t)
			in := newInjector(t, s)
			r0 := mustAttach(t, s, lab.R0, mode)
			if err := errors.Join(r0.Steer(0, unboundSocket(t), 0), s.AddLocal(lab.R0.Addr), r0.SetPassing(false), lab.R1.SetMTU(1500)); err != nil {
				t.Fatal(err)
			}
			if err := ping(lab.A, lab.R0.Addr); err != nil { // so that the link is ready
				t.Fatal(err)
			}
			stop := beating(s)
			defer stop()

			exceeded, tooBig := watch(t, lab.A0, icmp(3)), watch(t, lab.A0, icmp(2))
			if err := inject(in, lab.R0, arrival(t, lab, 1, 100)); err != nil {
				t.Fatal(err)
			}
			exactly(t, "time exceeded", exceeded, 1)
			if err := inject(in, lab.R0, arrival(t, lab, 64, 9000)); err != nil {
				t.Fatal(err)
			}
			exactly(t, "packet too big", tooBig, 1)

			counters, err := r0.Counters()
			if err != nil {
				t.Fatal(err)
			}
			injected := uint64(0)
			if mode == xdp.AttachGeneric {
				injected = 2
			}
			if counters[xdp.PassInjected] != injected || counters[xdp.Steered] != 0 {
				t.Errorf("counters = %v, want %d injected and none steered", counters, injected)
			}
		})
	}
}

// beating keeps worker 0's heart beating until stop.
func beating(s *xdp.Steering) (stop func()) {
	s.Heartbeat(0).Add(1)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
				s.Heartbeat(0).Add(1)
			}
		}
	}()
	return func() { close(quit); <-done }
}

// What comes in by itself is steered, in either mode: the frames of
// TestInjectIsAnswered came by for another reason.
func TestAttachedPortSteers(t *testing.T) {
	for _, mode := range []xdp.AttachMode{xdp.AttachNative, xdp.AttachGeneric} {
		t.Run(mode.String(), func(t *testing.T) {
			lab := xdptest.NewLab(t)
			s := newSteering(t)
			r0 := mustAttach(t, s, lab.R0, mode)
			if err := errors.Join(r0.Steer(0, unboundSocket(t), 0), r0.SetPassing(false)); err != nil {
				t.Fatal(err)
			}
			stop := beating(s)
			defer stop()
			sender, err := lab.A0.Sender()
			if err != nil {
				t.Fatal(err)
			}
			defer mustClose(t, sender)
			for range 10 {
				if err := sender.Send(arrival(t, lab, 64, 100)); err != nil {
					t.Fatal(err)
				}
			}
			deadline := time.Now().Add(2 * time.Second)
			for {
				counters, err := r0.Counters()
				if err != nil {
					t.Fatal(err)
				}
				if counters[xdp.Steered] == 10 {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("counters = %v, want 10 steered", counters)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func TestInjectErrors(t *testing.T) {
	lab := xdptest.NewLab(t)
	in := newInjector(t, newSteering(t))
	frame := arrival(t, lab, 64, 100)
	for _, n := range []int{0, 13, xdp.InjectorMax + 1} {
		if err := inject(in, lab.R0, make([]byte, n)); err == nil {
			t.Errorf("frame of %d bytes: no error", n)
		}
	}
	for _, n := range []int{14, xdp.InjectorMax} {
		if err := inject(in, lab.R0, make([]byte, n)); err != nil {
			t.Errorf("frame of %d bytes: %v", n, err)
		}
	}
	if err := lab.R0.SetUp(false); err != nil {
		t.Fatal(err)
	}
	if err := inject(in, lab.R0, frame); !errors.Is(err, xdp.ErrDown) {
		t.Errorf("inject on a port that is down: %v, want %v", err, xdp.ErrDown)
	}
	if err := lab.R0.SetUp(true); err != nil {
		t.Fatal(err)
	}
	if err := inject(in, lab.R0, frame); err != nil {
		t.Errorf("inject on a port that is up again: %v", err)
	}
	if err := lab.R0.Delete(); err != nil {
		t.Fatal(err)
	}
	if err := inject(in, lab.R0, frame); !errors.Is(err, xdp.ErrGone) {
		t.Errorf("inject on a port that is gone: %v, want %v", err, xdp.ErrGone)
	}
	for range 2 {
		if err := in.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func TestInjectDoesNotAllocate(t *testing.T) {
	lab := xdptest.NewLabWith(t, xdptest.Config{StaticNeighbors: true})
	in := newInjector(t, newSteering(t))
	short, long := arrival(t, lab, 64, 100), make([]byte, 9014)
	err := lab.R.Do(func() (err error) {
		n := testing.AllocsPerRun(100, func() {
			err = errors.Join(err, in.Inject(lab.R0.Ifindex, short), in.Inject(lab.R0.Ifindex, long))
		})
		if n != 0 {
			t.Errorf("allocations = %v, want 0", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkInject(b *testing.B) {
	for _, size := range []int{100, 1500, 9000} {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			lab := xdptest.NewLabWith(b, xdptest.Config{MTU: 9000, StaticNeighbors: true})
			s, err := xdp.NewSteering(1)
			if err != nil {
				b.Fatal(err)
			}
			defer mustClose(b, s)
			in, frame := newInjector(b, s), arrival(b, lab, 64, size)
			err = lab.R.Do(func() error {
				for b.Loop() {
					if err := in.Inject(lab.R0.Ifindex, frame); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
