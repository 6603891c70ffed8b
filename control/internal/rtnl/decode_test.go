package rtnl

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// message puts a message together: the family, the rest of the fixed part as
// zeros, and attributes.
func message(t netlink.HeaderType, family byte, size int, attributes ...[]byte) netlink.Message {
	data := make([]byte, size)
	data[0] = family
	for _, a := range attributes {
		data = append(data, a...)
	}
	return netlink.Message{Header: netlink.Header{Type: t}, Data: data}
}

func attribute(typ uint16, value ...byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(attrHeader+len(value)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	b = append(b, value...)
	return append(b, make([]byte, align4(len(b))-len(b))...)
}

func u32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func newRoute(attributes ...[]byte) netlink.Message {
	return message(unix.RTM_NEWROUTE, unix.AF_INET6, unix.SizeofRtMsg, attributes...)
}

func newRule(attributes ...[]byte) netlink.Message {
	m := message(unix.RTM_NEWRULE, unix.AF_INET6, sizeofFibRuleHdr, attributes...)
	m.Data[4], m.Data[7] = 9, unix.FR_ACT_TO_TBL
	return m
}

func change(m netlink.Message, at int, value byte) netlink.Message {
	m.Data[at] = value
	return m
}

func TestDecodeMalformed(t *testing.T) {
	short := netlink.Message{Data: []byte{unix.AF_INET6}}
	for _, typ := range []netlink.HeaderType{
		unix.RTM_NEWLINK, unix.RTM_NEWADDR, unix.RTM_NEWNEIGH, unix.RTM_NEWROUTE, unix.RTM_NEWNEXTHOP,
		unix.RTM_NEWRULE, unix.RTM_NEWNETCONF,
	} {
		short.Header.Type = typ
		if _, err := Decode(short); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), typeName(typ)) {
			t.Errorf("Decode of one byte of %s: error %v, want one that says so", typeName(typ), err)
		}
	}
	link := func(attributes ...[]byte) netlink.Message {
		return change(message(unix.RTM_NEWLINK, 0, unix.SizeofIfInfomsg, attributes...), 4, 1)
	}
	for _, tt := range []struct {
		name    string
		message netlink.Message
		want    string // part of the error
	}{
		{"link without ifindex", message(unix.RTM_NEWLINK, 0, unix.SizeofIfInfomsg), "ifindex 0"},
		{"MTU of 2 bytes", link(attribute(unix.IFLA_MTU, 5, 6)), "attribute 4 has 2 bytes, not 4"},
		{"address without address", message(unix.RTM_NEWADDR, unix.AF_INET6, unix.SizeofIfAddrmsg), "no address"},
		{"prefix length 129", change(message(unix.RTM_NEWADDR, unix.AF_INET6, unix.SizeofIfAddrmsg,
			attribute(unix.IFA_ADDRESS, make([]byte, 16)...)), 1, 129), "length 129"},
		{"neighbor without address", message(unix.RTM_NEWNEIGH, unix.AF_INET6, sizeofNdMsg), "no address"},
		{"destination of 4 bytes", newRoute(attribute(unix.RTA_DST, 1, 2, 3, 4)), "attribute 1 has 4 bytes, not 16"},
		{"destination missing", change(newRoute(), 1, 64), "destination of 64 bits"},
		{"source missing", change(newRoute(), 2, 64), "source of 64 bits"},
		{"destination of 129 bits", change(newRoute(attribute(unix.RTA_DST, make([]byte, 16)...)), 1, 129), "129 bits"},
		{"gateway of 5 bytes", newRoute(attribute(unix.RTA_GATEWAY, 1, 2, 3, 4, 5)), "attribute 5 has 5 bytes"},
		{"attribute too long", newRoute([]byte{9, 0, 1, 0, 0, 0, 0, 0}), "claims 9 bytes of 8"},
		{"attribute too short", newRoute([]byte{3, 0, 1, 0}), "claims 3 bytes of 4"},
		{"three bytes left", newRoute([]byte{4, 0, 24, 0, 0, 0, 0}), "3 bytes after the last attribute"},
		{"metrics not nested", newRoute(attribute(unix.RTA_METRICS, 1, 2)), "inside attribute 8"},
		{"leg too long", newRoute(attribute(unix.RTA_MULTIPATH, 9, 0, 0, 0, 0, 0, 0, 0)), "leg 0 claims 9 bytes of 8"},
		{"leg too short", newRoute(attribute(unix.RTA_MULTIPATH, 0, 0, 0, 0, 0, 0, 0, 0)), "leg 0 claims 0 bytes"},
		{"four bytes after the legs", newRoute(attribute(unix.RTA_MULTIPATH, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4)), "4 bytes after the last leg"},
		{"attribute of a leg", newRoute(attribute(unix.RTA_MULTIPATH, 12, 0, 0, 0, 0, 0, 0, 0, 9, 0, 5, 0)), "leg 0: "},
		{"cache information", newRoute(attribute(unix.RTA_CACHEINFO, 1, 2, 3, 4)), "attribute 12 has 4 bytes"},
		{"next hop without id", message(unix.RTM_NEWNEXTHOP, 0, unix.SizeofNhmsg), "no id"},
		{"group of 9 bytes", message(unix.RTM_NEWNEXTHOP, 0, unix.SizeofNhmsg,
			attribute(unix.NHA_GROUP, make([]byte, 9)...)), "group of 9 bytes"},
		{"rule of 200 bits", change(newRule(), 2, 200), "source of 200 bits"},
		{"ports of 2 bytes", newRule(attribute(unix.FRA_SPORT_RANGE, 1, 2)), "attribute 23 has 2 bytes"},
		{"netconf without ifindex", message(unix.RTM_NEWNETCONF, unix.AF_INET6, sizeofNetconfMsg), "no ifindex"},
	} {
		e, err := Decode(tt.message)
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Decode = %v, error %v, want one with %q", tt.name, e.Object, err, tt.want)
		}
	}
}

