package xdp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/internal/sys"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

var tagProtocols = map[string]uint16{"802.1Q": 0x8100, "802.1ad": 0x88a8}

// pushTag has a port's kernel give all that it sends a VLAN tag, until the
// function that it returns is called. The tag lies beside the frame for as long
// as the port's device says that it would insert it.
func pushTag(t *testing.T, p *xdptest.Port, proto, vid uint16) (stop func()) {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, License: "MIT",
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R2, int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, proto)))),
			asm.Mov.Imm(asm.R3, int32(vid)),
			asm.FnSkbVlanPush.Call(),
			asm.Mov.Imm(asm.R0, -1), // TCX_NEXT
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var at link.Link
	err = p.NS.Do(func() (err error) {
		at, err = link.AttachTCX(link.TCXOptions{Interface: p.Ifindex, Program: program, Attach: ebpf.AttachTCXEgress})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		mustClose(t, at)
		mustClose(t, program)
	}
}

// vlanLab is a lab whose port R0 sorts, with a socket whose worker lives.
type vlanLab struct {
	*lab
	t       *testing.T
	program *xdp.Program
	sender  *xdptest.Sender
}

func newVLANLab(t *testing.T, mode xdp.AttachMode) *vlanLab {
	t.Helper()
	l := newLab(t, xdptest.Config{})
	b := l.open(t, xdp.SocketConfig{RingSize: ringSize, ChunkSize: 2048}, xdp.OpenShared)
	s := newSteering(t)
	program := mustAttach(t, s, l.R0, mode)
	if err := program.Steer(0, b.FD(0), 0); err != nil {
		t.Fatal(err)
	}
	if err := program.SetPassing(false); err != nil {
		t.Fatal(err)
	}
	beats, done := time.NewTicker(time.Millisecond), make(chan struct{})
	go func() {
		for {
			select {
			case <-beats.C:
				s.Heartbeat(0).Add(1)
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() { done <- struct{}{} })
	return &vlanLab{lab: l, t: t, program: program, sender: sender(t, l.A0)}
}

// transit is a packet that only its tag keeps from being steered.
func (l *vlanLab) transit() []byte {
	return build(l.t, func(p *packet) { p.eth.SrcMAC, p.eth.DstMAC = l.A0.MAC, l.R0.MAC })
}

// expect sends five transit packets, which must get one of the wanted verdicts.
// A worker that is late on a busy machine makes stale of steered.
func (l *vlanLab) expect(what string, want ...xdp.Verdict) {
	l.t.Helper()
	before := l.counters()
	for range 5 {
		if err := l.sender.Send(l.transit()); err != nil {
			l.t.Fatal(err)
		}
	}
	// The kernels' own packets get other verdicts, or are tagged in the frame.
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(time.Millisecond) {
		var wanted, others uint64
		now := l.counters()
		for _, v := range []xdp.Verdict{xdp.Steered, xdp.PassStale, xdp.PassVLAN, xdp.PassNotIPv6} {
			if n := now[v] - before[v]; slices.Contains(want, v) {
				wanted += n
			} else if v != xdp.PassNotIPv6 {
				others += n
			}
		}
		if wanted >= 5 && others == 0 {
			return
		}
		if time.Now().After(deadline) {
			l.t.Errorf("%s: verdicts %v on %d frames and others on %d, want 5 and 0", what, want, wanted, others)
			return
		}
	}
}

func (l *vlanLab) counters() xdp.Counters {
	l.t.Helper()
	c, err := l.program.Counters()
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// A frame whose VLAN tag is not among its bytes stays with the kernel, which
// sees the tag.
func TestVLANTagBesideFrame(t *testing.T) {
	l := newVLANLab(t, xdp.AttachNative)
	if err := l.program.MissesVLAN(); err != nil {
		t.Errorf("misses VLAN tags: %v", err)
	}
	packet := l.transit()[14:]
	tagged := func(f []byte) bool { return len(f) > 18 && bytes.Equal(f[18:], packet) }
	for proto, number := range tagProtocols {
		l.expect("untagged", xdp.Steered, xdp.PassStale)
		kernel, err := l.R0.Capture(tagged)
		if err != nil {
			t.Fatal(err)
		}
		stop := pushTag(t, l.A0, number, 100)
		l.expect(proto+" tag beside the frame", xdp.PassVLAN)
		frames := take(t, kernel, 5)
		for _, f := range frames {
			if want := binary.BigEndian.AppendUint32(nil, uint32(number)<<16|100); !bytes.Equal(f[12:16], want) {
				t.Errorf("tag that the kernel got = %x, want %x", f[12:16], want)
			}
		}
		if len(frames) != 5 {
			t.Errorf("frames that the kernel got = %d, want 5", len(frames))
		}
		mustClose(t, kernel)

		// A tag among the bytes is another EtherType, as it always was.
		l.inBand(true)
		l.expect(proto+" tag in the frame", xdp.PassNotIPv6)
		l.inBand(false)
		stop()
	}
}

// Where frames come in pieces, tags are seen all the same.
func TestVLANTagOnJumboLink(t *testing.T) {
	lab := xdptest.NewLabWith(t, xdptest.Config{MTU: 9000})
	if err := mustAttach(t, newSteering(t), lab.R0, xdp.AttachNative).MissesVLAN(); err != nil {
		t.Error(err)
	}
}

// inBand has A0 put tags into its frames, as MissesVLAN advises.
func (l *vlanLab) inBand(on bool) {
	l.t.Helper()
	for _, feature := range []string{"tx-vlan-hw-insert", "tx-vlan-stag-hw-insert"} {
		if err := l.A0.SetFeature(feature, !on); err != nil {
			l.t.Fatal(err)
		}
	}
}

// Generic mode cannot know of such a tag. It says so, and what it says helps.
func TestVLANTagInGenericMode(t *testing.T) {
	l := newVLANLab(t, xdp.AttachGeneric)
	err := l.program.MissesVLAN()
	if advice := `"ethtool -K PEER tx-vlan-hw-insert off tx-vlan-stag-hw-insert off"`; err == nil || !strings.Contains(err.Error(), advice) {
		t.Fatalf("misses VLAN tags: %v, want the advice %s", err, advice)
	}
	for proto, number := range tagProtocols {
		stop := pushTag(t, l.A0, number, 100)
		// Should this fail, such tags are seen by now, and the warning can go.
		l.expect(proto+" tag beside the frame", xdp.Steered, xdp.PassStale)
		l.inBand(true)
		l.expect(proto+" tag, as advised", xdp.PassNotIPv6)
		l.inBand(false)
		stop()
	}
}

// Where the program cannot ask for tags, the device leaves them in the frames
// for as long as the program is attached; where it can, the device is left
// alone.
func TestVLANStripping(t *testing.T) {
	lab := xdptest.NewLab(t)
	s := newSteering(t)
	expect := func(when string, want map[string]bool) {
		t.Helper()
		for name, on := range want {
			got, err := lab.R0.Feature(name)
			if err != nil {
				t.Fatal(err)
			}
			if got != on {
				t.Errorf("%s: %s = %v, want %v", when, name, got, on)
			}
		}
	}
	const ctag, stag, other = "rx-vlan-hw-parse", "rx-vlan-stag-hw-parse", "tx-vlan-hw-insert"
	if err := lab.R0.SetFeature(stag, false); err != nil {
		t.Fatal(err)
	}
	before := map[string]bool{ctag: true, stag: false, other: true}
	for _, tt := range []struct {
		mode   xdp.AttachMode
		during map[string]bool
	}{
		{xdp.AttachNative, before},
		{xdp.AttachGeneric, map[string]bool{ctag: false, stag: false, other: true}},
	} {
		expect("before", before)
		program := mustAttach(t, s, lab.R0, tt.mode)
		expect(tt.mode.String()+" mode", tt.during)
		mustClose(t, program)
		expect("after "+tt.mode.String()+" mode", before)
	}

	// It went away with its device.
	program := mustAttach(t, s, lab.R0, xdp.AttachGeneric)
	if err := lab.R0.Delete(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, program)
}

// A device that has no such feature and is not the end of a wire gets its
// frames from others, which may have taken the tags out.
func TestVLANTagOnBridge(t *testing.T) {
	lab := xdptest.NewLab(t)
	program := mustAttach(t, newSteering(t), addBridge(t, lab.R), xdp.AttachAuto)
	if err := program.MissesVLAN(); err == nil || !strings.Contains(err.Error(), "keep tagged frames away") {
		t.Errorf("misses VLAN tags: %v, want advice", err)
	}
}

func TestStopFeatures(t *testing.T) {
	lab := xdptest.NewLab(t)
	const can, cannot, isOff = "tx-vlan-hw-insert", "tx-checksum-ip-generic", "hw-tc-offload"
	loopback := &xdptest.Port{Name: "lo", NS: lab.R, Ifindex: 1}
	for _, tt := range []struct {
		port    *xdptest.Port
		name    string
		refused []string
		during  bool
	}{
		{lab.R0, can, nil, false},
		{lab.R0, isOff, nil, false},
		{loopback, cannot, []string{cannot}, true},
	} {
		before, err := tt.port.Feature(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		var stopped *sys.StoppedFeatures
		err = lab.R.Do(func() error {
			stopped, err = sys.StopFeatures(tt.port.Ifindex, tt.name)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(stopped.Refused, tt.refused) {
			t.Errorf("%s of %s: refused = %q, want %q", tt.name, tt.port.Name, stopped.Refused, tt.refused)
		}
		if on, err := tt.port.Feature(tt.name); on != tt.during || err != nil {
			t.Errorf("%s of %s, stopped = %v (%v), want %v", tt.name, tt.port.Name, on, err, tt.during)
		}
		mustClose(t, stopped)
		if on, err := tt.port.Feature(tt.name); on != before || err != nil {
			t.Errorf("%s of %s, after Close = %v (%v), want %v", tt.name, tt.port.Name, on, err, before)
		}
	}
	err := lab.R.Do(func() error {
		_, err := sys.StopFeatures(9999, can)
		return err
	})
	if !errors.Is(err, syscall.ENODEV) {
		t.Errorf("features of a device that does not exist: %v, want %v", err, syscall.ENODEV)
	}
}
