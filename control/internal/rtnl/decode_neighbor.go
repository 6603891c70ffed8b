package rtnl

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

const (
	sizeofNdMsg = 12 // struct ndmsg
	ndmFlags    = 10 // place of ndm_flags in it
)

// decodeNeighbor reads struct ndmsg and NDA_… attributes. The same messages
// tell of ARP (AF_INET) and of a bridge's forwarding table (AF_BRIDGE).
func decodeNeighbor(data []byte) (Object, error) {
	if err := header(data, sizeofNdMsg); err != nil {
		return nil, err
	}
	if data[0] != unix.AF_INET6 {
		return nil, nil
	}
	n := &Neighbor{
		Ifindex: int(int32(binary.NativeEndian.Uint32(data[4:]))),
		State:   binary.NativeEndian.Uint16(data[8:]),
		Flags:   data[ndmFlags],
		Type:    data[11],
	}
	a := attrs{rest: data[sizeofNdMsg:]}
	for a.next() {
		switch a.typ {
		case unix.NDA_DST:
			n.Addr = a.addr()
		case unix.NDA_LLADDR:
			n.MAC, n.HasMAC = a.mac()
		case ndaFlagsExt:
			n.FlagsExt = a.u32()
		}
	}
	switch {
	case a.err != nil:
		return nil, a.err
	case !n.Addr.IsValid():
		return nil, malformed("no address")
	}
	return n, nil
}
