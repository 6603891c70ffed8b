package control

import (
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
)

// What the XDP program passes by its address alone, no worker sees, whatever
// route there is: the list of routes and the answer for an address agree.
func TestPassedByAddress(t *testing.T) {
	w := newWorld(t)
	w.tell(to("::/0", 1, "fe80::1"), to("fe00::/8", 1, "fe80::1"), to("fe80::/64", 1, ""), neighbor(1, "fe80::7", nudReachable),
		to("ff00::/8", 1, "", kind(5)), to("::1/128", 1, "", localHost), to("2001:db8::/32", 1, "fe80::1"),
		to("2001:db9::/32", 1, "fe80::2"))
	tests := []struct {
		addr, prefix string
		want         string // the counter for addr
		ofPrefix     string // and for the whole prefix
	}{
		{"fe80::1", "fe80::/64", "pass_link_local", "pass_link_local"},
		{"fe80::7", "fe80::/64", "pass_link_local", "pass_link_local"},
		{"febf::1", "fe00::/8", "pass_link_local", "forwarded"},
		{"fec0::1", "fe00::/8", "forwarded", "forwarded"},
		{"ff02::1", "ff00::/8", "pass_multicast", "pass_multicast"},
		{"::1", "::1/128", "pass_reserved", "pass_reserved"},
		{"::2", "::/0", "pass_reserved", "forwarded"},
		{"::ffff:192.0.2.1", "::/0", "pass_reserved", "forwarded"},
		{"2001:db8::1", "2001:db8::/32", "forwarded", "forwarded"},
		{"2001:db9::1", "2001:db9::/32", "punt_neighbor", "punt_neighbor"},
	}
	listed := map[netip.Prefix]RouteInfo{}
	all, _ := w.r.routesAfter(prefixKey{}, true)
	for _, r := range all {
		listed[r.Dst] = r
	}
	for _, tt := range tests {
		got, prefix := w.r.routeTo(netip.MustParseAddr(tt.addr)), netip.MustParsePrefix(tt.prefix)
		if c := got.Counter(got.Effective()); got.Dst != prefix || c != tt.want {
			t.Errorf("%s takes %v and counts as %s, want %v and %s", tt.addr, got.Dst, c, prefix, tt.want)
		}
		r, ok := listed[prefix]
		if c := r.Counter(r.Effective()); !ok || c != tt.ofPrefix {
			t.Errorf("%v counts as %s (listed: %v), want %s", prefix, c, ok, tt.ofPrefix)
		}
		if (r.Pass == xdp.Steered) != (r.Why == "") {
			t.Errorf("%v counts as %v because %q", prefix, r.Pass, r.Why)
		}
	}
	w.untell(to("::/0", 1, "fe80::1"), &rtnl.Neighbor{Ifindex: 1, Addr: netip.MustParseAddr("fe80::7")})
	if got := w.r.routeTo(netip.MustParseAddr("::2")); got.Dst.IsValid() || got.Reason != dataplane.PuntNoRoute || got.Pass != xdp.PassReserved {
		t.Errorf("routeTo(::2) without a route = %+v", got)
	}
}
