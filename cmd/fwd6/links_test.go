package main_test

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// Numbers of linux/if_link.h and veth.h.
const (
	iflaInfoKind, iflaInfoData, iflaNetNSFD = 1, 2, 28
	vethInfoPeer                            = 1
)

// reopenedWithin is how soon fwd6 forwards by a port that has come back: it
// waits for more of the kind, then opens its sockets anew.
const reopenedWithin = 2 * time.Second

// startLink brings to a port of R what it loses when it goes down, and to its
// peer what it loses when that does.
func startLink(w *world, p *xdptest.Port) error {
	if err := errors.Join(p.SetUp(true), p.Peer.SetUp(true)); err != nil {
		return err
	}
	if err := eventually(time.Second, func() error { return carrier(p) }); err != nil {
		return err
	}
	if err := w.addAddress(p, netip.PrefixFrom(p.Addr, 64)); err != nil && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	if err := addHosts(p); err != nil {
		return err
	}
	return w.R.ReplaceRoutes(xdptest.Via(onward[p.Peer.Name], p))
}

// carrier is an error unless the port's link is up.
func carrier(p *xdptest.Port) error {
	return p.NS.Do(func() error {
		i, err := net.InterfaceByName(p.Name)
		if err == nil && i.Flags&net.FlagRunning == 0 {
			err = errors.New("no carrier")
		}
		return err
	})
}

// deletePort removes a port of R, with its link.
func deletePort(w *world, name string) error {
	w.gone = w.router(name)
	return errors.Join(w.unwatch(w.gone.Peer), w.gone.Delete())
}

// recreate makes the link of the port of R that was deleted, under the same
// names and addresses.
func recreate(w *world) error {
	r, host := *w.gone, *w.gone.Peer
	r.Peer, host.Peer = &host, &r
	put := func(e *netlink.AttributeEncoder, p *xdptest.Port) {
		e.String(syscall.IFLA_IFNAME, p.Name)
		e.Bytes(syscall.IFLA_ADDRESS, p.MAC)
	}
	info := make([]byte, syscall.SizeofIfInfomsg)
	if err := rtnetlink(w.R, syscall.RTM_NEWLINK, netlink.Create|netlink.Excl, info, func(e *netlink.AttributeEncoder) {
		put(e, &r)
		e.Nested(syscall.IFLA_LINKINFO, func(e *netlink.AttributeEncoder) error {
			e.String(iflaInfoKind, "veth")
			e.Nested(iflaInfoData, func(e *netlink.AttributeEncoder) error {
				peer := netlink.NewAttributeEncoder()
				put(peer, &host)
				peer.Uint32(iflaNetNSFD, uint32(host.NS.FD()))
				attributes, err := peer.Encode()
				e.Bytes(vethInfoPeer, append(info, attributes...))
				return err
			})
			return nil
		})
	}); err != nil {
		return err
	}
	for _, p := range []*xdptest.Port{&r, &host} {
		if err := p.NS.Do(func() error {
			i, err := net.InterfaceByName(p.Name)
			if err == nil {
				p.Ifindex = i.Index
			}
			return err
		}); err != nil {
			return err
		}
		if err := p.SetFeature("tx-checksum-ip-generic", false); err != nil {
			return err
		}
	}
	return errors.Join(startLink(w, &r), w.watch(&host))
}

