package oracle

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// The oracle is checked by hand-made cases only: it has no oracle of its own.
func TestTable(t *testing.T) {
	var tab Table[string]
	for _, s := range []string{"::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::1/128"} {
		tab.Add(netip.MustParsePrefix(s), s)
	}
	tab.Add(netip.MustParsePrefix("2001:db8::9/32"), "replaced")

	for _, tt := range []struct{ addr, want string }{
		{"2001:db8:1::1", "2001:db8:1::1/128"},
		{"2001:db8:1::2", "2001:db8:1::/48"},
		{"2001:db8:2::", "replaced"},
		{"2001:db9::", "::/0"},
	} {
		if r, ok := tab.Lookup(netip.MustParseAddr(tt.addr)); !ok || r.Value != tt.want {
			t.Errorf("Lookup(%s) = %v, %v, want %s", tt.addr, r, ok, tt.want)
		}
	}
	if !tab.Remove(netip.MustParsePrefix("::/0")) || tab.Remove(netip.MustParsePrefix("::/0")) {
		t.Error("Remove(::/0) twice: want true, then false")
	}
	if r, ok := tab.Lookup(netip.MustParseAddr("::1")); ok {
		t.Errorf("Lookup(::1) = %v, want none", r)
	}
	var inside []string
	for _, r := range tab.Covered(netip.MustParsePrefix("2001:db8:1::/48")) {
		inside = append(inside, r.Value)
	}
	if want := []string{"2001:db8:1::/48", "2001:db8:1::1/128"}; !slices.Equal(inside, want) {
		t.Errorf("Covered = %v, want %v", inside, want)
	}
	if tab.Len() != 3 {
		t.Errorf("Len = %d, want 3", tab.Len())
	}
}

func TestEdges(t *testing.T) {
	for _, tt := range []struct {
		prefix string
		want   []string
	}{
		{"::/0", []string{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}},
		{"2001:db8::/33", []string{"2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:8000::"}},
		{"::5/128", []string{"::5", "::5", "::4", "::6"}},
	} {
		var got []string
		for _, a := range Edges(netip.MustParsePrefix(tt.prefix)) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("Edges(%s) = %v, want %v", tt.prefix, got, tt.want)
		}
	}
}

// The random tables are worth their name only if they nest and have all lengths.
func TestRandomPrefixes(t *testing.T) {
	lengths, nested, total := make(map[int]bool), 0, 0
	for seed := range uint64(20) {
		ps := RandomPrefixes(rand.New(rand.NewPCG(seed, 0)), 200)
		for _, p := range ps {
			lengths[p.Bits()] = true
			total++
			if slices.ContainsFunc(ps, func(q netip.Prefix) bool { return q.Bits() < p.Bits() && q.Bits() > 0 && q.Overlaps(p) }) {
				nested++
			}
		}
	}
	if len(lengths) != 129 {
		t.Errorf("%d lengths of 129", len(lengths))
	}
	if nested < total/2 {
		t.Errorf("%d of %d prefixes are inside another, want half", nested, total)
	}
}
