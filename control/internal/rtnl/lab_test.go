package rtnl

import (
	"encoding/binary"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A lab is a network namespace and a connection to its kernel, with which tests
// make the changes that they want to be told of. It needs no program.
type lab struct {
	testing.TB
	*Conn
}

// newLab moves the test into a network namespace of its own, with a pair of veth
// devices, rt0 and rt1, whose ifindexes and MACs do not depend on chance. The
// namespace has no name and goes with the test's thread.
//
// Without privilege the test is skipped, or fails if the environment promises
// privilege.
func newLab(tb testing.TB) *lab {
	tb.Helper()
	inNamespace(tb)
	l := &lab{tb, dial(tb)}
	s := l.listen(subscribeBuffer)
	defer s.Close()
	sysctl(tb, "net.ipv6.conf.default.accept_dad=0")
	sysctl(tb, "net.ipv6.conf.default.router_solicitations=0")
	l.setUp(1)
	l.addVeth()
	l.setUp(10)
	l.setUp(11)
	l.addAddress(10, "2001:db8:10::1/64")
	l.addAddress(11, "2001:db8:11::1/64")
	// The kernel adds the routes of addresses some time after these.
	discard(tb, s)
	return l
}

func inNamespace(tb testing.TB) {
	tb.Helper()
	runtime.LockOSThread() // and never unlocks: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		if os.Getenv("FWD6_PRIVILEGED") == "1" || os.Getenv("CI") == "true" {
			tb.Fatalf("make a network namespace: %v", err)
		}
		tb.Skipf("make a network namespace: %v (needs CAP_SYS_ADMIN)", err)
	}
}

func dial(tb testing.TB) *Conn {
	tb.Helper()
	c, err := Dial()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// listen subscribes, in the namespace of the calling thread.
func (l *lab) listen(bytes int) *Subscription {
	l.Helper()
	s, err := subscribe(bytes)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { s.Close() })
	return s
}

// newNeighborhood makes a second namespace, with rt1 in it, which lasts as long
// as the test. The test stays where it is.
func (l *lab) newNeighborhood() *lab {
	l.Helper()
	type result struct {
		conn   *Conn
		thread int
		err    error
	}
	results, end := make(chan result), make(chan struct{})
	l.Cleanup(func() { close(end) })
	go func() {
		runtime.LockOSThread() // and never unlocks
		r := result{thread: unix.Gettid(), err: unix.Unshare(unix.CLONE_NEWNET)}
		if r.err == nil {
			r.conn, r.err = Dial()
		}
		results <- r
		<-end
	}()
	r := <-results
	if r.err != nil {
		l.Fatal(r.err)
	}
	l.Cleanup(func() { r.conn.Close() })
	l.setLink(11, 0, attribute(unix.IFLA_NET_NS_PID, u32(uint32(r.thread))...))
	there := &lab{l.TB, r.conn}
	there.setUp(11)
	return there
}

// sysctl writes a setting. The file is opened by this thread, whose namespace
// decides which one it is.
func sysctl(tb testing.TB, setting string) {
	tb.Helper()
	name, value, _ := strings.Cut(setting, "=")
	path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		tb.Fatalf("sysctl %s: %v", setting, err)
	}
}

// request sends a message and waits for the kernel to have done it.
func (l *lab) request(m netlink.Message, flags netlink.HeaderFlags) {
	l.Helper()
	m.Header.Flags = netlink.Request | netlink.Acknowledge | flags
	if err := l.exchange("request "+typeName(m.Header.Type), m, func(netlink.Message) error { return nil }); err != nil {
		l.Fatal(err)
	}
}

const create = netlink.Create | netlink.Excl

func linkMessage(ifindex int, flags uint32, attributes ...[]byte) netlink.Message {
	m := message(unix.RTM_NEWLINK, unix.AF_UNSPEC, unix.SizeofIfInfomsg, attributes...)
	binary.NativeEndian.PutUint32(m.Data[4:], uint32(ifindex))
	binary.NativeEndian.PutUint32(m.Data[8:], flags)
	binary.NativeEndian.PutUint32(m.Data[12:], flags) // those that change
	return m
}

func text(s string) []byte { return append([]byte(s), 0) }

