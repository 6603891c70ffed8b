package xdp_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

func newSteering(t *testing.T) *xdp.Steering {
	t.Helper()
	s, err := xdp.NewSteering(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, s) })
	return s
}

func portConfig(p *xdptest.Port, mode xdp.AttachMode) xdp.PortConfig {
	return xdp.PortConfig{Ifindex: p.Ifindex, Name: p.Name, MAC: [6]byte(p.MAC), Mode: mode}
}

// attach attaches inside the port's namespace.
func attach(s *xdp.Steering, p *xdptest.Port, mode xdp.AttachMode) (program *xdp.Program, err error) {
	err = p.NS.Do(func() error {
		program, err = s.Attach(portConfig(p, mode))
		return err
	})
	return program, err
}

func mustAttach(t *testing.T, s *xdp.Steering, p *xdptest.Port, mode xdp.AttachMode) *xdp.Program {
	t.Helper()
	program, err := attach(s, p, mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, program) })
	return program
}

// ping sends echo requests until a reply is there. The first may be lost: a
// link takes up to a second to be ready.
func ping(from *xdptest.Namespace, to netip.Addr) error {
	var conn net.PacketConn
	err := from.Do(func() (err error) {
		conn, err = net.ListenPacket("ip6:ipv6-icmp", "::")
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	for range 50 {
		err = errors.Join(
			pingOnce(conn, to),
			conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)),
			awaitReply(conn))
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("ping %v from %s: %w", to, from.Name, err)
}

var pingRequest = append([]byte{128, 0, 0, 0, 'f', '6', 0, 1}, "echo"...)

func pingOnce(conn net.PacketConn, to netip.Addr) error {
	_, err := conn.WriteTo(pingRequest, &net.IPAddr{IP: to.AsSlice()})
	return err
}

func awaitReply(conn net.PacketConn) error {
	reply := make([]byte, 2000)
	for {
		n, _, err := conn.ReadFrom(reply)
		if err != nil {
			return err
		}
		if n == len(pingRequest) && reply[0] == 129 && bytes.Equal(reply[4:n], pingRequest[4:]) {
			return nil
		}
	}
}

// Whatever state the program is in: as long as no socket takes the packets,
// the host is there and forwards.
func TestAttachedPortLosesNothing(t *testing.T) {
	for _, mode := range []xdp.AttachMode{xdp.AttachAuto, xdp.AttachNative, xdp.AttachGeneric} {
		t.Run(mode.String(), func(t *testing.T) {
			lab := xdptest.NewLab(t)
			s := newSteering(t)
			r0, r1 := mustAttach(t, s, lab.R0, mode), mustAttach(t, s, lab.R1, mode)
			want := mode
			if mode == xdp.AttachAuto {
				want = xdp.AttachNative
			}
			if got := r0.Mode(); got != want || r0.FellBack() != nil {
				t.Errorf("mode = %v (fell back: %v), want %v", got, r0.FellBack(), want)
			}
			for _, passing := range []bool{true, false} {
				if !passing { // as it is at first
					if err := errors.Join(r0.SetPassing(false), r1.SetPassing(false)); err != nil {
						t.Fatal(err)
					}
				}
				for _, to := range []netip.Addr{lab.R0.Addr, lab.R1.Addr, lab.B0.Addr} {
					if err := ping(lab.A, to); err != nil {
						t.Errorf("passing %v: %v", passing, err)
					}
				}
			}
			counters, err := r0.Counters()
			if err != nil {
				t.Fatal(err)
			}
			if counters[xdp.PassPassing] < 3 || counters[xdp.PassNoSocket] < 3 || counters[xdp.Steered] != 0 {
				t.Errorf("counters = %v", counters)
			}
		})
	}
}

func TestFallBackToGeneric(t *testing.T) {
	lab := xdptest.NewLab(t)
	bridge := addBridge(t, lab.R)
	s := newSteering(t)
	if _, err := attach(s, bridge, xdp.AttachNative); !errors.Is(err, xdp.ErrNotSupported) {
		t.Errorf("attach to a bridge in native mode: %v, want %v", err, xdp.ErrNotSupported)
	}
	program := mustAttach(t, s, bridge, xdp.AttachAuto)
	if program.Mode() != xdp.AttachGeneric || !errors.Is(program.FellBack(), xdp.ErrNotSupported) {
		t.Errorf("mode = %v, fell back: %v, want generic for %v", program.Mode(), program.FellBack(), xdp.ErrNotSupported)
	}
}

// hold attaches a program of another name and returns its ID.
func hold(t *testing.T, p *xdptest.Port, name string, flags link.XDPAttachFlags) ebpf.ProgramID {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: ebpf.XDP, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, program) })
	err = p.NS.Do(func() error {
		l, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: p.Ifindex, Flags: flags})
		if err == nil {
			t.Cleanup(func() { mustClose(t, l) })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := program.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	return id
}

