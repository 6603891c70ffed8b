package rtnl

import (
	"bufio"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "capture testdata anew from the running kernel (needs privilege)")

// A capture is what the kernel sent while commands were executed, one after the
// other, in a namespace of their own. The want of its test is in
// captured_test.go.
type capture struct {
	name     string
	commands []string
}

var captures = []capture{
	{"route-change", []string{
		"ip -6 route add 2001:db8:1::/48 via 2001:db8:10::2",
		"ip -6 route replace 2001:db8:1::/48 via 2001:db8:10::3",
		"ip -6 route append 2001:db8:1::/48 via 2001:db8:11::4",
		"ip -6 route append 2001:db8:1::/48 dev rt1",
		"ip -6 route del 2001:db8:1::/48 via 2001:db8:10::3",
		"ip -6 route replace 2001:db8:1::/48 nexthop via 2001:db8:10::5 weight 3 nexthop via fe80::6 dev rt1 weight 256",
		"ip -6 route del 2001:db8:1::/48",
	}},
	{"route-types", []string{
		"ip -6 route add blackhole 2001:db8:3::/48",
		"ip -6 route add unreachable 2001:db8:4::/48 metric 5",
		"ip -6 route add prohibit 2001:db8:5::/48",
		"ip -6 route add throw 2001:db8:6::/48 table 100",
		"ip -6 route add anycast 2001:db8:10::55 dev rt0",
		"ip -6 route add local 2001:db8:10::56/127 dev lo",
	}},
	{"route-attributes", []string{
		"ip -6 route add 2001:db8:7::/48 from 2001:db8:8::/47 via 2001:db8:10::2",
		"ip -6 route add default via fe80::1 dev rt0 mtu lock 1300 pref high src 2001:db8:10::1",
		"ip -6 route add 2001:db8:9::/48 dev rt0 mtu 1400 hoplimit 3 expires 7200",
		"ip -6 route add 2001:db8:b::/48 via 2001:db8:dead::1 dev rt0 onlink",
		"ip -6 route add 2001:db8:e::/48 via 2001:db8:10::2 table 100000 proto bgp metric 7",
		"ip -6 route add 2001:db8:a::/48 encap seg6 mode encap segs 2001:db8:ff::1 dev rt0",
		"ip -6 route add 2001:db8:c::/48 nexthop via 2001:db8:10::2 nexthop encap seg6 mode encap segs 2001:db8:ff::1 via 2001:db8:11::2",
	}},
	{"next-hops", []string{
		"ip nexthop add id 1 via 2001:db8:10::2 dev rt0",
		"ip nexthop add id 2 via fe80::1 dev rt1 onlink",
		"ip -6 nexthop add id 3 blackhole",
		"ip -6 nexthop add id 4 dev rt0",
		"ip -6 nexthop add id 5 encap seg6 mode encap segs 2001:db8:ff::1 dev rt0",
		"ip addr add 192.0.2.1/24 dev rt0",
		"ip nexthop add id 6 via 192.0.2.2 dev rt0",
		"ip nexthop add id 7 dev rt0",
		"ip nexthop add id 8 via fe80::9 fdb",
		"ip nexthop add id 10 group 1/2,256",
		"ip nexthop add id 11 group 1/2,10 type resilient buckets 4",
		"ip nexthop replace id 1 via 2001:db8:10::99 dev rt0",
		"ip nexthop del id 2",
	}},
	{"next-hop-routes", []string{
		"ip nexthop add id 1 via 2001:db8:10::2 dev rt0",
		"ip nexthop add id 2 via fe80::1 dev rt1",
		"ip -6 nexthop add id 3 blackhole",
		"ip nexthop add id 10 group 1,5/2",
		"ip -6 route add 2001:db8:20::/48 nhid 1",
		"ip -6 route add 2001:db8:21::/48 nhid 10",
		"ip -6 route add 2001:db8:22::/48 nhid 3",
		"ip nexthop replace id 2 via fe80::2 dev rt1",
		"ip nexthop del id 1",
		"sysctl net.ipv4.nexthop_compat_mode=0",
		"ip -6 route add 2001:db8:23::/48 nhid 10",
		"ip nexthop del id 10",
	}},
	{"rules", []string{
		"ip -6 rule add pref 100 lookup 100000",
		"ip -6 rule add pref 101 from 2001:db8::/32 lookup 101",
		"ip -6 rule add pref 102 to 2001:db8::/33 lookup 101",
		"ip -6 rule add pref 103 iif rt0 lookup 101",
		"ip -6 rule add pref 104 oif rt1 lookup 101",
		"ip -6 rule add pref 105 fwmark 1/0xff lookup 101",
		"ip -6 rule add pref 106 uidrange 1-2 lookup 101",
		"ip -6 rule add pref 107 ipproto udp sport 1-5 dport 80 lookup 101",
		"ip -6 rule add pref 108 not tos 0x10 lookup 101",
		"ip -6 rule add pref 109 tun_id 5 lookup 101",
		"ip -6 rule add pref 110 lookup main suppress_prefixlength 0",
		"ip -6 rule add pref 111 lookup main suppress_ifgroup 3",
		"ip -6 rule add pref 112 l3mdev",
		"ip -6 rule add pref 113 goto 200",
		"ip -6 rule add pref 114 nop",
		"ip -6 rule add pref 115 blackhole",
		"ip -6 rule add pref 116 unreachable",
		"ip -6 rule add pref 117 prohibit",
		"ip -6 rule del pref 100",
	}},
	{"neighbors", []string{
		"ip -6 neigh add 2001:db8:10::7 lladdr 02:00:00:00:00:77 dev rt0",
		"ip -6 neigh change 2001:db8:10::7 lladdr 02:00:00:00:00:78 dev rt0 router nud reachable",
		"ip -6 neigh del 2001:db8:10::7 dev rt0",
		"ip -6 neigh add 2001:db8:10::8 lladdr 02:00:00:00:00:79 dev rt0 extern_learn nud stale",
	}},
	{"addresses", []string{
		"ip -6 addr add 2001:db8:30::1 peer 2001:db8:30::2/127 dev rt0 nodad",
		"ip -6 addr add 2001:db8:31::1/64 dev rt0 nodad noprefixroute",
		"ip -6 addr change 2001:db8:31::1/64 dev rt0 preferred_lft 0",
		"ip -6 addr del 2001:db8:31::1/64 dev rt0",
		"ip addr add 192.0.2.1/24 dev rt0",
	}},
	{"links", []string{
		"ip link set rt0 mtu 1400",
		"ip link set rt0 mtu 1401",
		"ip link set rt0 mtu 1200",
		"ip link set rt0 address 02:00:00:00:00:99",
		"ip link set rt0 name rt2",
		"ip link set rt1 down",
		"ip link add name rtbr index 20 address 02:00:00:00:00:20 type bridge",
		"ip link set rt1 master rtbr",
		"ip link set rt1 nomaster",
		"ip link add link rt1 name rtmac index 21 address 02:00:00:00:00:21 type macvlan",
		"ip link del rtmac",
	}},
	{"netconf", []string{
		"sysctl net.ipv6.conf.rt0.forwarding=1",
		"sysctl net.ipv6.conf.all.forwarding=1",
		"sysctl net.ipv6.conf.rt0.ignore_routes_with_linkdown=1",
		"sysctl net.ipv6.conf.rt0.mtu=1400",
		"sysctl net.ipv6.conf.rt0.disable_ipv6=1",
		"ip link del rt0",
	}},
	{"dump", []string{
		"sysctl net.ipv6.conf.rt0.mtu=1400",
		"sysctl net.ipv6.conf.rt0.forwarding=1",
		"ip -6 neigh add 2001:db8:10::7 lladdr 02:00:00:00:00:77 dev rt0",
		"ip -6 neigh add proxy 2001:db8:10::8 dev rt0",
		"ip nexthop add id 1 via 2001:db8:10::2 dev rt0",
		"ip nexthop add id 10 group 1",
		"ip -6 route add 2001:db8:1::/48 nhid 10",
		"ip -6 route add 2001:db8:2::/48 via 2001:db8:10::2 table 100",
		"ip -6 rule add lookup 100",
		"ip -6 neigh add 2001:db8:10::9 dev rt0 managed",
		"dump",
	}},
	{"dump-legs-down", []string{
		"ip -6 route add 2001:db8:3::/48 nexthop via 2001:db8:10::2 nexthop via 2001:db8:11::2",
		"ip link set rt1 down",
		"dump",
	}},
}

