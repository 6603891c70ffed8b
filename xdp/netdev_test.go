package xdp_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// changeLink sends one message about a link and returns its ifindex.
func changeLink(t *testing.T, ns *xdptest.Namespace, ifindex int, flags netlink.HeaderFlags, name string, fill func(*netlink.AttributeEncoder)) int {
	t.Helper()
	attrs := netlink.NewAttributeEncoder()
	attrs.String(syscall.IFLA_IFNAME, name)
	fill(attrs)
	encoded, err := attrs.Encode()
	if err != nil {
		t.Fatal(err)
	}
	header := make([]byte, syscall.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(header[4:], uint32(ifindex))
	conn, err := netlink.Dial(syscall.NETLINK_ROUTE, &netlink.Config{NetNS: ns.FD()})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: syscall.RTM_NEWLINK, Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   append(header, encoded...),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = ns.Do(func() error {
		ifindex, err = xdp.LinkIndex(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ifindex
}

// addBridge makes a bridge br0: an Ethernet device that knows no native XDP.
func addBridge(t *testing.T, ns *xdptest.Namespace) *xdptest.Port {
	t.Helper()
	ifindex := changeLink(t, ns, 0, netlink.Create|netlink.Excl, "br0", func(attrs *netlink.AttributeEncoder) {
		attrs.Nested(syscall.IFLA_LINKINFO, func(info *netlink.AttributeEncoder) error {
			info.String(1, "bridge") // IFLA_INFO_KIND
			return nil
		})
	})
	return &xdptest.Port{Name: "br0", NS: ns, Ifindex: ifindex, MAC: portMAC[:]}
}

func TestCheckPort(t *testing.T) {
	lab := xdptest.NewLab(t)
	bridge := addBridge(t, lab.R)
	changeLink(t, lab.R, lab.R1.Ifindex, 0, lab.R1.Name, func(attrs *netlink.AttributeEncoder) {
		attrs.Uint32(syscall.IFLA_MASTER, uint32(bridge.Ifindex))
	})
	for _, tt := range []struct {
		name, want string
	}{
		{"r0", ""},
		{"br0", ""},
		{"lo", "use lo as a port: it is a loopback device"},
		{"r1", `use r1 as a port: it belongs to bridge br0; take it out with "ip link set dev r1 nomaster"`},
		{"r9", "use r9 as a port: device is gone"},
		{"", "use  as a port: device is gone"},
		{"a-name-that-is-too-long-for-a-device", "device is gone"},
	} {
		err := lab.R.Do(func() error { return xdp.CheckPort(tt.name) })
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("CheckPort(%q) = %v, want nil", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("CheckPort(%q) = %v, want %q", tt.name, err, tt.want)
		}
		if strings.Contains(tt.want, "gone") && !errors.Is(err, xdp.ErrGone) {
			t.Errorf("CheckPort(%q) = %v, want it to match ErrGone", tt.name, err)
		}
	}
}

func TestQueues(t *testing.T) {
	lab := xdptest.NewLabWith(t, xdptest.Config{Queues: 3})
	for _, tt := range []struct {
		name string
		want int
	}{
		{"r0", 3},
		{"lo", 1}, // its driver does not say
	} {
		err := lab.R.Do(func() error {
			rx, tx, err := xdp.Queues(tt.name)
			if rx != tt.want || tx != tt.want {
				t.Errorf("queues of %s = %d, %d, want %d each", tt.name, rx, tx, tt.want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if err := lab.R.Do(func() error { _, _, err := xdp.Queues("r9"); return err }); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("queues of a device that does not exist: %v, want %v", err, syscall.ENODEV)
	}
}

func TestDriver(t *testing.T) {
	lab := xdptest.NewLab(t)
	err := lab.R.Do(func() error {
		driver, err := xdp.Driver("r0")
		if driver != "veth" {
			t.Errorf("driver = %q, want veth", driver)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestMissingPrivileges(t *testing.T) {
	const netAdmin, netRaw, ipcLock, sysAdmin, bpf = 1 << 12, 1 << 13, 1 << 14, 1 << 21, 1 << 39
	for _, tt := range []struct {
		name    string
		have    uint64
		limited bool
		want    []string // first words
	}{
		{"root", 1<<41 - 1, true, nil},
		{"nobody", 0, true, []string{"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_BPF", "CAP_IPC_LOCK"}},
		{"just enough", netAdmin | netRaw | bpf | ipcLock, true, nil},
		{"memory unlimited", netAdmin | netRaw | bpf, false, nil},
		{"CAP_SYS_ADMIN in place of CAP_BPF", netAdmin | netRaw | sysAdmin, false, nil},
		{"no CAP_NET_RAW", netAdmin | bpf, false, []string{"CAP_NET_RAW"}},
	} {
		var got []string
		for _, m := range xdp.MissingPrivilegesOf(tt.have, 8<<20, tt.limited) {
			got = append(got, strings.Fields(m)[0])
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: missing %q, want %q", tt.name, got, tt.want)
		}
	}
}
