package control

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// kernelLab is a router with three ports r0 to r2, whose kernel the test
// changes and whose Controller follows.
type kernelLab struct {
	testing.TB
	*xdptest.Lab
	c     *Controller
	ports []*xdptest.Port
	conn  *netlink.Conn // to R's kernel
	end   func()
}

func newKernelLab(t *testing.T) *kernelLab {
	t.Helper()
	lab := xdptest.NewLabWith(t, xdptest.Config{Extra: 1})
	conn, err := netlink.Dial(syscall.NETLINK_ROUTE, &netlink.Config{NetNS: lab.R.FD()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	k := &kernelLab{TB: t, Lab: lab, ports: []*xdptest.Port{lab.R0, lab.R1, lab.Extra[0]}, conn: conn}
	k.start(Config{})
	return k
}

// start runs a Controller in R and returns when it forwards.
func (k *kernelLab) start(cfg Config) {
	k.Helper()
	for _, p := range k.ports {
		cfg.Ports = append(cfg.Ports, p.Name)
	}
	cfg.Backend, cfg.XDPMode, cfg.Bind = "shared", "auto", "auto"
	cfg.Log = slog.New(slog.NewTextHandler(k.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	ready, ended := make(chan struct{}), make(chan error, 1)
	cfg.Ready = func() { close(ready) }
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		ended <- k.R.Do(func() (err error) {
			if k.c, err = New(cfg); err != nil {
				return err
			}
			return k.c.Run(ctx)
		})
	}()
	k.end = sync.OnceFunc(func() {
		stop()
		select {
		case err := <-ended:
			if err != nil {
				k.Errorf("Run = %v, want nil", err)
			}
		case <-time.After(5 * time.Second):
			k.Error("Run does not end")
		}
	})
	k.Cleanup(k.end)
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		k.Fatalf("Run = %v before it forwarded", err)
	case <-time.After(10 * time.Second):
		k.Fatal("not ready after 10 s")
	}
}

// within waits until check has nothing to say.
func (k *kernelLab) within(limit time.Duration, check func() string) {
	k.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Since(start) > limit {
			k.Fatalf("not within %v: %s", limit, complaint)
		}
	}
}

// What the syscall package does not name.
const (
	rtmNewNextHop = 104
	rtmDelNextHop = 105
	nhaID         = 1
	nhaGroup      = 2
	nhaBlackhole  = 4
	nhaOIF        = 5
	nhaGateway    = 6
	rtaNextHop    = 30
)

// attribute encodes one netlink attribute.
func attribute(typ uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, value...)
	return append(b, make([]byte, -len(b)&3)...)
}

func u32(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// request sends a message and waits until the kernel has done it. The kernel
// may refuse: then nothing has happened.
func (k *kernelLab) request(typ netlink.HeaderType, flags netlink.HeaderFlags, parts ...[]byte) ([]netlink.Message, error) {
	return k.conn.Execute(netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | flags}, Data: slices.Concat(parts...),
	})
}

// setObject adds or replaces a next-hop object, which is a group if it has
// members, and a blackhole if it has neither members nor a port.
func (k *kernelLab) setObject(id uint32, p *xdptest.Port, gateway netip.Addr, members ...uint32) error {
	header := []byte{syscall.AF_INET6, 0, 4, 0, 0, 0, 0, 0}
	parts := [][]byte{header, attribute(nhaID, u32(id))}
	switch {
	case len(members) > 0:
		header[0] = 0
		var group []byte
		for i, m := range members {
			group = append(append(group, u32(m)...), byte(i), 0, 0, 0)
		}
		parts = append(parts, attribute(nhaGroup, group))
	case p == nil:
		parts = append(parts, attribute(nhaBlackhole, nil))
	default:
		parts = append(parts, attribute(nhaOIF, u32(uint32(p.Ifindex))))
		if gateway.IsValid() {
			parts = append(parts, attribute(nhaGateway, gateway.AsSlice()))
		}
	}
	_, err := k.request(rtmNewNextHop, netlink.Acknowledge|netlink.Create|netlink.Replace, parts...)
	return err
}

func (k *kernelLab) removeObject(id uint32) error {
	_, err := k.request(rtmDelNextHop, netlink.Acknowledge, make([]byte, 8), attribute(nhaID, u32(id)))
	return err
}

