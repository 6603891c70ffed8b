package rtnl

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const sizeofNexthopGrp = 8 // struct nexthop_grp

// decodeNextHop reads struct nhmsg and NHA_… attributes.
func decodeNextHop(data []byte, flags netlink.HeaderFlags) (Object, error) {
	if err := header(data, unix.SizeofNhmsg); err != nil {
		return nil, err
	}
	h := &NextHop{
		Leg:     Leg{Weight: 1, Flags: binary.NativeEndian.Uint32(data[4:])},
		Replace: flags&netlink.Replace != 0,
	}
	var group []byte
	wide := false // members have weights of 16 bits
	a := attrs{rest: data[unix.SizeofNhmsg:]}
	for a.next() {
		switch a.typ {
		case unix.NHA_ID:
			h.ID = a.u32()
		case unix.NHA_GROUP:
			if group = a.val; len(group)%sizeofNexthopGrp != 0 {
				a.err = malformed("group of %d bytes", len(group))
			}
		case unix.NHA_GROUP_TYPE:
			h.Resilient = a.u16() == nexthopGroupRes
		case nhaOpFlags:
			wide = a.u32()&nhaOpGroupReserved != 0
		case unix.NHA_BLACKHOLE:
			h.Blackhole = true
		case nhaFDB:
			h.FDB = true
		case unix.NHA_OIF:
			h.Leg.Ifindex = int(int32(a.u32()))
		case unix.NHA_GATEWAY:
			if len(a.val) == 4 { // of IPv4
				h.Leg.Via = true
			} else {
				h.Leg.Gateway = a.addr()
			}
		case unix.NHA_ENCAP, unix.NHA_ENCAP_TYPE:
			h.Leg.Encap = true
		}
	}
	switch {
	case a.err != nil:
		return nil, a.err
	case h.ID == 0:
		return nil, malformed("no id")
	}
	if family := data[0]; family != unix.AF_INET6 && family != unix.AF_UNSPEC {
		h.Leg.Via = true
	}
	h.Group = groupMembers(group, wide)
	return h, nil
}

// groupMembers reads a list of struct nexthop_grp: ID, weight less one, and its
// high byte, which kernels that do not say that it is valid leave unset.
func groupMembers(group []byte, wide bool) []GroupMember {
	if len(group) == 0 {
		return nil
	}
	members := make([]GroupMember, 0, len(group)/sizeofNexthopGrp)
	for ; len(group) > 0; group = group[sizeofNexthopGrp:] {
		weight := int(group[4])
		if wide {
			weight |= int(group[5]) << 8
		}
		members = append(members, GroupMember{
			ID:     binary.NativeEndian.Uint32(group),
			Weight: weight + 1,
		})
	}
	return members
}