// TestLinks takes links down, and devices away, and brings them back.
func TestLinks(t *testing.T) {
	var everywhere, notToB0 [][]byte
	for i, d := range to[:8] {
		f := frames("a0", packet{dst: d.addr}.echo(uint16(i), 20))
		everywhere = append(everywhere, f...)
		if d.addr != hostB && d.addr != addr("2001:db8:1::1") {
			notToB0 = append(notToB0, f...)
		}
	}
	// What shows that the others go on, and by fwd6, while a0 or b0 cannot.
	others := frames("b1", packet{src: hostC, dst: addr("2001:db8:1::1")}.echo(1, 20))
	toB1 := frames("a0", packet{dst: addr("2001:db8:2::1")}.echo(2, 20))
	const settle = 20 * time.Millisecond
	down := func(port string) func(*world) error {
		return func(w *world) error { return w.router(port).SetUp(false) }
	}
	up := func(port string) func(*world) error {
		return func(w *world) error { return startLink(w, w.router(port)) }
	}
	steps := []step{
		{name: "as it begins", frames: everywhere},
		{name: "egress down", do: down("r1"), frames: everywhere, within: followWithin, settle: settle},
		{name: "the others go on", frames: toB1, transit: true, settle: settle},
		{name: "egress up", do: up("r1"), frames: everywhere, within: reopenedWithin},
		{name: "egress used again", frames: everywhere[:1], transit: true, within: followWithin},
		{name: "far end of egress down", do: func(w *world) error { return w.host("b0").SetUp(false) },
			frames: everywhere, within: followWithin, settle: settle},
		{name: "far end of egress up", do: up("r1"), frames: everywhere, within: reopenedWithin},
		{name: "egress used once more", frames: everywhere[:1], transit: true, within: followWithin},
		{name: "ingress down", do: down("r0"), in: "b1", frames: others, within: followWithin, settle: settle},
		{name: "the others go on", in: "b1", frames: others, transit: true, settle: settle},
		{name: "ingress up", do: up("r0"), frames: everywhere, within: reopenedWithin},
		{name: "ingress used again", frames: everywhere[:1], transit: true, within: followWithin},
		{name: "egress deleted", do: func(w *world) error { return deletePort(w, "r1") },
			frames: notToB0, within: followWithin, settle: settle},
		{name: "the others go on by fwd6", frames: toB1, transit: true, within: reopenedWithin},
		{name: "egress made again", do: recreate, frames: everywhere, within: reopenedWithin},
		{name: "the new egress is used", frames: everywhere[:1], transit: true, within: reopenedWithin},
		{name: "ingress deleted", do: func(w *world) error { return deletePort(w, "r0") },
			in: "b1", frames: others, within: followWithin, settle: settle},
		{name: "the others go on by fwd6", in: "b1", frames: others, transit: true, within: reopenedWithin},
		{name: "ingress made again", do: recreate, frames: everywhere, within: reopenedWithin},
		{name: "the new ingress is used", frames: everywhere[:1], transit: true, within: reopenedWithin},
	}
	check := func(t *testing.T, w *world) {
		for _, words := range [][]string{{"r1", "device is down"}, {"r1", "no carrier"}, {"r0", "device is down"}, {"opening the ports again", "r1"}, {"opening the ports again", "r0"}} {
			if _, err := w.fwd6.awaitLog(0, words...); err != nil {
				t.Error(err)
			}
		}
	}
	differential(t, scenario{config: threeLinks, ports: threePorts, prepare: plainRoutes, steps: steps, check: check}, variants)
}

// What goes by other ports is not lost while a port is deleted and made again.
func TestPortsComeAndGoUnderLoad(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(variants)) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, threeLinks)
			if err := plainRoutes(w); err != nil {
				t.Fatal(err)
			}
			f := flood(t, w, w.host("b1"), otherPace, []netip.Addr{hostC})
			w.start(t, threePorts, variants[name]...)
			for _, change := range []struct {
				name string
				do   func(*world) error
			}{
				{"deleted", func(w *world) error { return deletePort(w, "r1") }},
				{"made again", recreate},
			} {
				t.Logf("another port is %s", change.name)
				if r := f.during(t, 2*time.Second, func() error { return change.do(w) }); r.Lost() >= otherPace/10 {
					t.Errorf("lost %d packets, want less than %d: a tenth of a second's", r.Lost(), otherPace/10)
				}
				f.forwards(t)
			}
		})
	}
}
