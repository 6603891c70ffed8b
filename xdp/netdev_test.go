package xdp_test

import (
	"encoding/binary"
	"errors"
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