// join puts attributes, or other pieces, one after the other.
func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func (l *lab) addVeth() {
	const vethInfoPeer = 1 // VETH_INFO_PEER of linux/veth.h
	end := func(ifindex int, name string, last byte, more ...[]byte) netlink.Message {
		m := mac(last)
		return linkMessage(ifindex, 0, append(more,
			attribute(unix.IFLA_IFNAME, text(name)...), attribute(unix.IFLA_ADDRESS, m[:]...))...)
	}
	peer := attribute(vethInfoPeer, end(11, "rt1", 0x11).Data...)
	l.request(end(10, "rt0", 0x10, attribute(unix.IFLA_LINKINFO, join(
		attribute(unix.IFLA_INFO_KIND, text("veth")...), attribute(unix.IFLA_INFO_DATA, peer...))...)), create)
}

func (l *lab) setLink(ifindex int, flags uint32, attributes ...[]byte) {
	l.Helper()
	l.request(linkMessage(ifindex, flags, attributes...), 0)
}

func (l *lab) setUp(ifindex int) { l.Helper(); l.setLink(ifindex, unix.IFF_UP) }

func (l *lab) deleteLink(ifindex int) {
	l.Helper()
	m := linkMessage(ifindex, 0)
	m.Header.Type = unix.RTM_DELLINK
	l.request(m, 0)
}

// addressMessage is about an address that is not checked for duplicates.
func addressMessage(t netlink.HeaderType, ifindex int, prefix string) netlink.Message {
	p := netip.MustParsePrefix(prefix)
	m := message(t, unix.AF_INET6, unix.SizeofIfAddrmsg,
		attribute(unix.IFA_LOCAL, p.Addr().AsSlice()...), attribute(unix.IFA_FLAGS, u32(unix.IFA_F_NODAD)...))
	m.Data[1] = byte(p.Bits())
	binary.NativeEndian.PutUint32(m.Data[4:], uint32(ifindex))
	return m
}

func (l *lab) addAddress(ifindex int, prefix string) {
	l.Helper()
	l.request(addressMessage(unix.RTM_NEWADDR, ifindex, prefix), create)
}

func (l *lab) deleteAddress(ifindex int, prefix string) {
	l.Helper()
	l.request(addressMessage(unix.RTM_DELADDR, ifindex, prefix), 0)
}

// routeMessage is about a route as ip-route(8) would add it.
func routeMessage(t netlink.HeaderType, table uint32, dst, gateway string) netlink.Message {
	p := netip.MustParsePrefix(dst)
	m := message(t, unix.AF_INET6, unix.SizeofRtMsg,
		attribute(unix.RTA_DST, p.Addr().AsSlice()...),
		attribute(unix.RTA_GATEWAY, netip.MustParseAddr(gateway).AsSlice()...),
		attribute(unix.RTA_TABLE, u32(table)...))
	m.Data[1], m.Data[5], m.Data[7] = byte(p.Bits()), unix.RTPROT_BOOT, unix.RTN_UNICAST
	return m
}

func (l *lab) addRoute(table uint32, dst, gateway string) {
	l.Helper()
	l.request(routeMessage(unix.RTM_NEWROUTE, table, dst, gateway), create)
}

func (l *lab) deleteRoute(table uint32, dst, gateway string) {
	l.Helper()
	l.request(routeMessage(unix.RTM_DELROUTE, table, dst, gateway), 0)
}

// setNeighbor adds a neighbor to rt0, or changes it.
func (l *lab) setNeighbor(addr netip.Addr, last byte, state uint16, flags byte) {
	l.Helper()
	lladdr := mac(last)
	m := message(unix.RTM_NEWNEIGH, unix.AF_INET6, sizeofNdMsg,
		attribute(unix.NDA_DST, addr.AsSlice()...), attribute(unix.NDA_LLADDR, lladdr[:]...))
	binary.NativeEndian.PutUint32(m.Data[4:], 10)
	binary.NativeEndian.PutUint16(m.Data[8:], state)
	m.Data[ndmFlags] = flags
	l.request(m, netlink.Create|netlink.Replace)
}

func (l *lab) addRule(priority, table uint32) {
	l.Helper()
	m := newRule(attribute(unix.FRA_PRIORITY, u32(priority)...), attribute(unix.FRA_TABLE, u32(table)...))
	m.Data[4] = unix.RT_TABLE_UNSPEC
	l.request(m, create)
}

// addNextHop adds a next hop through rt0.
func (l *lab) addNextHop(id uint32) {
	l.Helper()
	l.request(message(unix.RTM_NEWNEXTHOP, unix.AF_INET6, unix.SizeofNhmsg,
		attribute(unix.NHA_ID, u32(id)...), attribute(unix.NHA_OIF, u32(10)...)), create)
}