// routeByObject adds or replaces a route by a next-hop object.
func (k *kernelLab) routeByObject(p netip.Prefix, id uint32) error {
	_, err := k.request(syscall.RTM_NEWROUTE, netlink.Acknowledge|netlink.Create|netlink.Replace,
		[]byte{syscall.AF_INET6, byte(p.Bits()), 0, 0, tableMain, 4, 0, rtnUnicast, 0, 0, 0, 0},
		attribute(syscall.RTA_DST, p.Addr().AsSlice()), attribute(rtaNextHop, u32(id)))
	return err
}

// setRule adds or removes the rule that sends what comes from a prefix to
// table 100.
func (k *kernelLab) setRule(from netip.Prefix, there bool) error {
	const rtmNewRule, rtmDelRule, fraSrc, fraPriority = 32, 33, 2, 6
	typ, flags := netlink.HeaderType(rtmNewRule), netlink.Acknowledge|netlink.Create|netlink.Excl
	if !there {
		typ, flags = rtmDelRule, netlink.Acknowledge
	}
	_, err := k.request(typ, flags,
		[]byte{syscall.AF_INET6, 0, byte(from.Bits()), 0, 100, 0, 0, frActToTable, 0, 0, 0, 0},
		attribute(fraSrc, from.Addr().AsSlice()), attribute(fraPriority, u32(50)))
	return err
}

// makeVeth adds a veth device to R, whose peer the kernel names.
func (k *kernelLab) makeVeth(name string) error {
	const infoKind = 1
	_, err := k.request(syscall.RTM_NEWLINK, netlink.Acknowledge|netlink.Create|netlink.Excl, make([]byte, 16),
		attribute(syscall.IFLA_IFNAME, append([]byte(name), 0)),
		attribute(syscall.IFLA_LINKINFO, attribute(infoKind, []byte("veth\x00"))))
	return err
}

// kernelRoute is what the kernel does with a packet.
type kernelRoute struct {
	typ     uint8 // 0: there is no route
	ifindex uint32
	gateway netip.Addr
}

// kernelRouteTo asks the kernel for the route of a packet that came in by r0.
func (k *kernelLab) kernelRouteTo(addr netip.Addr) kernelRoute {
	k.Helper()
	source := netip.MustParseAddr("2001:db8:ffff:ffff::1") // of no source-specific route
	answer, err := k.request(syscall.RTM_GETROUTE, 0,
		[]byte{syscall.AF_INET6, 128, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		attribute(syscall.RTA_DST, addr.AsSlice()), attribute(syscall.RTA_SRC, source.AsSlice()),
		attribute(syscall.RTA_IIF, u32(uint32(k.ports[0].Ifindex))))
	for refusal, typ := range map[syscall.Errno]uint8{
		syscall.ENETUNREACH: 0, syscall.EINVAL: rtnBlackhole, syscall.EHOSTUNREACH: 7, syscall.EACCES: 8,
	} {
		if errors.Is(err, refusal) {
			return kernelRoute{typ: typ}
		}
	}
	if err != nil || len(answer) != 1 || len(answer[0].Data) < 12 {
		k.Fatalf("ask for the route to %v: %d answers, %v", addr, len(answer), err)
	}
	r := kernelRoute{typ: answer[0].Data[7]}
	attributes, err := netlink.UnmarshalAttributes(answer[0].Data[12:])
	if err != nil {
		k.Fatal(err)
	}
	for _, a := range attributes {
		switch a.Type {
		case syscall.RTA_OIF:
			r.ifindex = binary.NativeEndian.Uint32(a.Data)
		case syscall.RTA_GATEWAY:
			r.gateway, _ = netip.AddrFromSlice(a.Data)
		}
	}
	return r
}

// macFor is a MAC that tells which link and address it is of.
func macFor(link int, addr netip.Addr) net.HardwareAddr {
	b := addr.As16()
	h := byte(0)
	for _, x := range b {
		h = h*31 + x
	}
	return net.HardwareAddr{0x06, byte(link), h, b[1], b[3], b[15]}
}

// fibOf is what workers do, read while the Controller writes.
func (k *kernelLab) fibOf(addr netip.Addr) []outcome { return fibLookup(k.c.resolver.fib, addr) }