// Whatever the length at which a message is cut, it decodes or is malformed.
func TestDecodeCut(t *testing.T) {
	for _, c := range captures {
		for i, m := range c.read(t) {
			data := m.Data
			for n := range data {
				m.Data = data[:n:n]
				e, err := Decode(m)
				if err != nil && !errors.Is(err, ErrMalformed) || err == nil && e.Object == nil {
					t.Fatalf("message %d of %s, cut to %d bytes: Decode = %v, error %v", i, c.name, n, e, err)
				}
			}
		}
	}
}

const rtnlFamilyIP6MR = 129 // RTNL_FAMILY_IP6MR

func TestDecodeUnknown(t *testing.T) {
	for _, tt := range []struct {
		name    string
		message netlink.Message
		deleted bool
	}{
		{"route of IPv4", message(unix.RTM_NEWROUTE, unix.AF_INET, unix.SizeofRtMsg), false},
		{"multicast route", message(unix.RTM_DELROUTE, rtnlFamilyIP6MR, unix.SizeofRtMsg), true},
		{"address of IPv4", message(unix.RTM_DELADDR, unix.AF_INET, unix.SizeofIfAddrmsg), true},
		{"ARP", message(unix.RTM_NEWNEIGH, unix.AF_INET, sizeofNdMsg), false},
		{"rule of IPv4", message(unix.RTM_NEWRULE, unix.AF_INET, sizeofFibRuleHdr), false},
		{"netconf of IPv4", message(unix.RTM_NEWNETCONF, unix.AF_INET, sizeofNetconfMsg), false},
		{"bridge port", message(unix.RTM_DELLINK, unix.AF_BRIDGE, unix.SizeofIfInfomsg), true},
		{"queueing discipline", netlink.Message{Header: netlink.Header{Type: unix.RTM_NEWQDISC}}, false},
		{"end of a dump", netlink.Message{Header: netlink.Header{Type: netlink.Done}}, false},
	} {
		got, err := Decode(tt.message)
		want := Event{Deleted: tt.deleted, Object: &Unknown{Type: uint16(tt.message.Header.Type)}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Decode = %s, error %v, want %s", tt.name, show(got), err, show(want))
		}
	}
}

