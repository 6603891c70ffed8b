package main_test

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// TestNeighborsKeptFresh sends through fwd6 alone to a gateway that the kernel
// takes for reachable for a second only. It must stay known without a gap; and
// when the gateway moves to another MAC without a word, as when a spare router
// takes over, that must be found out as the kernel would by its own traffic.
func TestNeighborsKeptFresh(t *testing.T) {
	const (
		quiet  = 4 * time.Second // before the gateway moves
		found  = 6 * time.Second // until that is known
		period = 5 * time.Millisecond
	)
	w := newWorld(t, xdptest.Config{})
	if err := errors.Join(
		w.R.Sysctl("ipv6/neigh/r1/base_reachable_time_ms", "1000"),
		w.R.Sysctl("ipv6/neigh/r1/delay_first_probe_time", "1"),
		w.R.Sysctl("ipv6/neigh/r1/retrans_time_ms", "100"),
		w.R.AddRoutes(xdptest.Via(onward["b0"], w.R1)),
	); err != nil {
		t.Fatal(err)
	}
	w.start(t, []string{"r0", "r1"})
	frame := frames("a0", packet{dst: addr("2001:db8:1::1"), next: noNext, payload: pattern(8)})[0]
	moved := net.HardwareAddr{2, 0, 0, 0, 0, 0x42}

	// run sends until enough says so of the last frame that arrived, and counts.
	run := func(longest time.Duration, enough func(to net.HardwareAddr) bool) (sent, arrived int) {
		t.Helper()
		for begun := time.Now(); time.Since(begun) < longest; time.Sleep(period) {
			if err := w.senders["a0"].Send(frame); err != nil {
				t.Fatal(err)
			}
			sent++
			frames, err := w.captures["b0"].Take(1, 0)
			if err != nil {
				t.Fatal(err)
			}
			arrived += len(frames)
			if len(frames) > 0 && enough(frames[len(frames)-1].Data[:6]) {
				return sent, arrived
			}
		}
		return sent, arrived
	}
	if _, arrived := run(2*time.Second, func(net.HardwareAddr) bool { return true }); arrived == 0 {
		t.Fatal("nothing arrives")
	}
	before, err := w.kernelForwarded()
	if err != nil {
		t.Fatal(err)
	}
	left, err := w.fwd6.leftToKernel()
	if err != nil {
		t.Fatal(err)
	}
	sent, arrived := run(quiet, func(net.HardwareAddr) bool { return false })
	after, err1 := w.kernelForwarded()
	leftAfter, err2 := w.fwd6.leftToKernel()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if sent-arrived > 5 { // the last are on their way
		t.Errorf("%d of %d packets arrive while the gateway stays, want all", arrived, sent)
	}
	if kernel := after - before - (leftAfter - left); kernel > 0 {
		t.Errorf("the kernel forwarded %d of %d packets, want none", kernel, sent)
	}

	if err := errors.Join(w.B0.SetMAC(moved), w.B.ReplaceRoutes(xdptest.Via(prefix("::/0"), w.B0))); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	arrivedThere := false
	run(found, func(to net.HardwareAddr) bool {
		arrivedThere = slices.Equal(to, moved)
		return arrivedThere
	})
	t.Logf("the move is known after %v", time.Since(begun).Round(time.Millisecond))
	if !arrivedThere {
		t.Errorf("packets still go to the old MAC %v after the gateway moved", found)
	}
}
