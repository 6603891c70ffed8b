package rtnl

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

const sizeofFibRuleHdr = 12 // struct fib_rule_hdr

// FRA_SUPPRESS_… are always told; this is their "none".
const suppressNone = ^uint32(0)

// ruleText gathers what makes a rule more than "look everything up in table N".
type ruleText struct {
	words  []string
	limits bool // it does not match every packet, or does more than a lookup
}

// say adds words that make the rule special.
func (t *ruleText) say(format string, args ...any) {
	t.words = append(t.words, fmt.Sprintf(format, args...))
	t.limits = true
}

// decodeRule reads struct fib_rule_hdr and FRA_… attributes. Any attribute that
// is not known to be harmless makes the rule special.
func decodeRule(data []byte) (Object, error) {
	if err := header(data, sizeofFibRuleHdr); err != nil {
		return nil, err
	}
	if data[0] != unix.AF_INET6 {
		return nil, nil
	}
	dstBits, srcBits, tos := int(data[1]), int(data[2]), data[3]
	flags := binary.NativeEndian.Uint32(data[8:])
	r := &Rule{Table: uint32(data[4]), Action: data[7]}
	t := &ruleText{}
	if flags&unix.FIB_RULE_INVERT != 0 {
		t.say("not")
	}
	if flags&unix.FIB_RULE_FIND_SADDR != 0 {
		t.say("find_saddr")
	}
	if tos != 0 {
		t.say("tos %#x", tos)
	}
	a := attrs{rest: data[sizeofFibRuleHdr:]}
	for a.next() {
		switch a.typ {
		case unix.FRA_PRIORITY:
			r.Priority = a.u32()
		case unix.FRA_TABLE: // the header has room for 255 of them only
			r.Table = a.u32()
		case unix.FRA_SRC:
			t.prefix("from", &a, srcBits)
		case unix.FRA_DST:
			t.prefix("to", &a, dstBits)
		case unix.FRA_PROTOCOL, unix.FRA_PAD: // who added it; filler
		default:
			t.attribute(&a)
		}
	}
	switch {
	case a.err != nil:
		return nil, a.err
	case dstBits > 128 || srcBits > 128:
		return nil, malformed("source of %d bits, destination of %d", srcBits, dstBits)
	}
	r.Plain = !t.limits && r.Action == unix.FR_ACT_TO_TBL
	r.Text = t.text(r)
	return r, nil
}

func (t *ruleText) prefix(word string, a *attrs, bits int) {
	t.say("%s %v", word, netip.PrefixFrom(a.addr(), bits))
}

// attribute names a selector, in the words of ip-rule(8).
func (t *ruleText) attribute(a *attrs) {
	switch a.typ {
	case unix.FRA_IIFNAME:
		t.say("iif %s", a.str())
	case unix.FRA_OIFNAME:
		t.say("oif %s", a.str())
	case unix.FRA_FWMARK:
		t.say("fwmark %#x", a.u32())
	case unix.FRA_FWMASK:
		t.say("mask %#x", a.u32())
	case unix.FRA_UID_RANGE:
		if a.want(8) {
			t.say("uidrange %d-%d", binary.NativeEndian.Uint32(a.val), binary.NativeEndian.Uint32(a.val[4:]))
		}
	case unix.FRA_IP_PROTO:
		t.say("ipproto %d", a.u8())
	case unix.FRA_SPORT_RANGE:
		t.ports("sport", a)
	case unix.FRA_DPORT_RANGE:
		t.ports("dport", a)
	case fraSportMask:
		t.portMask("sport", a)
	case fraDportMask:
		t.portMask("dport", a)
	case fraDSCP:
		t.say("dscp %d", a.u8())
	case fraDSCPMask:
		t.say("dscp mask %#x", a.u8())
	case fraFlowLabel:
		t.say("flowlabel %#x", bigEndian(a))
	case fraFlowLabelMask:
		t.say("flowlabel mask %#x", bigEndian(a))
	case unix.FRA_TUN_ID:
		if a.want(8) {
			t.say("tun_id %d", binary.BigEndian.Uint64(a.val))
		}
	case unix.FRA_L3MDEV:
		if a.u8() != 0 {
			t.say("l3mdev")
		}
	case unix.FRA_SUPPRESS_PREFIXLEN:
		if n := a.u32(); n != suppressNone {
			t.say("suppress_prefixlength %d", n)
		}
	case unix.FRA_SUPPRESS_IFGROUP:
		if n := a.u32(); n != suppressNone {
			t.say("suppress_ifgroup %d", n)
		}
	case unix.FRA_FLOW:
		t.say("realms %#x", a.u32())
	case unix.FRA_GOTO:
		t.say("goto %d", a.u32())
	default:
		t.say("attribute %d", a.typ)
	}
}

// ports reads struct fib_rule_port_range, of host byte order.
func (t *ruleText) ports(word string, a *attrs) {
	if a.want(4) {
		t.say("%s %d-%d", word, binary.NativeEndian.Uint16(a.val), binary.NativeEndian.Uint16(a.val[2:]))
	}
}

// portMask is told beside every port; the usual one selects by all bits.
func (t *ruleText) portMask(word string, a *attrs) {
	if mask := a.u16(); mask != 0xffff {
		t.say("%s mask %#x", word, mask)
	}
}

func bigEndian(a *attrs) uint32 {
	if !a.want(4) {
		return 0
	}
	return binary.BigEndian.Uint32(a.val)
}

// text ends with what the rule does, for instance "from all iif eth0 lookup 7".
func (t *ruleText) text(r *Rule) string {
	words := t.words
	if !t.limits {
		words = []string{"from all"}
	}
	action := fmt.Sprintf("action %d", r.Action)
	switch r.Action {
	case unix.FR_ACT_TO_TBL:
		action = fmt.Sprintf("lookup %d", r.Table)
	case unix.FR_ACT_GOTO: // the selector has named its target
		return strings.Join(words, " ")
	case unix.FR_ACT_NOP:
		action = "nop"
	case unix.FR_ACT_BLACKHOLE:
		action = "blackhole"
	case unix.FR_ACT_UNREACHABLE:
		action = "unreachable"
	case unix.FR_ACT_PROHIBIT:
		action = "prohibit"
	}
	return strings.Join(append(words, action), " ")
}
