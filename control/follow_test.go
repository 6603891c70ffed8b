package control

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// send sends one UDP datagram from A to addr.
func (k *kernelLab) send(addr netip.Addr) error {
	return k.A.Do(func() error {
		c, err := net.DialUDP("udp6", nil, &net.UDPAddr{IP: addr.AsSlice(), Port: 9})
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("fwd6"))
		return err
	})
}

// count returns how many packets met a reason.
func (k *kernelLab) count(r dataplane.Reason) uint64 {
	k.Helper()
	stats, err := k.c.Stats(context.Background())
	if err != nil {
		k.Fatal(err)
	}
	return stats.Reasons[r]
}

// The Forwarder is told of addresses and MACs while it runs: packets to the
// router's own new address go to the kernel, and packets to its new MAC are
// taken. Counters go on through its being replaced.
func TestForwarderFollows(t *testing.T) {
	k := newKernelLab(t)
	ctx := context.Background()
	own := netip.MustParsePrefix("2001:db8:5::5/128")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(k.R.AddRoutes(xdptest.Via(netip.MustParsePrefix("2001:db8:5::/48"), k.R1)))
	k.within(time.Second, func() string { // the gateway is resolved by itself
		if o := k.fibOf(own.Addr())[0]; o.reason != dataplane.Forward {
			return o.reason.String()
		}
		return ""
	})
	// counted sends until as many packets as wanted have met the reason.
	counted := func(what string, r dataplane.Reason, more uint64) {
		t.Helper()
		before := k.count(r)
		k.within(3*time.Second, func() string {
			must(k.send(own.Addr()))
			if n := k.count(r) - before; n < more {
				return fmt.Sprintf("%s: %d packets %v, want %d", what, n, r, more)
			}
			return ""
		})
	}
	counted("transit", dataplane.Forward, 3)

	must(k.R1.AddAddress(own))
	k.within(time.Second, func() string {
		var known bool
		must(k.c.call(ctx, func() { _, known = k.c.ports.local[own.Addr()] }))
		if !known {
			return "the new address is not the Forwarder's"
		}
		return ""
	})
	before := k.count(dataplane.Forward) + k.count(dataplane.PuntLocal)
	for range 20 {
		must(k.send(own.Addr()))
	}
	time.Sleep(50 * time.Millisecond)
	if n := k.count(dataplane.Forward) + k.count(dataplane.PuntLocal) - before; n != 0 {
		t.Errorf("workers got %d packets to the router's own address", n)
	}
	must(k.R1.RemoveAddress(own))
	counted("transit again", dataplane.Forward, 3)

	mac := net.HardwareAddr{2, 7, 7, 7, 7, 7}
	must(k.R0.SetMAC(mac))
	must(k.A0.AddNeighbor(k.R0.Addr, mac))
	counted("new MAC", dataplane.Forward, 3)

	before = k.count(dataplane.Forward)
	must(k.ports[2].Delete())
	k.within(2*time.Second, func() string {
		info, err := k.c.Status(ctx)
		must(err)
		if info.Ports[2].State != "absent" || info.Ports[0].Queues == 0 {
			return fmt.Sprintf("ports are %+v", info.Ports)
		}
		return ""
	})
	if n := k.count(dataplane.Forward); n < before {
		t.Errorf("counter went back from %d to %d", before, n)
	}
	counted("opened again", dataplane.Forward, 3)
}
