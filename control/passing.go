package control

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// policyFault says why packets cannot be forwarded by the tables local and main
// alone, so that all of them are left to the kernel. It is empty if they can.
func (m *Mirror) policyFault() string {
	if m.unreadable != "" {
		return "the kernel told what this version cannot read: " + m.unreadable
	}
	if !m.forwarding {
		return "the kernel does not forward: net.ipv6.conf.all.forwarding is 0"
	}
	rules := slices.SortedFunc(maps.Keys(m.rules), func(a, b rtnl.Rule) int {
		return int(int64(a.Priority) - int64(b.Priority))
	})
	var tables []uint32
	for _, r := range rules {
		if !r.Plain || r.Action != frActToTable || r.Table != tableLocal && r.Table != tableMain {
			return fmt.Sprintf("a rule that only the kernel follows: %d: %s", r.Priority, r.Text)
		}
		if !slices.Contains(tables, r.Table) {
			tables = append(tables, r.Table)
		}
	}
	if !slices.Equal(tables, []uint32{tableLocal, tableMain}) {
		return "the rules do not ask the table local first and then the table main"
	}
	return ""
}

// linkFault says why the kernel would not take packets from l, or send packets
// to it, as a plain Ethernet link. It is empty if it would.
func linkFault(l *rtnl.Link) string {
	switch {
	case l == nil:
		return "no such device"
	case !l.Up:
		return "the device is down"
	case !l.Carrier:
		return "no carrier"
	case l.Master != 0:
		return "the device belongs to a bridge, bond or VRF"
	case !l.HasIPv6 || l.MTU < minMTU:
		return "the device has no IPv6"
	case l.Disable6:
		return "net.ipv6.conf." + l.Name + ".disable_ipv6 is 1"
	case !l.HasMAC:
		return "the device has no Ethernet address"
	}
	return ""
}
