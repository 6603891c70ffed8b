package lpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// fib6 is the kernel's own table, in a namespace with nothing else to do. All
// its routes are unicast and leave by R1, through gateways that differ.
//
// Packets would come from R0; as for those, the kernel asks its table of local
// addresses first, then the main one.
type fib6 struct {
	lab   *xdptest.Lab
	conn  *xdptest.RouteConn
	bytes int
}

func openFib6() (Table, error) {
	if err := kernelAllowed(); err != nil {
		return nil, err
	}
	lab, err := xdptest.Build(xdptest.Config{})
	if err != nil {
		return nil, err
	}
	conn, err := lab.R.OpenRoutes()
	if err != nil {
		return nil, errors.Join(err, lab.Close())
	}
	return &fib6{lab: lab, conn: conn}, nil
}

// kernelAllowed says what keeps this process from asking the kernel.
func kernelAllowed() error {
	missing, err := xdptest.MissingPrivileges()
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("needs %s: run as root", strings.Join(missing, ", "))
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("allow memory for BPF: %w", err)
	}
	return nil
}

func (f *fib6) Build(routes []Route) (time.Duration, error) {
	all := make([]xdptest.Route, len(routes))
	for i, r := range routes {
		all[i] = f.route(r)
	}
	before, err := kernelMemory()
	if err != nil {
		return 0, err
	}
	elapsed, err := timed(func() error { return f.lab.R.AddRoutes(all...) })
	if err != nil {
		return 0, err
	}
	after, err := kernelMemory()
	f.bytes = max(0, after-before)
	return elapsed, err
}

// route is what the kernel is told. The gateway is on no neighbor; nothing is
// ever sent there.
func (f *fib6) route(r Route) xdptest.Route {
	gateway := [16]byte{0: 0xfe, 1: 0x80}
	binary.BigEndian.PutUint32(gateway[12:], uint32(r.Group))
	return xdptest.Route{
		Prefix: r.Prefix,
		Legs:   []xdptest.Leg{{Via: netip.AddrFrom16(gateway), Port: f.lab.R1}},
	}
}

func (f *fib6) Set(r Route) (time.Duration, error) {
	route := f.route(r)
	return timed(func() error { return f.conn.Replace(route) })
}

func (f *fib6) Remove(p netip.Prefix) (time.Duration, error) {
	return timed(func() error { return f.conn.Remove(xdptest.Route{Prefix: p}) })
}

func (f *fib6) Bytes() int { return f.bytes }

func (f *fib6) NewReader() (Reader, error) {
	pick := func(p *lookupPrograms) *ebpf.Program { return p.Fib }
	return newTestRun(pick, nil, f.lab.R, f.lab.R0.Ifindex)
}

// Close takes the routes away with their device before it lets the namespace
// go: the kernel would do it later, while others are measured.
func (f *fib6) Close() error {
	return errors.Join(f.conn.Close(), f.lab.R1.Delete(), f.lab.Close())
}
