package rtnl

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// decodeLink reads struct ifinfomsg and IFLA_… attributes.
//
// Only AF_UNSPEC messages are about the link itself. The AF_BRIDGE ones in the
// same multicast group are about its place in a bridge: their RTM_DELLINK means
// that it left the bridge, not that it is gone.
func decodeLink(data []byte) (Object, error) {
	if err := header(data, unix.SizeofIfInfomsg); err != nil {
		return nil, err
	}
	if data[0] != unix.AF_UNSPEC {
		return nil, nil
	}
	l := &Link{
		Type:    binary.NativeEndian.Uint16(data[2:]),
		Ifindex: int(int32(binary.NativeEndian.Uint32(data[4:]))),
		Flags:   binary.NativeEndian.Uint32(data[8:]),
	}
	if l.Ifindex <= 0 {
		return nil, malformed("ifindex %d", l.Ifindex)
	}
	l.Up = l.Flags&unix.IFF_UP != 0
	l.Carrier = l.Flags&unix.IFF_LOWER_UP != 0
	a := attrs{rest: data[unix.SizeofIfInfomsg:]}
	for a.next() {
		switch a.typ {
		case unix.IFLA_IFNAME:
			l.Name = a.str()
		case unix.IFLA_ADDRESS:
			l.MAC, l.HasMAC = a.mac()
		case unix.IFLA_MTU:
			l.MTU = int(a.u32())
		case unix.IFLA_MASTER:
			l.Master = int(a.u32())
		case unix.IFLA_LINK:
			l.Parent = int(a.u32())
		case unix.IFLA_LINK_NETNSID:
			l.ParentElsewhere = true
		case unix.IFLA_LINKINFO:
			l.linkInfo(&a)
		case unix.IFLA_XDP:
			l.xdp(&a)
		case unix.IFLA_AF_SPEC:
			l.afSpec(&a)
		}
	}
	return l, a.err
}

func (l *Link) linkInfo(a *attrs) {
	n := a.nested()
	for n.next() {
		if n.typ == unix.IFLA_INFO_KIND {
			l.Kind = n.str()
		}
	}
	a.inside(&n)
}

func (l *Link) xdp(a *attrs) {
	n := a.nested()
	for n.next() {
		switch n.typ {
		case unix.IFLA_XDP_PROG_ID:
			l.XDPProg = n.u32()
		case unix.IFLA_XDP_SKB_PROG_ID, unix.IFLA_XDP_DRV_PROG_ID, unix.IFLA_XDP_HW_PROG_ID:
			// With programs in several modes at once the kernel leaves
			// IFLA_XDP_PROG_ID out. Any of them will do: the link is taken.
			if id := n.u32(); l.XDPProg == 0 {
				l.XDPProg = id
			}
		}
	}
	a.inside(&n)
}

// afSpec finds what IPv6 adds to the link.
func (l *Link) afSpec(a *attrs) {
	families := a.nested()
	for families.next() {
		if families.typ != unix.AF_INET6 {
			continue
		}
		n := families.nested()
		for n.next() {
			switch n.typ {
			case unix.IFLA_INET6_FLAGS:
				l.Flags6 = n.u32()
			case unix.IFLA_INET6_CONF:
				l.inet6Conf(n.val)
			}
		}
		families.inside(&n)
	}
	a.inside(&families)
}

// inet6Conf reads the array of the link's net.ipv6.conf settings. It grows with
// the kernel's age; an older kernel's lacks what is not there yet.
func (l *Link) inet6Conf(conf []byte) {
	value := func(i int) int32 {
		if len(conf) < 4*i+4 {
			return 0
		}
		return int32(binary.NativeEndian.Uint32(conf[4*i:]))
	}
	l.HasIPv6 = true
	l.MTU6 = int(value(devconfMTU6))
	l.Forward = value(devconfForwarding) != 0
	l.Disable6 = value(devconfDisableIPv6) != 0
	l.IgnoreLinkdown = value(devconfIgnoreLinkdown) != 0
}
