package traffic_test

import (
	"context"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/fwd6/fwd6/bench/traffic"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// destinations are addresses that R is told to send to B.
func destinations(n int) []netip.Addr {
	all := make([]netip.Addr, n)
	for i := range all {
		a := [16]byte{0x20, 1, 0xd, 0xb8}
		binary.BigEndian.PutUint64(a[8:], uint64(i+1)*0x9e3779b97f4a7c15)
		all[i] = netip.AddrFrom16(a)
	}
	return all
}

// newLab is a lab in which R forwards 2001:db8::/32 to B.
func newLab(t *testing.T) *xdptest.Lab {
	t.Helper()
	lab := xdptest.NewLabWith(t, xdptest.Config{StaticNeighbors: true})
	if err := lab.R.AddRoutes(xdptest.Via(netip.MustParsePrefix("2001:db8::/32"), lab.R1)); err != nil {
		t.Fatal(err)
	}
	return lab
}

func open(t *testing.T, config traffic.Config) *traffic.Flood {
	t.Helper()
	f, err := traffic.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestSendIsExact(t *testing.T) {
	lab := newLab(t)
	for _, size := range []int{0, 71, 1514} {
		f := open(t, traffic.Config{From: lab.A0, To: lab.B0, Destinations: destinations(1000), Size: size})
		for _, count := range []int{1, 63, 5000, 40_000} {
			r, err := f.Send(t.Context(), count)
			if err != nil {
				t.Fatal(err)
			}
			want := traffic.Counts{Good: uint64(count), Bytes: uint64(count * max(size, traffic.MinSize))}
			if r.Sent != uint64(count) || r.Counts != want || r.Lost() != 0 {
				t.Errorf("size %d: sent %d of %d, %d lost, counted %v, want %v", size, r.Sent, count, r.Lost(), r.Counts, want)
			}
		}
		f.Close()
	}
}

func TestLoop(t *testing.T) {
	lab := newLab(t)
	for _, tt := range []struct {
		name string
		to   *xdptest.Port
	}{{"kernel", lab.B0}, {"nothing between", lab.R0}} {
		f := open(t, traffic.Config{From: lab.A0, To: tt.to, Destinations: destinations(1 << 16)})
		r, err := f.Loop(t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.0f packets/s, %v CPU each, %+v", tt.name, r.PerSecond(), r.CPUPerPacket(), r)
		if r.Good != r.Sent || r.Good < 10_000 || r.Wrong() != 0 || r.Lost() != 0 {
			t.Errorf("%s: sent %d, %d lost, counted %v, want at least 10000, all good", tt.name, r.Sent, r.Lost(), r.Counts)
		}
		f.Close()
	}
}

func TestPace(t *testing.T) {
	lab := newLab(t)
	f := open(t, traffic.Config{From: lab.A0, To: lab.B0, Destinations: destinations(1000)})
	r, err := f.Pace(t.Context(), 50_000, 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if r.Good != r.Sent || r.Sent < 22_000 || r.Sent > 25_100 {
		t.Errorf("sent %d, counted %v, want about 25000, all good", r.Sent, r.Counts)
	}
}

func TestCancelEndsLoop(t *testing.T) {
	lab := newLab(t)
	f := open(t, traffic.Config{From: lab.A0, To: lab.B0, Destinations: destinations(1000)})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	r, err := f.Loop(ctx, time.Minute)
	if err != nil || time.Since(start) > 5*time.Second || r.Lost() != 0 {
		t.Errorf("canceled loop: %v after %v, %+v", err, time.Since(start), r)
	}
}

// What is wrong on the way must be seen, and what is right must not be blamed.
func TestSinkFindsFaults(t *testing.T) {
	const count = 600 // more than two windows
	for _, tt := range []struct {
		name  string
		spoil func(*xdptest.Lab) error
		want  traffic.Counts
		lost  uint64
	}{
		{"another MAC", func(lab *xdptest.Lab) error {
			return lab.R1.AddNeighbor(lab.B0.Addr, lab.R0.MAC)
		}, traffic.Counts{WrongMAC: count}, 0},
		{"no route", func(lab *xdptest.Lab) error {
			return lab.R.RemoveRoutes(xdptest.Via(netip.MustParsePrefix("2001:db8::/32"), lab.R1))
		}, traffic.Counts{}, count},
		{"link down", func(lab *xdptest.Lab) error {
			return lab.R1.SetUp(false)
		}, traffic.Counts{}, count},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lab := newLab(t)
			f := open(t, traffic.Config{From: lab.A0, To: lab.B0, Destinations: destinations(100)})
			if err := tt.spoil(lab); err != nil {
				t.Fatal(err)
			}
			r, err := f.Send(t.Context(), count)
			if err != nil {
				t.Fatal(err)
			}
			if r.Sent != count || r.Counts != tt.want || r.Lost() != tt.lost {
				t.Errorf("sent %d, %d lost, counted %v, want %d, %d lost, %v", r.Sent, r.Lost(), r.Counts, count, tt.lost, tt.want)
			}
		})
	}
}

// TestSinkJudges gives the sink single frames: one that is right, then the
// same with one fault each.
func TestSinkJudges(t *testing.T) {
	lab := newLab(t)
	f := open(t, traffic.Config{From: lab.A0, To: lab.B0, Destinations: destinations(1)})
	sender, err := lab.R1.Sender()
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	good := func(sequence uint64) []byte {
		payload := binary.LittleEndian.AppendUint64(nil, sequence)
		return serialize(t, lab, destinations(1)[0], payload)
	}
	// Nothing has been sent yet, so the first sequence number is 1.
	if _, err := f.Send(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		frame []byte
		spoil func(frame []byte) []byte
		want  traffic.Counts
	}{
		{"good", good(1), nil, traffic.Counts{Good: 1, Bytes: traffic.MinSize}},
		{"the same again", good(1), nil, traffic.Counts{Repeated: 1}},
		{"before this run", good(0), nil, traffic.Counts{Late: 1}},
		{"a million later", good(1_000_000), nil, traffic.Counts{Good: 1, Bytes: traffic.MinSize}},
		{"overtaken by a million", good(2), nil, traffic.Counts{Good: 1, Bytes: traffic.MinSize}},
		{"the overtaken one again", good(2), nil, traffic.Counts{Repeated: 1}},
		{"beyond memory", good(31 + 32<<17), nil, traffic.Counts{Good: 1, Bytes: traffic.MinSize}},
		{"forgotten", good(30), nil, traffic.Counts{Late: 1}},
		{"to another MAC", good(33), func(b []byte) []byte { b[5]++; return b }, traffic.Counts{WrongMAC: 1}},
		{"from another MAC", good(34), func(b []byte) []byte { b[11]++; return b }, traffic.Counts{WrongMAC: 1}},
		{"hop limit not decremented", good(35), func(b []byte) []byte { b[21]++; return b }, traffic.Counts{WrongHopLimit: 1}},
		{"hop limit decremented twice", good(36), func(b []byte) []byte { b[21]--; return b }, traffic.Counts{WrongHopLimit: 1}},
		{"another source", good(7), func(b []byte) []byte { b[37]++; return b }, traffic.Counts{WrongChecksum: 1}},
		{"another destination", good(8), func(b []byte) []byte { b[38]++; return b }, traffic.Counts{WrongChecksum: 1}},
		{"another sequence number", good(9), func(b []byte) []byte { b[63]++; return b }, traffic.Counts{WrongChecksum: 1}},
		{"padded", good(40), func(b []byte) []byte { return append(b, 0) }, traffic.Counts{WrongLength: 1}},
		{"another port", good(11), func(b []byte) []byte { b[57]++; return b }, traffic.Counts{}},
		{"not UDP", good(12), func(b []byte) []byte { b[20] = 6; return b }, traffic.Counts{}},
		{"cut short", good(13), func(b []byte) []byte { return b[:69] }, traffic.Counts{}},
	} {
		before, err := f.Counted()
		if err != nil {
			t.Fatal(err)
		}
		if tt.spoil != nil {
			tt.frame = tt.spoil(tt.frame)
		}
		if err := sender.Send(tt.frame); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
		after, err := f.Counted()
		if err != nil {
			t.Fatal(err)
		}
		if got := difference(after, before); got != tt.want {
			t.Errorf("%s: counted %v, want %v", tt.name, got, tt.want)
		}
	}
}

func difference(a, b traffic.Counts) traffic.Counts {
	return traffic.Counts{
		Good: a.Good - b.Good, Bytes: a.Bytes - b.Bytes,
		WrongMAC: a.WrongMAC - b.WrongMAC, WrongHopLimit: a.WrongHopLimit - b.WrongHopLimit,
		WrongChecksum: a.WrongChecksum - b.WrongChecksum, WrongLength: a.WrongLength - b.WrongLength,
		Repeated: a.Repeated - b.Repeated, Late: a.Late - b.Late,
	}
}

// serialize makes the flood's frame as R should send it, without the code
// under test.
func serialize(t *testing.T, lab *xdptest.Lab, to netip.Addr, payload []byte) []byte {
	ip := &layers.IPv6{
		Version: 6, HopLimit: 63, NextHeader: layers.IPProtocolUDP,
		SrcIP: lab.A0.Addr.AsSlice(), DstIP: to.AsSlice(),
	}
	udp := &layers.UDP{SrcPort: 0x6636, DstPort: 9}
	udp.SetNetworkLayerForChecksum(ip)
	buffer := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: lab.R1.MAC, DstMAC: lab.B0.MAC, EthernetType: layers.EthernetTypeIPv6},
		ip, udp, gopacket.Payload(payload))
	if err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// TestFrames compares every byte that is sent with what another
// implementation makes of the same packet.
func TestFrames(t *testing.T) {
	lab := newLab(t)
	to := destinations(10)
	f := open(t, traffic.Config{From: lab.A0, To: lab.B0, Destinations: to, Size: 100})
	capture, err := lab.R0.Capture(xdptest.NotNoise)
	if err != nil {
		t.Fatal(err)
	}
	defer capture.Close()
	const count = 300
	if _, err := f.Send(t.Context(), count); err != nil {
		t.Fatal(err)
	}
	frames, err := capture.Take(count, time.Second)
	if err != nil || len(frames) != count {
		t.Fatalf("captured %d frames (%v), want %d", len(frames), err, count)
	}
	for i, frame := range frames {
		payload := make([]byte, 100-62)
		binary.LittleEndian.PutUint64(payload, uint64(i+1))
		want := serialize(t, lab, to[i%len(to)], payload)
		copy(want, lab.R0.MAC)
		copy(want[6:], lab.A0.MAC)
		want[21]++
		if string(frame.Data) != string(want) {
			t.Fatalf("frame %d = %x, want %x", i, frame.Data, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	lab := newLab(t)
	for name, config := range map[string]traffic.Config{
		"no destinations": {From: lab.A0, To: lab.B0},
		"too short":       {From: lab.A0, To: lab.B0, Destinations: destinations(1), Size: traffic.MinSize - 1},
		"too long":        {From: lab.A0, To: lab.B0, Destinations: destinations(1), Size: traffic.MaxSize + 1},
	} {
		if f, err := traffic.Open(config); err == nil {
			f.Close()
			t.Errorf("%s: no error", name)
		}
	}
	open(t, traffic.Config{From: lab.A0, To: lab.B0, Destinations: destinations(1)})
	if f, err := traffic.Open(traffic.Config{From: lab.A0, To: lab.B0, Destinations: destinations(1)}); err == nil {
		f.Close()
		t.Error("a second sink on the same port: no error")
	}
	if on, err := lab.R0.Feature("rx-gro"); err != nil || !on {
		t.Errorf("rx-gro of R0 = %v, %v after a failed Open, want still on", on, err)
	}
}
