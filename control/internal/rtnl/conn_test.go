package rtnl

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

func collect(tb testing.TB, dump func(func(Event) error) error) (events []Event) {
	tb.Helper()
	err := dump(func(e Event) error {
		events = append(events, e)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return events
}

func contains(events []Event, want Object) bool {
	for _, e := range events {
		if reflect.DeepEqual(e, is(want)) {
			return true
		}
	}
	return false
}

func TestDump(t *testing.T) {
	c := newLab(t)
	c.setNeighbor(rt0Address("7"), 0x77, unix.NUD_PERMANENT, 0)
	c.setNeighbor(rt0Address("8"), 0, 0, unix.NTF_PROXY)
	c.addRule(77, 77)
	c.addNextHop(1)
	c.addRoute(77, "2001:db8:2::/48", "2001:db8:10::2")
	sysctl(t, "net.ipv6.conf.rt0.mtu=1400")
	inTable77 := plain("2001:db8:2::/48", via("2001:db8:10::2", 10))
	inTable77.Table = 77
	rt0Addr := &Address{
		Ifindex: 10, Addr: netip.MustParseAddr("2001:db8:10::1"), Bits: 64, Flags: unix.IFA_F_PERMANENT | unix.IFA_F_NODAD,
	}
	for _, tt := range []struct {
		name string
		dump func(func(Event) error) error
		want []Object
	}{
		{"links", c.DumpLinks, []Object{rt0(func(l *Link) { l.MTU6 = 1400 }), rt1(unchanged)}},
		{"addresses", c.DumpAddresses, []Object{rt0Addr}},
		{"neighbors", c.DumpNeighbors, []Object{
			at(0x77, neighbor(rt0Address("7"), unix.NUD_PERMANENT, 0)),
			neighbor(rt0Address("8"), unix.NUD_NONE, unix.NTF_PROXY),
		}},
		{"routes", func(each func(Event) error) error { return c.DumpRoutes(0, each) }, []Object{
			inTable77, local("2001:db8:10::1/128", 10),
		}},
		{"next hops", c.DumpNextHops, []Object{&NextHop{ID: 1, Leg: dev(10)}}},
		{"rules", c.DumpRules, []Object{plainRule(77, 77), plainRule(0, 255), plainRule(32766, 254)}},
		{"netconf", c.DumpNetconf, []Object{netconf(10, false), netconf(-1, false), netconf(-2, false)}},
	} {
		events := collect(t, tt.dump)
		for _, want := range tt.want {
			if !contains(events, want) {
				t.Errorf("%s: no %s", tt.name, show(is(want)))
			}
		}
	}

	only := func(table uint32) []Event {
		return collect(t, func(each func(Event) error) error { return c.DumpRoutes(table, each) })
	}
	if got := only(77); len(got) != 1 || !contains(got, inTable77) {
		t.Errorf("table 77 has %d routes, want the one", len(got))
	}
	if got := only(78); len(got) != 0 {
		t.Errorf("table 78, which does not exist, has %d routes, want none", len(got))
	}
}

// An error of the callback ends the calls, and leaves the Conn as it was.
func TestDumpStopped(t *testing.T) {
	c := newLab(t)
	for i := range 3000 {
		c.addRoute(254, fmt.Sprintf("2001:db8:1:%x::/64", i), "2001:db8:10::2")
	}
	stop := errors.New("enough")
	calls := 0
	err := c.DumpRoutes(0, func(Event) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("error %v after %d calls, want %v after 1", err, calls, stop)
	}
	if got := len(collect(t, c.DumpRules)); got != 2 {
		t.Errorf("%d rules afterwards, want the kernel's 2", got)
	}
}

// The kernel tells a dump in steps, and marks it if there was a change between
// two of them.
func TestDumpInterrupted(t *testing.T) {
	c := newLab(t)
	changer := &lab{t, dial(t)} // a Conn must not be used in its own callback
	const addresses = 2000      // enough for several steps
	s := c.listen(subscribeBuffer)
	for i := range addresses {
		c.addAddress(10, fmt.Sprintf("2001:db8:1::%x/128", i))
	}
	discard(t, s)
	for _, tt := range []struct {
		name     string
		restarts int // changes, one in each pass
		want     error
	}{
		{"undisturbed", 0, nil},
		{"once", 1, nil},
		{"always", 1000, ErrInterrupted},
	} {
		restarts, changes, told := 0, 0, 0
		err := c.DumpAddresses(func(e Event) error {
			if _, ok := e.Object.(*Restart); ok {
				restarts++
				told = 0
				return nil
			}
			if told++; told == 1 && changes < tt.restarts {
				changes++
				changer.addAddress(10, "2001:db8:2::1/128")
				changer.deleteAddress(10, "2001:db8:2::1/128")
			}
			return nil
		})
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
		if want := min(tt.restarts, maxDumps); restarts != want {
			t.Errorf("%s: %d restarts, want %d", tt.name, restarts, want)
		}
		if err == nil && told < addresses {
			t.Errorf("%s: %d addresses, want at least %d", tt.name, told, addresses)
		}
	}
}

func TestLink(t *testing.T) {
	c := newLab(t)
	s := c.listen(subscribeBuffer)
	c.setLink(10, 0, attribute(unix.IFLA_MTU, u32(1400)...))
	got, err := c.Link(10)
	if want := rt0(func(l *Link) { l.MTU, l.MTU6 = 1400, 1400 }); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Link = %+v, error %v, want %+v", got, err, want)
	}
	// Other than what was told of the change.
	await(t, s, "the change of MTU", func(e Event) bool {
		l, ok := e.Object.(*Link)
		return ok && l.Ifindex == 10 && l.MTU == 1400 && l.MTU6 == 1500
	})
	if got, err := c.Link(77); got != nil || !errors.Is(err, ErrNotExist) {
		t.Errorf("Link of none = %v, error %v, want %v", got, err, ErrNotExist)
	}
}

func TestLinkXDP(t *testing.T) {
	c := newLab(t)
	pass, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.XDP,
		License:      "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()}, // XDP_PASS
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pass.Close()
	info, err := pass.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	for _, mode := range []link.XDPAttachFlags{link.XDPGenericMode, link.XDPDriverMode} {
		attached, err := link.AttachXDP(link.XDPOptions{Program: pass, Interface: 10, Flags: mode})
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.Link(10)
		if err != nil || l.XDPProg != uint32(id) {
			t.Errorf("mode %v: Link = %+v, error %v, want XDP program %d", mode, l, err, id)
		}
		if err := attached.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A failed neighbor is resolved again, and the failure of one request does not
// keep the others from the kernel.
func TestUseNeighbors(t *testing.T) {
	c := newLab(t)
	there := c.newNeighborhood()
	for i := range 100 {
		there.addAddress(11, fmt.Sprintf("2001:db8:10::1%03x/64", i))
	}
	s := c.listen(subscribeBuffer)

	keys := []NeighborKey{{Ifindex: 77, Addr: rt0Address("2000")}}
	for i := range 100 {
		keys = append(keys, NeighborKey{Ifindex: 10, Addr: rt0Address(fmt.Sprintf("1%03x", i))})
	}
	keys = append(keys, NeighborKey{Ifindex: 78, Addr: rt0Address("2000")})
	err := c.UseNeighbors(keys)
	if !errors.Is(err, ErrNotExist) || !strings.Contains(err.Error(), "link 77") || !strings.Contains(err.Error(), "1 more of 102") {
		t.Errorf("error %v, want one of link 77 and of one more", err)
	}
	resolved := map[netip.Addr]bool{}
	await(t, s, "100 neighbors", func(e Event) bool {
		n, ok := e.Object.(*Neighbor)
		if ok && n.State == unix.NUD_REACHABLE && n.MAC == mac(0x11) {
			resolved[n.Addr] = true
		}
		return len(resolved) == 100
	})

	sysctl(t, "net.ipv6.neigh.rt0.delay_first_probe_time=0")
	for _, tt := range []struct {
		name  string
		state uint16
	}{
		{"failed", unix.NUD_FAILED},
		{"stale", unix.NUD_STALE},
	} {
		c.setNeighbor(rt0Address("1001"), 0x11, tt.state, 0)
		discard(t, s)
		if err := c.UseNeighbor(10, rt0Address("1001")); err != nil {
			t.Fatal(err)
		}
		await(t, s, "the neighbor that was "+tt.name, func(e Event) bool {
			n, ok := e.Object.(*Neighbor)
			return ok && n.Addr == rt0Address("1001") && n.State == unix.NUD_REACHABLE
		})
	}
}

// What nothing has to be done about is left as it is, a permanent neighbor above
// all; and so is one that somebody else makes at the same time.
func TestUseNeighborLeavesAlone(t *testing.T) {
	c := newLab(t)
	c.newNeighborhood()
	key := NeighborKey{Ifindex: 10, Addr: rt0Address("1001")}
	state := func() (state uint16, lladdr [6]byte) {
		t.Helper()
		err := c.DumpNeighbors(func(e Event) error {
			if n := e.Object.(*Neighbor); n.Ifindex == key.Ifindex && n.Addr == key.Addr {
				state, lladdr = n.State, n.MAC
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return state, lladdr
	}
	for _, want := range []uint16{unix.NUD_PERMANENT, unix.NUD_NOARP} {
		c.setNeighbor(key.Addr, 0x33, want, 0)
		if err := c.UseNeighbors([]NeighborKey{key}); err != nil {
			t.Fatal(err)
		}
		if got, lladdr := state(); got != want || lladdr != mac(0x33) {
			t.Errorf("state %#x at %x, want still %#x at %x", got, lladdr, want, mac(0x33))
		}
	}

	// As if it had been made since the question.
	c.setNeighbor(key.Addr, 0x33, unix.NUD_PERMANENT, 0)
	var failures []error
	request := neighborRequest(unix.RTM_NEWNEIGH, key, unix.NTF_USE, netlink.Create|netlink.Excl)
	if err := c.exchangeBatch("use", []netlink.Message{request}, func(_ int, _ netlink.Message, err error) {
		failures = append(failures, err)
	}); err != nil {
		t.Fatal(err)
	}
	if len(failures) != 1 || !errors.Is(failures[0], unix.EEXIST) {
		t.Errorf("errors %v, want that it exists", failures)
	}
	if got, _ := state(); got != unix.NUD_PERMANENT {
		t.Errorf("state %#x, want permanent", got)
	}
}

func TestAcknowledgement(t *testing.T) {
	because := attribute(unix.NLMSGERR_ATTR_MSG, text("because")...)
	errno := u32(^uint32(unix.EPERM) + 1)
	request := append(u32(sizeofMessageHeader+4), make([]byte, sizeofMessageHeader-4)...)
	for _, tt := range []struct {
		name  string
		typ   netlink.HeaderType
		flags netlink.HeaderFlags
		data  []byte
		is    error
		text  string
	}{
		{"success", netlink.Error, 0, join(u32(0), request), nil, ""},
		{"end of a dump", netlink.Done, 0, u32(0), nil, ""},
		{"end without a number", netlink.Done, 0, nil, nil, ""},
		{"short", netlink.Error, 0, []byte{1}, ErrMalformed, "1 bytes"},
		{"number", netlink.Error, 0, join(errno, request), unix.EPERM, "not permitted"},
		{"words after the header", netlink.Error, netlink.AcknowledgeTLVs | netlink.Capped, join(errno, request, because), unix.EPERM, "because"},
		{"words after the request", netlink.Error, netlink.AcknowledgeTLVs, join(errno, request, u32(0), because), unix.EPERM, "because"},
		{"words at the end of a dump", netlink.Done, netlink.AcknowledgeTLVs, join(errno, because), unix.EPERM, "because"},
		{"words beyond the end", netlink.Error, netlink.AcknowledgeTLVs, join(errno, u32(0xfffffffc), request), unix.EPERM, "not permitted"},
		{"no such device", netlink.Error, 0, u32(^uint32(unix.ENODEV) + 1), ErrNotExist, "does not exist"},
	} {
		err := acknowledgement(netlink.Message{Header: netlink.Header{Type: tt.typ, Flags: tt.flags}, Data: tt.data})
		if !errors.Is(err, tt.is) || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: error %v, want %v with %q", tt.name, err, tt.is, tt.text)
		}
	}
}
