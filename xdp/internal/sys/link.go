package sys

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Link is what attaching needs to know about a link.
type Link struct {
	Ifindex int
	Name    string
	Up      bool
	XDP     LinkXDP
}

// LinkXDP is the XDP program of a link.
type LinkXDP struct {
	Program uint32 // ID, 0 if there is none
	Mode    string // native, generic, offloaded or several
}

// skipStats is RTEXT_FILTER_SKIP_STATS (linux/rtnetlink.h).
const skipStats = 1 << 3

// ErrNoLink means that there is no such link.
var ErrNoLink = errors.New("no such device")

// LinkByName asks the kernel for a link of the calling thread's network
// namespace.
func LinkByName(name string) (Link, error) {
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return Link{}, ErrNoLink
	}
	attrs := netlink.NewAttributeEncoder()
	attrs.String(unix.IFLA_IFNAME, name)
	return queryLink(0, attrs)
}

// LinkByIndex asks the kernel for a link of the calling thread's network
// namespace.
func LinkByIndex(ifindex int) (Link, error) {
	if ifindex <= 0 {
		return Link{}, ErrNoLink
	}
	return queryLink(ifindex, netlink.NewAttributeEncoder())
}

func queryLink(ifindex int, attrs *netlink.AttributeEncoder) (Link, error) {
	attrs.Uint32(unix.IFLA_EXT_MASK, skipStats)
	encoded, err := attrs.Encode()
	if err != nil {
		return Link{}, err
	}
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return Link{}, fmt.Errorf("open netlink: %w", err)
	}
	defer conn.Close()
	header := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(header[4:], uint32(ifindex))
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request},
		Data:   append(header, encoded...),
	})
	switch {
	case errors.Is(err, unix.ENODEV):
		return Link{}, ErrNoLink
	case err != nil:
		return Link{}, fmt.Errorf("ask for link: %w", err)
	case len(answers) != 1:
		return Link{}, fmt.Errorf("ask for link: %d answers", len(answers))
	}
	return decodeLink(answers[0].Data)
}

func decodeLink(b []byte) (Link, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return Link{}, fmt.Errorf("link message of %d bytes", len(b))
	}
	flags := binary.NativeEndian.Uint32(b[8:])
	l := Link{
		Ifindex: int(binary.NativeEndian.Uint32(b[4:])),
		Up:      flags&unix.IFF_UP != 0,
	}
	attrs, err := netlink.NewAttributeDecoder(b[unix.SizeofIfInfomsg:])
	if err != nil {
		return Link{}, err
	}
	for attrs.Next() {
		switch attrs.Type() {
		case unix.IFLA_IFNAME:
			l.Name = attrs.String()
		case unix.IFLA_XDP:
			attrs.Nested(l.XDP.decode)
		}
	}
	return l, attrs.Err()
}

// xdpModes names the values of IFLA_XDP_ATTACHED (XDP_ATTACHED_DRV and
// following, linux/if_link.h).
var xdpModes = map[uint8]string{1: "native", 2: "generic", 3: "offloaded", 4: "several"}

func (x *LinkXDP) decode(attrs *netlink.AttributeDecoder) error {
	for attrs.Next() {
		switch attrs.Type() {
		case unix.IFLA_XDP_ATTACHED:
			x.Mode = xdpModes[attrs.Uint8()]
		case unix.IFLA_XDP_PROG_ID, unix.IFLA_XDP_DRV_PROG_ID, unix.IFLA_XDP_SKB_PROG_ID:
			// With several programs there is no IFLA_XDP_PROG_ID.
			x.Program = attrs.Uint32()
		}
	}
	return nil
}