// What the iproute2 of the captures cannot ask for, or the kernel not yet.
func TestDecodeRuleSelectors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		message netlink.Message
		plain   bool
		text    string
	}{
		{"none", newRule(), true, "from all lookup 9"},
		{"protocol", newRule(attribute(unix.FRA_PROTOCOL, 4)), true, "from all lookup 9"},
		{"permanent", change(newRule(), 8, unix.FIB_RULE_PERMANENT), true, "from all lookup 9"},
		{"long table", newRule(attribute(unix.FRA_TABLE, u32(70000)...)), true, "from all lookup 70000"},
		{"dscp", newRule(attribute(fraDSCP, 46)), false, "dscp 46 lookup 9"},
		{"dscp mask", newRule(attribute(fraDSCP, 40), attribute(fraDSCPMask, 0x38)), false, "dscp 40 dscp mask 0x38 lookup 9"},
		{"flow label", newRule(attribute(fraFlowLabel, 0, 1, 2, 3), attribute(fraFlowLabelMask, 0, 0x0f, 0xff, 0xff)), false,
			"flowlabel 0x10203 flowlabel mask 0xfffff lookup 9"},
		{"masked port", newRule(attribute(unix.FRA_DPORT_RANGE, 80, 0, 80, 0), attribute(fraDportMask, 0xf0, 0xff)), false,
			"dport 80-80 dport mask 0xfff0 lookup 9"},
		{"realms", newRule(attribute(unix.FRA_FLOW, u32(7)...)), false, "realms 0x7 lookup 9"},
		{"source as address", change(newRule(), 10, 1), false, "find_saddr lookup 9"},
		{"no l3mdev", newRule(attribute(unix.FRA_L3MDEV, 0)), true, "from all lookup 9"},
		{"of the future", newRule(attribute(99)), false, "attribute 99 lookup 9"},
		{"action of the future", change(newRule(), 7, 77), false, "from all action 77"},
	} {
		e, err := Decode(tt.message)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if r := e.Object.(*Rule); r.Plain != tt.plain || r.Text != tt.text {
			t.Errorf("%s: plain %v, %q, want %v, %q", tt.name, r.Plain, r.Text, tt.plain, tt.text)
		}
	}
}

func TestDecodeWeights(t *testing.T) {
	members := attribute(unix.NHA_GROUP, 1, 0, 0, 0, 0xff, 1, 0, 0)
	for _, tt := range []struct {
		name  string
		flags []byte
		want  int
	}{
		{"16 bits", attribute(nhaOpFlags, u32(nhaOpGroupReserved)...), 512},
		{"8 bits and something unset", nil, 256},
	} {
		e, err := Decode(message(unix.RTM_NEWNEXTHOP, 0, unix.SizeofNhmsg, attribute(unix.NHA_ID, u32(1)...), members, tt.flags))
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Object.(*NextHop).Group; len(got) != 1 || got[0].Weight != tt.want {
			t.Errorf("%s: group %v, want a weight of %d", tt.name, got, tt.want)
		}
	}
}

func TestDecodeExpires(t *testing.T) {
	cacheInfo := func(ticks int32) []byte {
		return attribute(unix.RTA_CACHEINFO, append(append(make([]byte, 8), u32(uint32(ticks))...), make([]byte, 20)...)...)
	}
	for _, tt := range []struct {
		name    string
		message netlink.Message
		expires int
		has     bool
	}{
		{"never", newRoute(cacheInfo(0)), 0, false},
		{"in 2.5 seconds", newRoute(cacheInfo(250)), 2, true},
		{"in an instant", newRoute(cacheInfo(1)), 0, true},
		{"just now", newRoute(cacheInfo(-1)), -1, true},
		{"2.5 seconds ago", newRoute(cacheInfo(-250)), -3, true},
		{"as a request says it", newRoute(attribute(unix.RTA_EXPIRES, u32(77)...)), 77, true},
	} {
		e, err := Decode(tt.message)
		if err != nil {
			t.Fatal(err)
		}
		if r := e.Object.(*Route); r.Expires != tt.expires || r.HasExpires != tt.has {
			t.Errorf("%s: expires %d, %v, want %d, %v", tt.name, r.Expires, r.HasExpires, tt.expires, tt.has)
		}
	}
}

