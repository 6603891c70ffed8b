package control

import (
	"strings"
	"testing"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

func rule(priority, table uint32, change ...func(*rtnl.Rule)) *rtnl.Rule {
	r := &rtnl.Rule{Priority: priority, Table: table, Action: frActToTable, Plain: true, Text: "from all lookup"}
	for _, c := range change {
		c(r)
	}
	return r
}

func TestPolicyFault(t *testing.T) {
	forwarding := &rtnl.Netconf{Ifindex: netconfAll, Forwarding: true, HasForwarding: true}
	special := func(r *rtnl.Rule) { r.Plain, r.Text = false, "from 2001:db8::/32 lookup 100" }
	tests := []struct {
		name string
		told []rtnl.Object
		gone []rtnl.Object
		want string // part of it; empty: no fault
	}{
		{"default", []rtnl.Object{forwarding, rule(0, 255), rule(32766, 254)}, nil, ""},
		{"other priorities", []rtnl.Object{forwarding, rule(5, 255), rule(7, 254)}, nil, ""},
		{"twice", []rtnl.Object{forwarding, rule(0, 255), rule(1, 254), rule(2, 255), rule(32766, 254)}, nil, ""},
		{"not forwarding", []rtnl.Object{rule(0, 255), rule(32766, 254)}, nil, "forwarding is 0"},
		{"forwarding of one link", []rtnl.Object{
			&rtnl.Netconf{Ifindex: 1, Forwarding: true, HasForwarding: true}, rule(0, 255), rule(32766, 254),
		}, nil, "forwarding is 0"},
		{"forwarding, then another setting", []rtnl.Object{
			forwarding, &rtnl.Netconf{Ifindex: netconfAll, HasIgnoreLinkdown: true}, rule(0, 255), rule(32766, 254),
		}, nil, ""},
		{"selecting rule", []rtnl.Object{forwarding, rule(0, 255), rule(100, 100, special), rule(32766, 254)}, nil, "100: from 2001:db8::/32"},
		{"selecting rule gone", []rtnl.Object{forwarding, rule(0, 255), rule(100, 100, special), rule(32766, 254)}, []rtnl.Object{rule(100, 100, special)}, ""},
		{"rule that does not look up", []rtnl.Object{forwarding, rule(0, 255), rule(9, 0, func(r *rtnl.Rule) { r.Action = 6 }), rule(32766, 254)}, nil, "9: "},
		{"another table", []rtnl.Object{forwarding, rule(0, 255), rule(9, 100), rule(32766, 254)}, nil, "9: "},
		{"main first", []rtnl.Object{forwarding, rule(0, 254), rule(32766, 255)}, nil, "local first"},
		{"local missing", []rtnl.Object{forwarding, rule(32766, 254)}, nil, "local first"},
		{"no rules", []rtnl.Object{forwarding}, nil, "local first"},
	}
	for _, tt := range tests {
		m := NewMirror()
		var ch Change
		for _, o := range tt.told {
			m.Apply(rtnl.Event{Object: o}, modelClock, &ch)
			m.Apply(rtnl.Event{Object: o}, modelClock, &ch)
		}
		for _, o := range tt.gone {
			m.Apply(rtnl.Event{Deleted: true, Object: o}, modelClock, &ch)
		}
		got := m.policyFault()
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: policyFault = %q, want %q in it", tt.name, got, tt.want)
		}
	}
	m := NewMirror()
	m.unreadable = "attribute 9"
	if got := m.policyFault(); !strings.Contains(got, "attribute 9") {
		t.Errorf("unreadable: policyFault = %q", got)
	}
}

func TestLinkFault(t *testing.T) {
	tests := []struct {
		name string
		link *rtnl.Link
		want string
	}{
		{"good", link(1), ""},
		{"none", nil, "no such device"},
		{"down", link(1, func(l *rtnl.Link) { l.Up = false }), "down"},
		{"no carrier", link(1, func(l *rtnl.Link) { l.Carrier = false }), "no carrier"},
		{"enslaved", link(1, func(l *rtnl.Link) { l.Master = 3 }), "belongs to"},
		{"no IPv6", link(1, func(l *rtnl.Link) { l.HasIPv6 = false }), "no IPv6"},
		{"MTU too small for IPv6", link(1, func(l *rtnl.Link) { l.MTU = 1279 }), "no IPv6"},
		{"IPv6 off", link(1, func(l *rtnl.Link) { l.Disable6 = true }), "disable_ipv6"},
		{"no MAC", link(1, func(l *rtnl.Link) { l.HasMAC = false }), "Ethernet address"},
	}
	for _, tt := range tests {
		got := linkFault(tt.link)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: linkFault = %q, want %q in it", tt.name, got, tt.want)
		}
	}
}
