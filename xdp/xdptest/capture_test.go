package xdptest_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// datagram is a frame from A to B by way of R, with an unlikely next header.
func datagram(lab *xdptest.Lab, payload string) []byte {
	frame := append([]byte(nil), lab.R0.MAC...)
	frame = append(frame, lab.A0.MAC...)
	frame = append(frame, 0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(payload)), 253, 9)
	frame = append(frame, lab.A0.Addr.AsSlice()...)
	frame = append(frame, lab.B0.Addr.AsSlice()...)
	return append(frame, payload...)
}

func open(t *testing.T, in, out *xdptest.Port, keep func([]byte) bool) (*xdptest.Sender, *xdptest.Capture) {
	sender, err := in.Sender()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sender.Close() })
	capture, err := out.Capture(keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { capture.Close() })
	return sender, capture
}

func TestCaptureSeesWhatLeavesR(t *testing.T) {
	lab := xdptest.NewLabWith(t, xdptest.Config{StaticNeighbors: true})
	sender, capture := open(t, lab.A0, lab.B0, xdptest.NotNoise)
	const count = 500
	start := time.Now()
	for i := range count {
		if err := sender.Send(datagram(lab, string(rune('a'+i%26)))); err != nil {
			t.Fatal(err)
		}
	}
	frames, err := capture.Take(count, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(frames) != count {
		t.Fatalf("captured %d frames, want %d", len(frames), count)
	}
	for i, f := range frames {
		want := datagram(lab, string(rune('a'+i%26)))
		copy(want, lab.B0.MAC)
		copy(want[6:], lab.R1.MAC)
		want[14+7]-- // hop limit
		if !bytes.Equal(f.Data, want) {
			t.Fatalf("frame %d = %x, want %x", i, f.Data, want)
		}
		if f.Time.Before(start) || f.Time.After(time.Now()) {
			t.Fatalf("frame %d arrived at %v, want after %v", i, f.Time, start)
		}
	}
	if more, _ := capture.Take(1, 50*time.Millisecond); len(more) != 0 {
		t.Errorf("%d more frames, want none: %x", len(more), more[0].Data)
	}
}

// The time is that of the arrival, however late the frame is read.
func TestCaptureTime(t *testing.T) {
	lab := xdptest.NewLabWith(t, xdptest.Config{StaticNeighbors: true})
	const slow = 100 * time.Millisecond
	sender, capture := open(t, lab.A0, lab.B0, func(frame []byte) bool {
		if xdptest.NotNoise(frame) {
			time.Sleep(slow)
			return true
		}
		return false
	})
	time.Sleep(slow) // the kernel takes a moment to begin with time stamps
	for range 3 {
		if err := sender.Send(datagram(lab, "x")); err != nil {
			t.Fatal(err)
		}
	}
	frames, err := capture.Take(3, 2*time.Second)
	if err != nil || len(frames) != 3 {
		t.Fatalf("captured %d frames (%v), want 3", len(frames), err)
	}
	if apart := frames[2].Time.Sub(frames[0].Time); apart > slow {
		t.Errorf("three frames sent at once arrived within %v", apart)
	}
}

// A capture on R0 sees what A sends and nothing that R sends.
func TestCaptureIgnoresOutgoing(t *testing.T) {
	lab := xdptest.NewLabWith(t, xdptest.Config{StaticNeighbors: true})
	_, capture := open(t, lab.A0, lab.R0, xdptest.NotNoise)
	if err := ping(lab, lab.R0.Addr); err != nil {
		t.Fatal(err)
	}
	frames, err := capture.Take(2, 200*time.Millisecond)
	if err != nil || len(frames) != 1 || frames[0].Data[54] != 128 {
		t.Errorf("captured %d frames (%v), want the echo request alone", len(frames), err)
	}
}

func TestCaptureKeepsVLANTags(t *testing.T) {
	lab := xdptest.NewLab(t)
	sender, capture := open(t, lab.A0, lab.R0, xdptest.NotNoise)
	plain := datagram(lab, "tagged")
	for _, tag := range [][]byte{{0x81, 0, 0x20, 7}, {0x88, 0xa8, 0, 7}} {
		want := append(append(append([]byte(nil), plain[:12]...), tag...), plain[12:]...)
		if err := sender.Send(want); err != nil {
			t.Fatal(err)
		}
		frames, err := capture.Take(1, time.Second)
		if err != nil || len(frames) != 1 || !bytes.Equal(frames[0].Data, want) {
			t.Errorf("captured %v (%v), want %x", frames, err, want)
		}
	}
}

func TestCaptureSurvivesPortDown(t *testing.T) {
	lab := xdptest.NewLabWith(t, xdptest.Config{StaticNeighbors: true})
	sender, capture := open(t, lab.A0, lab.B0, xdptest.NotNoise)
	for _, up := range []bool{false, true} {
		if err := lab.B0.SetUp(up); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(3 * time.Second); ; {
		if err := sender.Send(datagram(lab, "again")); err != nil {
			t.Fatal(err)
		}
		if frames, err := capture.Take(1, 50*time.Millisecond); err != nil {
			t.Fatal(err)
		} else if len(frames) > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing arrives after the port is up again")
		}
	}
}

func TestNotNoise(t *testing.T) {
	packet := func(next byte, rest ...byte) []byte {
		frame := make([]byte, 14+40, 128)
		copy(frame[12:], []byte{0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, next, 255})
		copy(frame[14+24:], []byte{0xff, 2})
		return append(frame, rest...)
	}
	listenerReport := packet(0, 58, 0, 5, 2, 0, 0, 1, 0, 143)
	for _, tt := range []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"neighbor solicitation", packet(58, 135, 0), false},
		{"neighbor advertisement", packet(58, 136, 0), false},
		{"router solicitation", packet(58, 133, 0), false},
		{"redirect", packet(58, 137, 0), false},
		{"listener report behind options", listenerReport, false},
		{"echo request", packet(58, 128, 0), true},
		{"packet too big", packet(58, 2, 0), true},
		{"UDP", packet(17, 135, 0), true},
		{"39 bytes of IPv6", packet(58)[:53], true},
		{"no payload", packet(58), true},
		{"ARP", append(make([]byte, 12), 8, 6, 0, 1), true},
		{"empty", nil, true},
	} {
		if got := xdptest.NotNoise(tt.frame); got != tt.want {
			t.Errorf("NotNoise(%s) = %v, want %v", tt.name, got, tt.want)
		}
	}
}
