package xdptest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// ping sends one echo request from A and waits for the answer.
func ping(lab *xdptest.Lab, to netip.Addr) error {
	return lab.A.Do(func() error {
		conn, err := net.ListenPacket("ip6:ipv6-icmp", "::")
		if err != nil {
			return err
		}
		defer conn.Close()
		request := []byte{128, 0, 0, 0, 0x66, 0x36, 0, 1, 'h', 'i'}
		if _, err := conn.WriteTo(request, &net.IPAddr{IP: to.AsSlice()}); err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		for buffer := make([]byte, 256); ; {
			n, _, err := conn.ReadFrom(buffer)
			if err != nil {
				return fmt.Errorf("no answer from %v: %w", to, err)
			}
			if n == len(request) && buffer[0] == 129 && bytes.Equal(buffer[4:n], request[4:]) {
				return nil
			}
		}
	})
}

func TestKernelForwards(t *testing.T) {
	for _, config := range []xdptest.Config{{}, {MTU: 9000}, {Queues: 2}, {StaticNeighbors: true}, {Extra: 2}} {
		t.Run(fmt.Sprintf("%+v", config), func(t *testing.T) {
			lab := xdptest.NewLabWith(t, config)
			for _, p := range lab.Ports() {
				if p.NS == lab.A {
					continue
				}
				if err := ping(lab, p.Addr); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestAddressIsInUse(t *testing.T) {
	lab := xdptest.NewLab(t)
	for i := range 20 {
		a := netip.AddrFrom16([16]byte{0xfd, 0x66, 15: byte(100 + i)})
		if err := lab.R0.AddAddress(netip.PrefixFrom(a, 64)); err != nil {
			t.Fatal(err)
		}
		if err := ping(lab, a); err != nil {
			t.Fatal(err)
		}
		if err := lab.R0.RemoveAddress(netip.PrefixFrom(a, 64)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKernelDoesNotForwardWithoutForwarding(t *testing.T) {
	lab := xdptest.NewLab(t)
	if err := lab.R.Sysctl("ipv6/conf/all/forwarding", "0"); err != nil {
		t.Fatal(err)
	}
	if err := ping(lab, lab.B0.Addr); err == nil {
		t.Error("B answers although R does not forward")
	}
}

func TestDoStaysInside(t *testing.T) {
	lab := xdptest.NewLab(t)
	names := func() string {
		links, err := net.Interfaces()
		if err != nil {
			t.Error(err)
		}
		var all []string
		for _, l := range links {
			all = append(all, l.Name)
		}
		return strings.Join(all, " ")
	}
	before := names()
	for _, tt := range []struct {
		ns   *xdptest.Namespace
		want string
	}{{lab.A, "lo a0"}, {lab.R, "lo r0 r1"}, {lab.B, "lo b0"}} {
		var got string
		if err := tt.ns.Do(func() error { got = names(); return nil }); err != nil {
			t.Fatal(err)
		}
		if got != tt.want {
			t.Errorf("devices in %s = %q, want %q", tt.ns.Name, got, tt.want)
		}
	}
	if after := names(); after != before {
		t.Errorf("devices outside = %q, want %q", after, before)
	}
}

// While many threads are in a namespace, the main thread is not: it shows
// /proc/self to everybody.
func TestMainThreadStaysOutside(t *testing.T) {
	lab := xdptest.NewLab(t)
	outside, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	const many = 64
	var inside, done sync.WaitGroup
	leave := make(chan struct{})
	inside.Add(many)
	for range many {
		done.Go(func() {
			if err := lab.R.Do(func() error { inside.Done(); <-leave; return nil }); err != nil {
				t.Error(err)
				inside.Done()
			}
		})
	}
	inside.Wait()
	if now, err := os.Readlink("/proc/self/ns/net"); err != nil || now != outside {
		t.Errorf("the main thread is in %s (%v), want %s", now, err, outside)
	}
	close(leave)
	done.Wait()
}

func TestCommand(t *testing.T) {
	lab := xdptest.NewLab(t)
	for _, tt := range []struct {
		ns   *xdptest.Namespace
		want bool
	}{{lab.A, false}, {lab.R, true}} {
		out, err := tt.ns.Command("cat", "/proc/self/net/dev").Output()
		if got := strings.Contains(string(out), "r0:"); err != nil || got != tt.want {
			t.Errorf("a process in %s sees r0 = %v (%v), want %v", tt.ns.Name, got, err, tt.want)
		}
	}
	if out, err := lab.A.Command("cat", "/no/such/file").CombinedOutput(); err == nil || len(out) == 0 {
		t.Errorf("a process that fails gives %v and says %q", err, out)
	}
}

func TestCloseKillsCommands(t *testing.T) {
	xdptest.Privileged(t)
	lab, err := xdptest.Build(xdptest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cmd := lab.R.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("child ended with %v, want killed", err)
		}
	case <-time.After(5 * time.Second):
		cmd.Process.Kill()
		t.Error("the child outlives its namespace")
	}
}

// routes6 is how many IPv6 routes the kernel has in a namespace, in all tables.
func routes6(t *testing.T, ns *xdptest.Namespace) (count int) {
	t.Helper()
	if err := ns.Do(func() error {
		stats, err := os.ReadFile("/proc/thread-self/net/rt6_stats")
		if err != nil {
			return err
		}
		var nodes, routeNodes, allocated int
		_, err = fmt.Sscanf(string(stats), "%x %x %x %x", &nodes, &routeNodes, &allocated, &count)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return count
}

func TestBulkRoutes(t *testing.T) {
	lab := xdptest.NewLab(t)
	routes := make([]xdptest.Route, 100_000)
	for i := range routes {
		var a [16]byte
		binary.BigEndian.PutUint32(a[:], 0x20000000+uint32(i)<<4)
		routes[i] = xdptest.Via(netip.PrefixFrom(netip.AddrFrom16(a), 32), lab.R1)
	}
	before := routes6(t, lab.R)
	start := time.Now()
	if err := lab.R.AddRoutes(routes...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d routes in %v", len(routes), time.Since(start))
	if got := routes6(t, lab.R) - before; got != len(routes) {
		t.Errorf("the kernel has %d routes more, want %d", got, len(routes))
	}
	again := lab.R.AddRoutes(routes[700:1900]...)
	if again == nil || !strings.Contains(again.Error(), "exists") {
		t.Errorf("adding routes again = %v, want an error", again)
	}
	if err := lab.R.RemoveRoutes(routes...); err != nil {
		t.Error(err)
	}
	if got := routes6(t, lab.R); got != before {
		t.Errorf("the kernel has %d routes in the end, want %d as before", got, before)
	}
}

func TestFeatures(t *testing.T) {
	lab := xdptest.NewLab(t)
	for _, p := range lab.Ports() {
		for _, name := range []string{"tx-checksum-ip-generic", "tx-tcp-segmentation"} {
			if on, err := p.Feature(name); err != nil || on {
				t.Errorf("%s of %s = %v, %v, want off", name, p.Name, on, err)
			}
		}
	}
	for _, want := range []bool{true, false} {
		if err := lab.R0.SetFeature("rx-gro", want); err != nil {
			t.Error(err)
		}
		if got, err := lab.R0.Feature("rx-gro"); err != nil || got != want {
			t.Errorf("rx-gro = %v, %v, want %v", got, err, want)
		}
	}
	if err := lab.R0.SetFeature("no-such-thing", true); err == nil {
		t.Error("a feature that does not exist was set")
	}
}