// A gateway that is no IPv6 address must not look like an on-link route.
func TestDecodeVia(t *testing.T) {
	oif := attribute(unix.RTA_OIF, u32(7)...)
	want := []Leg{{Ifindex: 7, Weight: 1, Via: true}}
	for _, tt := range []struct {
		name    string
		message netlink.Message
	}{
		{"RTA_VIA", newRoute(oif, attribute(unix.RTA_VIA, unix.AF_INET, 0, 192, 0, 2, 1))},
		{"RTA_GATEWAY of 4 bytes", newRoute(oif, attribute(unix.RTA_GATEWAY, 192, 0, 2, 1))},
		{"in a leg", newRoute(attribute(unix.RTA_MULTIPATH, append([]byte{16, 0, 0, 0, 7, 0, 0, 0},
			attribute(unix.RTA_GATEWAY, 192, 0, 2, 1)...)...))},
	} {
		e, err := Decode(tt.message)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Object.(*Route).Legs; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: legs %+v, want %+v", tt.name, got, want)
		}
	}
}

// A link with programs in several modes has none in particular.
func TestDecodeXDPModes(t *testing.T) {
	xdp := attribute(unix.IFLA_XDP, append(attribute(unix.IFLA_XDP_ATTACHED, 4),
		append(attribute(unix.IFLA_XDP_DRV_PROG_ID, u32(5)...), attribute(unix.IFLA_XDP_HW_PROG_ID, u32(6)...)...)...)...)
	e, err := Decode(change(message(unix.RTM_NEWLINK, 0, unix.SizeofIfInfomsg, xdp), 4, 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Object.(*Link).XDPProg; got != 5 {
		t.Errorf("XDP program %d, want the driver's, 5", got)
	}
}

// A prefix is a key, so bits beyond its length must not count.
func TestDecodeMasksPrefix(t *testing.T) {
	e, err := Decode(change(newRoute(attribute(unix.RTA_DST, netip.MustParseAddr("2001:db8::1").AsSlice()...)), 1, 32))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Object.(*Route).Dst, netip.MustParsePrefix("2001:db8::/32"); got != want {
		t.Errorf("destination %v, want %v", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range captures {
		for _, m := range c.read(f) {
			f.Add(uint16(m.Header.Type), uint16(m.Header.Flags), m.Data)
		}
	}
	f.Fuzz(func(t *testing.T, typ, flags uint16, data []byte) {
		m := netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.HeaderFlags(flags)},
			Data:   data,
		}
		e, err := Decode(m)
		switch {
		case err != nil && !errors.Is(err, ErrMalformed):
			t.Fatalf("error %v does not match ErrMalformed", err)
		case err == nil && e.Object == nil:
			t.Fatal("neither an object nor an error")
		}
		if r, ok := e.Object.(*Route); ok && (!r.Dst.IsValid() || !r.Src.IsValid() || r.Dst != r.Dst.Masked()) {
			t.Fatalf("route from %v to %v", r.Src, r.Dst)
		}
		// What is after the message must not matter, nor what becomes of it.
		m.Data = append(append([]byte(nil), data...), 0xff)[:len(data)]
		again, _ := Decode(m)
		clear(m.Data)
		if !reflect.DeepEqual(e, again) {
			t.Fatalf("decoded %s once and %s then", show(e), show(again))
		}
	})
}

// FuzzSplit looks at what comes before Decode: the messages of a datagram, and
// what acknowledgements say.
func FuzzSplit(f *testing.F) {
	f.Add([]byte{20, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Add([]byte{36, 0, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		err := splitMessages(datagram, func(m netlink.Message) { _ = acknowledgement(m) })
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("error %v does not match ErrMalformed", err)
		}
	})
}