func (c capture) path() string { return filepath.Join("testdata", "captured", c.name+".txt") }

// write executes the commands and saves each with the messages it caused.
func (c capture) write(t *testing.T) {
	l := newLab(t)
	s := l.listen(subscribeBuffer)
	var out strings.Builder
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		t.Fatal(err)
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(uname.Release[:]), "-")
	fmt.Fprintf(&out, "# Linux %s, %s\n", release, unix.ByteSliceToString(uname.Machine[:]))
	for _, command := range c.commands {
		fmt.Fprintf(&out, "# %s\n", command)
		var messages []string
		if command == "dump" {
			messages = l.rawDump()
		} else {
			run(t, command)
			messages = untilQuiet(t, s)
		}
		for _, m := range messages {
			fmt.Fprintln(&out, m)
		}
	}
	if err := os.MkdirAll(filepath.Dir(c.path()), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.path(), []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run executes a command of ip-route(8) and its siblings, or sets a sysctl.
func run(t *testing.T, command string) {
	if setting, ok := strings.CutPrefix(command, "sysctl "); ok {
		sysctl(t, setting)
		return
	}
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// untilQuiet returns what comes until nothing does for a while.
func untilQuiet(t *testing.T, s *Subscription) (messages []string) {
	for {
		if err := s.s.nl.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := s.s.receive(1, func(m netlink.Message) { messages = append(messages, rawMessage(t, m)) })
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return messages
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// rawDump returns the messages of all dumps.
func (l *lab) rawDump() (messages []string) {
	proxies := header6(sizeofNdMsg)
	proxies[ndmFlags] = unix.NTF_PROXY
	for _, request := range []struct {
		typ  netlink.HeaderType
		data []byte
	}{
		{unix.RTM_GETLINK, linkRequest(0)},
		{unix.RTM_GETADDR, header6(unix.SizeofIfAddrmsg)},
		{unix.RTM_GETNEIGH, header6(sizeofNdMsg)},
		{unix.RTM_GETNEIGH, proxies},
		{unix.RTM_GETNEXTHOP, make([]byte, unix.SizeofNhmsg)},
		{unix.RTM_GETROUTE, header6(unix.SizeofRtMsg)},
		{unix.RTM_GETRULE, header6(sizeofFibRuleHdr)},
		{rtmGetNetconf, header6(sizeofNetconfMsg)},
	} {
		err := l.exchange("capture", netlink.Message{
			Header: netlink.Header{Type: request.typ, Flags: netlink.Request | netlink.Dump},
			Data:   request.data,
		}, func(m netlink.Message) error {
			messages = append(messages, rawMessage(l, m))
			return nil
		})
		if err != nil {
			l.Fatal(err)
		}
	}
	return messages
}

func rawMessage(tb testing.TB, m netlink.Message) string {
	m.Header.Length = uint32(align4(int(m.Header.Length)))
	m.Header.Sequence, m.Header.PID = 0, 0 // chance
	b, err := m.MarshalBinary()
	if err != nil {
		tb.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// read returns the messages that were captured.
func (c capture) read(tb testing.TB) (messages []netlink.Message) {
	tb.Helper()
	f, err := os.Open(c.path())
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		b, err := hex.DecodeString(lines.Text())
		if err != nil {
			tb.Fatalf("%s: %v", c.path(), err)
		}
		if err := splitMessages(b, func(m netlink.Message) { messages = append(messages, m) }); err != nil {
			tb.Fatalf("%s: %v", c.path(), err)
		}
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return messages
}
