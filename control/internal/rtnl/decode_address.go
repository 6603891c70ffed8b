package rtnl

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// decodeAddress reads struct ifaddrmsg and IFA_… attributes.
func decodeAddress(data []byte) (Object, error) {
	if err := header(data, unix.SizeofIfAddrmsg); err != nil {
		return nil, err
	}
	if data[0] != unix.AF_INET6 {
		return nil, nil
	}
	addr := &Address{
		Bits:    int(data[1]),
		Flags:   uint32(data[2]),
		Scope:   data[3],
		Ifindex: int(int32(binary.NativeEndian.Uint32(data[4:]))),
	}
	a := attrs{rest: data[unix.SizeofIfAddrmsg:]}
	for a.next() {
		switch a.typ {
		case unix.IFA_LOCAL:
			addr.Addr = a.addr()
		case unix.IFA_ADDRESS:
			addr.Peer = a.addr()
		case unix.IFA_FLAGS: // the header has room for eight of them only
			addr.Flags = a.u32()
		}
	}
	// IFA_LOCAL is there only if the address has a peer, which IFA_ADDRESS
	// then is.
	if !addr.Addr.IsValid() {
		addr.Addr, addr.Peer = addr.Peer, addr.Addr
	}
	switch {
	case a.err != nil:
		return nil, a.err
	case !addr.Addr.IsValid():
		return nil, malformed("no address")
	case addr.Bits > 128:
		return nil, malformed("prefix length %d", addr.Bits)
	}
	return addr, nil
}
