package rtnl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// await receives until an Event is what the test waits for, or for too long.
func await(tb testing.TB, s *Subscription, what string, match func(Event) bool) Event {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		events, err := s.Receive(ctx)
		if i := slices.IndexFunc(events, match); i >= 0 {
			return events[i]
		}
		if err != nil {
			tb.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

// discard receives all that is there.
func discard(tb testing.TB, s *Subscription) {
	tb.Helper()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		_, err := s.Receive(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
		if err != nil && !errors.Is(err, ErrOverflow) {
			tb.Fatal(err)
		}
	}
}

func TestSubscribe(t *testing.T) {
	l := newLab(t)
	s := l.listen(subscribeBuffer)
	for _, tt := range []struct {
		name   string
		change func()
		match  func(Event) bool
	}{
		{"route added", func() { l.addRoute(254, "2001:db8:1::/48", "2001:db8:10::2") }, func(e Event) bool {
			return reflect.DeepEqual(e, is(added("2001:db8:1::/48", via("2001:db8:10::2", 10))))
		}},
		{"route deleted", func() { l.deleteRoute(254, "2001:db8:1::/48", "2001:db8:10::2") }, func(e Event) bool {
			return reflect.DeepEqual(e, gone(plain("2001:db8:1::/48", via("2001:db8:10::2", 10))))
		}},
		{"neighbor", func() { l.setNeighbor(rt0Address("7"), 0x77, unix.NUD_PERMANENT, 0) }, func(e Event) bool {
			return reflect.DeepEqual(e, is(at(0x77, neighbor(rt0Address("7"), unix.NUD_PERMANENT, 0))))
		}},
		{"address", func() { l.addAddress(10, "2001:db8:12::1/64") }, func(e Event) bool {
			a, ok := e.Object.(*Address)
			return ok && !e.Deleted && a.Addr == netip.MustParseAddr("2001:db8:12::1")
		}},
		{"rule", func() { l.addRule(77, 77) }, func(e Event) bool {
			return reflect.DeepEqual(e, is(plainRule(77, 77)))
		}},
		{"next hop", func() { l.addNextHop(7) }, func(e Event) bool {
			return reflect.DeepEqual(e, is(&NextHop{ID: 7, Leg: dev(10)}))
		}},
		{"forwarding", func() { sysctl(t, "net.ipv6.conf.rt0.forwarding=1") }, func(e Event) bool {
			return reflect.DeepEqual(e, is(&Netconf{Ifindex: 10, Forwarding: true, HasForwarding: true}))
		}},
		{"name", func() { l.setLink(10, 0, attribute(unix.IFLA_IFNAME, text("rt9")...)) }, func(e Event) bool {
			l, ok := e.Object.(*Link)
			return ok && l.Ifindex == 10 && l.Name == "rt9"
		}},
		{"link deleted", func() { l.deleteLink(10) }, func(e Event) bool {
			l, ok := e.Object.(*Link)
			return ok && e.Deleted && l.Ifindex == 10
		}},
	} {
		tt.change()
		await(t, s, tt.name, tt.match)
	}
	if n := s.Undecoded(); n != 0 {
		t.Errorf("%d messages could not be decoded", n)
	}
}

func TestReceiveEnds(t *testing.T) {
	l := newLab(t)
	s := l.listen(subscribeBuffer)

	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if events, err := s.Receive(ctx); len(events) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v, error %v, want %v", events, err, context.Canceled)
	}

	ctx, cancel = context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if events, err := s.Receive(ctx); len(events) != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("timed out: %v, error %v, want %v", events, err, context.DeadlineExceeded)
	}

	// What ended one Receive does not end the next.
	l.addRule(77, 77)
	if events, err := s.Receive(context.Background()); len(events) != 1 || err != nil {
		t.Errorf("after both: %v, error %v, want one event", events, err)
	}

	// Nor does one that came too late, since there was something to tell.
	for i := range 500 {
		sysctl(t, fmt.Sprintf("net.ipv6.conf.lo.forwarding=%d", (i+1)%2))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Receive(ctx)
		start := time.Now()
		ctx, cancel = context.WithTimeout(context.Background(), time.Millisecond)
		_, err := s.Receive(ctx)
		cancel()
		if waited := time.Since(start); errors.Is(err, context.DeadlineExceeded) && waited < time.Millisecond {
			t.Fatalf("Receive gave up after %v, want a millisecond", waited)
		}
	}

	time.AfterFunc(50*time.Millisecond, func() { s.Close() })
	if _, err := s.Receive(context.Background()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("closed: error %v, want one of its own", err)
	}
}

