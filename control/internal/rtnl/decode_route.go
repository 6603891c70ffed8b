package rtnl

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// oneLegRoute lets the usual route, which has one leg, cost one allocation.
type oneLegRoute struct {
	Route
	leg [1]Leg
}

// decodeRoute reads struct rtmsg and RTA_… attributes. Multicast routes are of
// another family, RTNL_FAMILY_IP6MR.
func decodeRoute(data []byte, flags netlink.HeaderFlags) (Object, error) {
	if err := header(data, unix.SizeofRtMsg); err != nil {
		return nil, err
	}
	if data[0] != unix.AF_INET6 {
		return nil, nil
	}
	o := &oneLegRoute{}
	r := &o.Route
	dstBits, srcBits := int(data[1]), int(data[2])
	r.Table = uint32(data[4])
	r.Protocol = data[5]
	r.Type = data[7]
	r.Flags = binary.NativeEndian.Uint32(data[8:])
	r.Append = flags&netlink.Append != 0
	r.Replace = flags&netlink.Replace != 0
	r.Create = flags&netlink.Create != 0
	r.Excl = flags&netlink.Excl != 0

	dst, src := netip.IPv6Unspecified(), netip.IPv6Unspecified()
	hasDst, hasSrc, hasLeg := false, false, false
	leg := Leg{Weight: 1, Flags: r.Flags & rtnhFlags}
	a := attrs{rest: data[unix.SizeofRtMsg:]}
	for a.next() {
		switch a.typ {
		case unix.RTA_DST:
			dst, hasDst = a.addr(), true
		case unix.RTA_SRC:
			src, hasSrc = a.addr(), true
		case unix.RTA_TABLE: // the header has room for 255 of them only
			r.Table = a.u32()
		case unix.RTA_PRIORITY:
			r.Metric = a.u32()
		case unix.RTA_PREFSRC:
			r.PrefSrc = a.addr()
		case rtaNextHop:
			r.NextHop = a.u32()
		case unix.RTA_PREF:
			r.Pref = a.u8()
		case unix.RTA_METRICS:
			r.metrics(&a)
		case unix.RTA_CACHEINFO:
			r.cacheInfo(&a)
		case unix.RTA_EXPIRES:
			r.expires(&a)
		case unix.RTA_MULTIPATH:
			r.multipath(&a)
		case unix.RTA_OIF:
			leg.Ifindex, hasLeg = int(int32(a.u32())), true
		default:
			if leg.attribute(&a) {
				hasLeg = true
			}
		}
	}
	switch {
	case a.err != nil:
		return nil, a.err
	case dstBits > 128 || dstBits > 0 && !hasDst:
		return nil, malformed("destination of %d bits, address %v", dstBits, hasDst)
	case srcBits > 128 || srcBits > 0 && !hasSrc:
		return nil, malformed("source of %d bits, address %v", srcBits, hasSrc)
	}
	r.Dst = netip.PrefixFrom(dst, dstBits).Masked()
	r.Src = netip.PrefixFrom(src, srcBits).Masked()
	if hasLeg && r.Legs == nil {
		o.leg[0] = leg
		r.Legs = o.leg[:1:1]
	}
	return r, nil
}

// attribute reads what a route with one leg and each leg of a multipath have in
// common. It is false for any other attribute.
func (l *Leg) attribute(a *attrs) bool {
	switch a.typ {
	case unix.RTA_GATEWAY:
		if len(a.val) == 4 { // of IPv4
			l.Via = true
		} else {
			l.Gateway = a.addr()
		}
	case unix.RTA_VIA:
		l.Via = true
	case unix.RTA_ENCAP, unix.RTA_ENCAP_TYPE:
		l.Encap = true
	default:
		return false
	}
	return true
}

// multipath reads a list of struct rtnexthop, each with attributes.
func (r *Route) multipath(a *attrs) {
	legs := 0
	for rest := a.val; len(rest) >= unix.SizeofRtNexthop; legs++ {
		length := int(binary.NativeEndian.Uint16(rest))
		if length < unix.SizeofRtNexthop || length > len(rest) {
			a.err = malformed("leg %d claims %d bytes of %d", legs, length, len(rest))
			return
		}
		rest = rest[min(align4(length), len(rest)):]
	}
	r.Legs = make([]Leg, 0, legs)
	for rest := a.val; len(rest) > 0; {
		if len(rest) < unix.SizeofRtNexthop {
			a.err = malformed("%d bytes after the last leg", len(rest))
			return
		}
		length := int(binary.NativeEndian.Uint16(rest))
		leg := Leg{
			Flags:   uint32(rest[2]),
			Weight:  int(rest[3]) + 1,
			Ifindex: int(int32(binary.NativeEndian.Uint32(rest[4:]))),
		}
		n := attrs{rest: rest[unix.SizeofRtNexthop:length]}
		for n.next() {
			leg.attribute(&n)
		}
		if n.err != nil {
			a.err = fmt.Errorf("leg %d: %w", len(r.Legs), n.err)
			return
		}
		r.Legs = append(r.Legs, leg)
		rest = rest[min(align4(length), len(rest)):]
	}
}

// metrics reads RTAX_MTU, and of RTAX_LOCK the bit that locks it.
func (r *Route) metrics(a *attrs) {
	n := a.nested()
	for n.next() {
		switch n.typ {
		case unix.RTAX_MTU:
			r.MTU = int(n.u32())
		case unix.RTAX_LOCK:
			r.MTULock = n.u32()&(1<<unix.RTAX_MTU) != 0
		}
	}
	a.inside(&n)
}

// cacheInfo reads rta_expires of struct rta_cacheinfo: clock ticks from now,
// negative if in the past, 0 if the route does not expire.
func (r *Route) cacheInfo(a *attrs) {
	const expires, size = 8, 12 // after rta_clntref and rta_lastuse
	if len(a.val) < size {
		a.err = malformed("attribute %d has %d bytes, less than %d", a.typ, len(a.val), size)
		return
	}
	if ticks := int32(binary.NativeEndian.Uint32(a.val[expires:])); ticks != 0 {
		r.Expires, r.HasExpires = floorDiv(int(ticks), clockTicks), true
	}
}

// expires reads RTA_EXPIRES: seconds, as a request gives it.
func (r *Route) expires(a *attrs) {
	r.Expires, r.HasExpires = int(a.u32()), true
}

// floorDiv rounds down, so that what has just expired is negative.
func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
