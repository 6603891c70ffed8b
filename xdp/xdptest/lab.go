package xdptest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
)

// Lab is two hosts and a router, each in its own network namespace:
//
//	A  a0 ─── r0  R  r1 ─── b0  B
//	              r2 ─── b1        with Config.Extra
//	              …
//
// R forwards with the kernel; A and B reach everything through R. Link i has
// the addresses fd66:i::1 (R's end) and fd66:i::2. Addresses, MACs and indices
// are the same in every lab, and the lab is out of reach of everything else.
//
// Methods of its namespaces and ports may be called by any goroutine.
type Lab struct {
	A, R, B        *Namespace
	A0, R0, R1, B0 *Port

	// Extra are the ports of R on the further links to B; their peers are B's.
	Extra []*Port
}

// Config is what differs between labs. The zero value is a plain one.
type Config struct {
	MTU    int // bytes of IPv6 packet, of every link; 0 is 1500
	Queues int // RX and TX queues of every port; 0 is 1
	Extra  int // further links between R and B

	// StaticNeighbors makes all ports know their peers' MACs for good, so that
	// no neighbor solicitation disturbs a test.
	StaticNeighbors bool
}

// NewLab is Build for a test: a plain lab that goes when the test ends.
//
// Without the privileges it needs the test is skipped, or fails if they were
// promised (see Privileged).
func NewLab(tb testing.TB) *Lab {
	tb.Helper()
	return NewLabWith(tb, Config{})
}

// NewLabWith is NewLab with a Config.
func NewLabWith(tb testing.TB, config Config) *Lab {
	tb.Helper()
	Privileged(tb)
	lab, err := Build(config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := lab.Close(); err != nil {
			tb.Error(err)
		}
	})
	return lab
}

// Build makes a lab. It needs what MissingPrivileges names, and no program but
// the running one. Close it; if the process dies first, the kernel does.
func Build(config Config) (*Lab, error) {
	if config.MTU == 0 {
		config.MTU = 1500
	}
	if config.Queues == 0 {
		config.Queues = 1
	}
	lab := &Lab{}
	if err := lab.build(config); err != nil {
		return nil, errors.Join(err, lab.Close())
	}
	return lab, nil
}

// Close removes the lab. Processes started in it with Command are killed.
func (l *Lab) Close() error {
	var errs []error
	for _, n := range []*Namespace{l.A, l.R, l.B} {
		if n != nil {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}

// Ports are all ports of the lab: of R, then of A and B.
func (l *Lab) Ports() []*Port {
	ports := append([]*Port{l.R0, l.R1}, l.Extra...)
	for _, p := range ports {
		ports = append(ports, p.Peer)
	}
	return ports
}

func (l *Lab) build(config Config) error {
	for _, host := range []struct {
		name string
		ns   **Namespace
	}{{"A", &l.A}, {"R", &l.R}, {"B", &l.B}} {
		n, err := newHost(host.name)
		if err != nil {
			return err
		}
		*host.ns = n
	}
	l.A0, l.R0 = hostPort(l.A, 'a', 0, 0), routerPort(l.R, 0)
	l.B0, l.R1 = hostPort(l.B, 'b', 0, 1), routerPort(l.R, 1)
	links := [][2]*Port{{l.R0, l.A0}, {l.R1, l.B0}}
	for i := range config.Extra {
		p := routerPort(l.R, 2+i)
		l.Extra = append(l.Extra, p)
		links = append(links, [2]*Port{p, hostPort(l.B, 'b', 1+i, 2+i)})
	}
	for _, link := range links {
		if err := newLink(link[0], link[1], config.MTU, config.Queues); err != nil {
			return err
		}
	}
	if config.StaticNeighbors {
		if err := l.fixNeighbors(); err != nil {
			return err
		}
	}
	return l.route()
}

// newHost makes a namespace that is quiet: no duplicate address detection, no
// router discovery. Whether it forwards is decided by route.
func newHost(name string) (*Namespace, error) {
	n, err := NewNamespace(name)
	if err != nil {
		return nil, err
	}
	for _, s := range []struct{ key, value string }{
		{"ipv6/conf/all/disable_ipv6", "0"},
		{"ipv6/conf/default/disable_ipv6", "0"},
		{"ipv6/conf/default/accept_dad", "0"},
		{"ipv6/conf/default/accept_ra", "0"},
		{"ipv6/conf/default/router_solicitations", "0"},
	} {
		if err := n.Sysctl(s.key, s.value); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	lo := &Port{Name: "lo", NS: n, Ifindex: 1}
	if err := lo.SetUp(true); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// route lets R forward and sends everything of A and B to it.
func (l *Lab) route() error {
	if err := l.R.Sysctl("ipv6/conf/all/forwarding", "1"); err != nil {
		return err
	}
	everything := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	if err := l.A.AddRoutes(Via(everything, l.A0)); err != nil {
		return err
	}
	return l.B.AddRoutes(Via(everything, l.B0))
}

func (l *Lab) fixNeighbors() error {
	for _, p := range l.Ports() {
		for _, a := range []netip.Addr{p.Peer.Addr, p.Peer.Link} {
			if err := p.AddNeighbor(a, p.Peer.MAC); err != nil {
				return err
			}
		}
	}
	return nil
}

// hostPort names port number on host ('a' or 'b') at the end of a link.
func hostPort(n *Namespace, host byte, number, link int) *Port {
	return newPort(n, host, number, 100+link, linkAddr(link, 2))
}

func routerPort(n *Namespace, number int) *Port {
	return newPort(n, 'r', number, 2+number, linkAddr(number, 1))
}

func newPort(n *Namespace, host byte, number, ifindex int, addr netip.Addr) *Port {
	mac := net.HardwareAddr{0x02, 'f', '6', 0, host, byte(number)}
	return &Port{
		Name:    fmt.Sprintf("%c%d", host, number),
		NS:      n,
		Ifindex: ifindex,
		MAC:     mac,
		Addr:    addr,
		Link:    linkLocal(mac),
	}
}

func linkAddr(link, end int) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x66, 3: byte(link), 15: byte(end)})
}

// linkLocal is the address that the kernel forms from the MAC (RFC 4291
// appendix A).
func linkLocal(m net.HardwareAddr) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80,
		8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}