// A flood that the buffer cannot hold is told as such, and the subscription
// then works as before.
func TestOverflow(t *testing.T) {
	l := newLab(t)
	s := l.listen(64 << 10)
	const flood = 2000
	for i := range flood {
		l.addRoute(254, fmt.Sprintf("2001:db8:1:%x::/64", i), "2001:db8:10::2")
	}

	events, err := s.Receive(context.Background())
	if !errors.Is(err, ErrOverflow) {
		t.Fatalf("%d events of %d and error %v, want %v", len(events), flood, err, ErrOverflow)
	}
	if len(events) == 0 || len(events) >= flood {
		t.Errorf("%d events of %d, want those that fit", len(events), flood)
	}
	// They are the first ones, in order.
	for i, e := range events {
		want := netip.MustParsePrefix(fmt.Sprintf("2001:db8:1:%x::/64", i))
		if r, ok := e.Object.(*Route); !ok || r.Dst != want {
			t.Fatalf("event %d is %s, want the route to %v", i, show(e), want)
		}
	}
	// From here on nothing is lost again.
	l.addRoute(254, "2001:db8:2::/48", "2001:db8:10::2")
	events, err = s.Receive(context.Background())
	if err != nil || len(events) != 1 {
		t.Fatalf("after the overflow: %d events, error %v, want one", len(events), err)
	}
	if r, ok := events[0].Object.(*Route); !ok || r.Dst != netip.MustParsePrefix("2001:db8:2::/48") {
		t.Errorf("after the overflow: %s, want the route just added", show(events[0]))
	}
}

// What cannot be decoded is counted and told, beside what can be.
func TestReceiveUndecodable(t *testing.T) {
	s := &Subscription{}
	var bad undecoded
	one, _ := routeMessages(t)
	for _, m := range []netlink.Message{one, newRoute(attribute(unix.RTA_DST, 1)), {Header: netlink.Header{Type: netlink.Noop}}, one} {
		s.take(m, &bad)
	}
	if err := bad.err("receive"); len(s.batch) != 2 || s.Undecoded() != 1 || !errors.Is(err, ErrMalformed) {
		t.Errorf("%d events, %d undecoded, error %v, want 2, 1 and %v", len(s.batch), s.Undecoded(), err, ErrMalformed)
	}
}

// Any process with the privilege may send to the kernel's multicast groups.
func TestReceiveIgnoresProcesses(t *testing.T) {
	s := newLab(t).listen(subscribeBuffer)
	forger, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(forger)
	one, _ := routeMessages(t)
	b, err := one.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1 << (unix.RTNLGRP_IPV6_ROUTE - 1)}
	// The kernel's part of the datagram fails: it takes no RTM_NEWROUTE
	// without NLM_F_REQUEST. The group has got it by then.
	if err := unix.Sendto(forger, b, 0, to); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if events, err := s.Receive(ctx); len(events) != 0 {
		t.Errorf("forged: %s, error %v, want no event", show(events[0]), err)
	}
}

// BenchmarkReceive drains route changes that the kernel has queued.
func BenchmarkReceive(b *testing.B) {
	l := newLab(b)
	s := l.listen(subscribeBuffer)
	const queued = 8000
	total := 0
	b.ReportAllocs()
	for round := uint32(1); b.Loop(); round++ {
		b.StopTimer()
		discard(b, s)
		for i := range queued {
			l.addRoute(1000+round, fmt.Sprintf("2001:db8:1:%x::/64", i), "2001:db8:10::2")
		}
		b.StartTimer()
		for got := 0; got < queued; {
			events, err := s.Receive(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			got += len(events)
			total += len(events)
		}
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "events/s")
}
