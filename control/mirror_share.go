package control

import (
	"encoding/binary"
	"net/netip"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// sharedRoute is all of a route but its prefix. A full table has few different
// ones, so each is kept once: it takes more memory than the prefix.
type sharedRoute struct {
	*rtnl.Route
	refs int
}

// share returns the one copy of r, without prefix, for one more user.
func (m *Mirror) share(r *rtnl.Route) *rtnl.Route {
	var buf [256]byte
	key := appendRoute(buf[:0], r)
	if s := m.shared[string(key)]; s != nil {
		s.refs++
		return s.Route
	}
	own := *r
	own.Dst = netip.Prefix{}
	own.Append, own.Replace, own.Create, own.Excl = false, false, false, false
	m.shared[string(key)] = &sharedRoute{&own, 1}
	return &own
}

// unshare ends the use of what share returned.
func (m *Mirror) unshare(r *rtnl.Route) {
	var buf [256]byte
	key := appendRoute(buf[:0], r)
	s := m.shared[string(key)]
	if s.refs--; s.refs == 0 {
		delete(m.shared, string(key))
	}
}

// appendRoute appends what makes r differ from another route, but for its
// prefix and for how it was told.
func appendRoute(b []byte, r *rtnl.Route) []byte {
	b = binary.BigEndian.AppendUint32(b, r.Table)
	b = appendAddr(b, r.Src.Addr())
	b = append(b, byte(r.Src.Bits()), r.Type, r.Protocol, r.Pref, flag(r.MTULock), flag(r.HasExpires))
	b = binary.BigEndian.AppendUint32(b, r.Metric)
	b = binary.BigEndian.AppendUint32(b, r.NextHop)
	b = binary.BigEndian.AppendUint32(b, r.Flags)
	b = binary.BigEndian.AppendUint64(b, uint64(r.MTU))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Expires))
	b = appendAddr(b, r.PrefSrc)
	for _, l := range r.Legs {
		b = appendAddr(b, l.Gateway)
		b = binary.BigEndian.AppendUint64(b, uint64(l.Ifindex))
		b = binary.BigEndian.AppendUint64(b, uint64(l.Weight))
		b = binary.BigEndian.AppendUint32(b, l.Flags)
		b = append(b, flag(l.Encap), flag(l.Via))
	}
	return b
}

// appendAddr appends a, so that what follows cannot be taken for part of it.
func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, 0)
	}
	bytes := a.As16()
	return append(append(b, 1), bytes[:]...)
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}
