package main_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// TestOverflow has the kernel change more routes while fwd6 hangs than it will
// remember for it. In the end fwd6 has them all the same.
func TestOverflow(t *testing.T) {
	const routes = 60_000
	w := newWorld(t, threeLinks)
	if err := addGateways(w); err != nil {
		t.Fatal(err)
	}
	table := make([]xdptest.Route, routes)
	for i := range table {
		a := [16]byte{0x20, 1}
		binary.BigEndian.PutUint32(a[2:], uint32(i)<<8)
		table[i] = w.through(netip.PrefixFrom(netip.AddrFrom16(a), 44), i%gateways)
	}
	half := table[:routes/2]
	if err := w.R.AddRoutes(half...); err != nil {
		t.Fatal(err)
	}
	w.start(t, threePorts)

	w.fwd6.signal(syscall.SIGSTOP)
	err := w.R.AddRoutes(table[routes/2:]...)
	if err == nil {
		err = w.R.RemoveRoutes(half...)
	}
	w.fwd6.signal(syscall.SIGCONT)
	if err != nil {
		t.Fatal(err)
	}
	resumed := time.Now()
	if _, err := w.fwd6.awaitLog(10*time.Second, "reading everything again"); err != nil {
		t.Error(err)
	}
	ask := func(i int) error {
		dst := table[i].Prefix.Addr()
		got, err := w.fwd6.client.RouteGet(context.Background(), dst)
		if err != nil {
			return err
		}
		gone, found := i < routes/2, got.Dst == table[i].Prefix
		if found == gone || found && got.Legs[0].Gateway != table[i].Legs[0].Via {
			return fmt.Errorf("%v leads to %+v, want it gone: %v", dst, got, gone)
		}
		return nil
	}
	sample := []int{0, routes/2 - 1, routes / 2, routes - 1}
	for range 500 {
		sample = append(sample, rand.IntN(routes))
	}
	if err := eventually(20*time.Second, func() error {
		for _, i := range sample {
			if err := ask(i); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d routes more and %d less are known %v after fwd6 went on", routes/2, routes/2, time.Since(resumed).Round(time.Millisecond))
	st, err := w.fwd6.client.Status(context.Background())
	if err != nil || st.Resyncs == 0 {
		t.Errorf("%d resyncs (%v), want some", st.Resyncs, err)
	}
}