func TestAlreadyAttached(t *testing.T) {
	lab := xdptest.NewLab(t)
	s := newSteering(t)
	for _, tt := range []struct {
		port  *xdptest.Port
		flags link.XDPAttachFlags
		mode  string
	}{
		{lab.R0, link.XDPDriverMode, "native"},
		{lab.R1, link.XDPGenericMode, "generic"},
	} {
		id := hold(t, tt.port, "someone_else", tt.flags)
		for _, mode := range []xdp.AttachMode{xdp.AttachAuto, xdp.AttachNative, xdp.AttachGeneric} {
			_, err := attach(s, tt.port, mode)
			if !errors.Is(err, xdp.ErrAlreadyAttached) {
				t.Fatalf("attach in %v mode beside one in %s mode: %v, want %v", mode, tt.mode, err, xdp.ErrAlreadyAttached)
			}
			want := fmt.Sprintf(`someone_else (id %d, %s mode); stop what attached it, or detach it with "ip link set dev %s xdp off"`,
				id, tt.mode, tt.port.Name)
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error = %q, want it to contain %q", err, want)
			}
		}
	}
}

func TestAnotherFwd6(t *testing.T) {
	lab := xdptest.NewLab(t)
	first := mustAttach(t, newSteering(t), lab.R0, xdp.AttachAuto)
	second := newSteering(t)
	_, err := attach(second, lab.R0, xdp.AttachAuto)
	if !errors.Is(err, xdp.ErrAlreadyAttached) || !strings.Contains(err.Error(), "another fwd6") {
		t.Errorf("attach beside another fwd6: %v, want %v", err, xdp.ErrAlreadyAttached)
	}

	// One that is on its way out is waited for.
	time.AfterFunc(200*time.Millisecond, func() { mustClose(t, first) })
	mustAttach(t, second, lab.R0, xdp.AttachAuto)
}

// holderEnv makes TestTakeOverFromKilled the process that it kills.
const holderEnv = "FWD6_TEST_HOLD_PORT"

func holdPort(t *testing.T, name string) {
	port, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	s := newSteering(t)
	if _, err := s.Attach(xdp.PortConfig{Ifindex: port.Index, Name: name, MAC: [6]byte(port.HardwareAddr)}); err != nil {
		t.Fatal(err)
	}
	fmt.Println("holding")
	select {}
}

func TestTakeOverFromKilled(t *testing.T) {
	if name := os.Getenv(holderEnv); name != "" {
		holdPort(t, name)
	}
	lab := xdptest.NewLab(t)
	for range 3 {
		cmd := lab.R.Command(os.Args[0], "-test.run=^TestTakeOverFromKilled$")
		cmd.Env = append(os.Environ(), holderEnv+"="+lab.R0.Name)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "holding\n" {
			t.Fatalf("child said %q (%v), want holding", line, err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		program, err := attach(newSteering(t), lab.R0, xdp.AttachNative)
		if err != nil {
			t.Fatal(err)
		}
		if err := program.Close(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	}
}

func TestClose(t *testing.T) {
	lab := xdptest.NewLab(t)
	s := newSteering(t)
	for _, mode := range []xdp.AttachMode{xdp.AttachNative, xdp.AttachGeneric} {
		program := mustAttach(t, s, lab.R0, mode)
		for range 2 {
			if err := program.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		// It is detached when Close returns.
		if id := attached(t, lab.R0); id != 0 {
			t.Errorf("program after Close = %d, want none", id)
		}
		if err := program.SetPassing(true); err == nil {
			t.Error("SetPassing after Close: no error")
		}
		if _, err := program.Counters(); err == nil {
			t.Error("Counters after Close: no error")
		}
		if err := ping(lab.A, lab.B0.Addr); err != nil {
			t.Error(err)
		}
	}
}

func TestDeviceGone(t *testing.T) {
	lab := xdptest.NewLab(t)
	s := newSteering(t)
	program := mustAttach(t, s, lab.R0, xdp.AttachNative)
	if err := lab.R0.Delete(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		program.SetMAC(otherMAC),
		program.SetPassing(false),
		program.Unsteer(0),
	); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := program.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := attach(s, lab.R0, xdp.AttachAuto); !errors.Is(err, xdp.ErrGone) {
		t.Errorf("attach to a device that is gone: %v, want %v", err, xdp.ErrGone)
	}
}

// attached is the ID of the port's XDP program, or 0.
func attached(t *testing.T, p *xdptest.Port) (id uint32) {
	t.Helper()
	err := p.NS.Do(func() (err error) {
		id, err = xdp.AttachedProgram(p.Ifindex)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
