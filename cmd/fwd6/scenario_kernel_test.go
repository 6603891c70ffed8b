package main_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// kernelForwarded is how many IPv6 packets R's kernel has forwarded:
// Ip6OutForwDatagrams (RFC 4293).
func (w *world) kernelForwarded() (n uint64, err error) {
	err = w.R.Do(func() error {
		snmp, err := os.ReadFile("/proc/thread-self/net/snmp6")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(snmp)) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "Ip6OutForwDatagrams" {
				n, err = strconv.ParseUint(f[1], 10, 64)
				return err
			}
		}
		return errors.New("no Ip6OutForwDatagrams in /proc/net/snmp6")
	})
	return n, err
}

// hop is where a route leads.
type hop struct {
	via netip.Addr // unspecified: on-link
	dev string
}

// kernelRoute is a route of R's kernel, of any table.
type kernelRoute struct {
	dst   netip.Prefix
	hop   hop
	local bool
}

// kernelRoutes lists R's routes, from the file that needs no netlink.
func (w *world) kernelRoutes() (routes []kernelRoute, err error) {
	const rtfLocal = 0x80000000
	err = w.R.Do(func() error {
		lines, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(lines)) {
			f := strings.Fields(line) // destination, bits, source, bits, gateway, …, flags, device
			dst, err1 := hex.DecodeString(f[0])
			bits, err2 := strconv.ParseUint(f[1], 16, 8)
			via, err3 := hex.DecodeString(f[4])
			flags, err4 := strconv.ParseUint(f[8], 16, 32)
			if err := errors.Join(err1, err2, err3, err4); err != nil {
				return err
			}
			routes = append(routes, kernelRoute{
				netip.PrefixFrom(netip.AddrFrom16([16]byte(dst)), int(bits)),
				hop{netip.AddrFrom16([16]byte(via)), f[9]},
				flags&rtfLocal != 0,
			})
		}
		return nil
	})
	return routes, err
}

// addAddress gives R an address and waits until it is R's: the kernel leaves
// that to a worker thread.
func (w *world) addAddress(p *xdptest.Port, a netip.Prefix) error {
	if err := p.AddAddress(a); err != nil {
		return err
	}
	return eventually(5*time.Second, func() error {
		routes, err := w.kernelRoutes()
		if err == nil && !slices.ContainsFunc(routes, func(r kernelRoute) bool {
			return r.local && r.dst == netip.PrefixFrom(a.Addr(), 128)
		}) {
			err = fmt.Errorf("%v is not local", a)
		}
		return err
	})
}
