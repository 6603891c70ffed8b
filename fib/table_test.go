package fib_test

import (
	"errors"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/fib/internal/oracle"
)

type route = oracle.Route[fib.GroupID]

func collect(seq iter.Seq2[netip.Prefix, fib.GroupID]) (all []route) {
	for p, g := range seq {
		all = append(all, route{Prefix: p, Value: g})
	}
	return all
}

// check compares all that tab can be asked with the oracle's answers, at the
// edges of every prefix of ps, present or not.
func check(t *testing.T, tab *fib.Table, want *oracle.Table[fib.GroupID], ps []netip.Prefix) {
	t.Helper()
	if err := tab.Check(); err != nil {
		t.Fatal(err)
	}
	if tab.Len() != want.Len() {
		t.Fatalf("Len = %d, want %d", tab.Len(), want.Len())
	}
	if got := collect(tab.All()); !slices.Equal(got, want.All()) {
		t.Fatalf("All = %v, want %v", got, want.All())
	}
	var addrs []fib.Addr
	var groups []fib.GroupID
	for _, p := range ps {
		for _, a := range oracle.Edges(p) {
			w, ok := want.Lookup(a)
			if g := tab.Lookup(fib.AddrFrom(a)); g != w.Value {
				t.Fatalf("Lookup(%v) = %d, want %d of %v", a, g, w.Value, w.Prefix)
			}
			if p, g, found := tab.LookupPrefix(fib.AddrFrom(a)); p != w.Prefix || g != w.Value || found != ok {
				t.Fatalf("LookupPrefix(%v) = %v, %d, %v, want %v, %d, %v", a, p, g, found, w.Prefix, w.Value, ok)
			}
			addrs, groups = append(addrs, fib.AddrFrom(a)), append(groups, w.Value)
		}
		w, ok := want.Get(p)
		if g, found := tab.Get(p); g != w || found != ok {
			t.Fatalf("Get(%v) = %d, %v, want %d, %v", p, g, found, w, ok)
		}
	}
	got := make([]fib.GroupID, len(addrs))
	for range fib.EachVariant(t) {
		clear(got)
		tab.LookupBatch(addrs, got)
		for i, a := range addrs {
			if g := tab.Lookup(a); g != groups[i] {
				t.Fatalf("%s: Lookup(%v) = %d, want %d", fib.Variant(), a.Netip(), g, groups[i])
			}
			if got[i] != groups[i] {
				t.Fatalf("%s: LookupBatch(%v) = %d, want %d", fib.Variant(), a.Netip(), got[i], groups[i])
			}
		}
	}
}

// checkCovered is apart from check because the oracle sorts for every prefix.
func checkCovered(t *testing.T, tab *fib.Table, want *oracle.Table[fib.GroupID], ps []netip.Prefix) {
	t.Helper()
	for _, p := range ps {
		if got := collect(tab.Covered(p)); !slices.Equal(got, want.Covered(p)) {
			t.Fatalf("Covered(%v) = %v, want %v", p, got, want.Covered(p))
		}
	}
}

// TestRandomTables builds nested tables, replaces, and takes them apart again.
func TestRandomTables(t *testing.T) {
	seeds := 200
	if testing.Short() {
		seeds = 20
	}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 6))
		ps := oracle.RandomPrefixes(rng, 2+rng.IntN(150))
		present := ps[:len(ps)*3/4] // the others are asked for, never added
		tab, want := fib.New(), new(oracle.Table[fib.GroupID])
		add := func(p netip.Prefix) {
			g := fib.GroupID(rng.IntN(fib.MaxGroups)) // 0 is NoRoute: as good as any
			if err := tab.Add(p, g); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			want.Add(p, g)
		}
		for _, p := range present {
			add(p)
		}
		t.Logf("seed %d", seed) // shown if a check fails
		check(t, tab, want, ps)
		checkCovered(t, tab, want, ps)
		for i, p := range present {
			switch rng.IntN(3) {
			case 0:
				add(p)
			case 1:
				if got, w := tab.Remove(p), want.Remove(p); got != w {
					t.Fatalf("seed %d: Remove(%v) = %v, want %v", seed, p, got, w)
				}
			}
			if i%40 == 0 {
				check(t, tab, want, ps)
			}
		}
		check(t, tab, want, ps)
		checkCovered(t, tab, want, ps)
		for _, p := range ps {
			if got, w := tab.Remove(p), want.Remove(p); got != w {
				t.Fatalf("seed %d: Remove(%v) = %v, want %v", seed, p, got, w)
			}
		}
		check(t, tab, want, ps)
	}
}

// TestEveryLength nests all 129 lengths around one address, then removes them
// from both ends of every length.
func TestEveryLength(t *testing.T) {
	for _, s := range []string{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:5555:aaaa:1234:5678:9abc:def0"} {
		var ps []netip.Prefix
		tab, want := fib.New(), new(oracle.Table[fib.GroupID])
		for bits := 0; bits <= 128; bits++ {
			p := netip.PrefixFrom(netip.MustParseAddr(s), bits).Masked()
			ps = append(ps, p)
			if err := tab.Add(p, fib.GroupID(bits+1)); err != nil {
				t.Fatal(err)
			}
			want.Add(p, fib.GroupID(bits+1))
		}
		check(t, tab, want, ps)
		checkCovered(t, tab, want, ps)
		for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(ps)) {
			if !tab.Remove(ps[i]) || !want.Remove(ps[i]) {
				t.Fatalf("Remove(%v) = false, want true", ps[i])
			}
			check(t, tab, want, ps)
		}
	}
}

func TestAddErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		prefix netip.Prefix
		want   error
	}{
		{"zero prefix", netip.Prefix{}, fib.ErrInvalidPrefix},
		{"length 129", netip.PrefixFrom(netip.IPv6Unspecified(), 129), fib.ErrInvalidPrefix},
		{"IPv4", netip.MustParsePrefix("192.0.2.0/24"), fib.ErrNotIPv6},
		{"IPv4 default", netip.MustParsePrefix("0.0.0.0/0"), fib.ErrNotIPv6},
		{"mapped is IPv6", netip.MustParsePrefix("::ffff:192.0.2.0/120"), nil},
		{"all mapped is IPv6", netip.MustParsePrefix("::ffff:0:0/96"), nil},
		{"just short of mapped", netip.MustParsePrefix("::ffff:0:0/95"), nil},
		{"covers mapped, host bits mapped", netip.MustParsePrefix("::ffff:1.2.3.4/64"), nil},
	} {
		tab := fib.New()
		if err := tab.Add(tt.prefix, 1); !errors.Is(err, tt.want) {
			t.Errorf("%s: Add = %v, want %v", tt.name, err, tt.want)
		}
		present := tt.want == nil
		if _, ok := tab.Get(tt.prefix); ok != present {
			t.Errorf("%s: Get = %v, want %v", tt.name, ok, present)
		}
		if n := len(collect(tab.Covered(tt.prefix))); n != tab.Len() || (n == 1) != present {
			t.Errorf("%s: Covered has %d of Len %d, want present = %v", tt.name, n, tab.Len(), present)
		}
		if ok := tab.Remove(tt.prefix); ok != present {
			t.Errorf("%s: Remove = %v, want %v", tt.name, ok, present)
		}
	}
	if err := fib.New().Add(netip.MustParsePrefix("::/0"), fib.MaxGroups); err == nil {
		t.Error("Add of group MaxGroups: want an error")
	}
}

func TestMasked(t *testing.T) {
	tab := fib.New()
	unmasked := netip.MustParsePrefix("2001:db8::1/32")
	if err := tab.Add(unmasked, 7); err != nil {
		t.Fatal(err)
	}
	if g, ok := tab.Get(netip.MustParsePrefix("2001:db8::2/32")); g != 7 || !ok {
		t.Errorf("Get = %d, %v, want 7, true", g, ok)
	}
	if got := collect(tab.All()); len(got) != 1 || got[0].Prefix != unmasked.Masked() {
		t.Errorf("All = %v, want the masked prefix", got)
	}
	if !tab.Remove(netip.MustParsePrefix("2001:db8::3/32")) || tab.Len() != 0 {
		t.Errorf("Remove = false or Len = %d, want true and 0", tab.Len())
	}
}

// A loop over the table may stop early, and may change the table.
func TestIterators(t *testing.T) {
	tab, n := fib.New(), 300
	for i, p := range oracle.RandomPrefixes(rand.New(rand.NewPCG(2, 2)), n) {
		if err := tab.Add(p, fib.GroupID(i)); err != nil {
			t.Fatal(err)
		}
	}
	all := collect(tab.All())
	for stop := range n {
		var got []route
		for p, g := range tab.All() {
			if got = append(got, route{Prefix: p, Value: g}); len(got) == stop+1 {
				break
			}
		}
		if !slices.Equal(got, all[:stop+1]) {
			t.Fatalf("stopped after %d: %v, want %v", stop+1, got, all[:stop+1])
		}
	}
	removed := 0
	for p := range tab.All() {
		if tab.Remove(p) {
			removed++
		}
	}
	if removed != n || tab.Len() != 0 {
		t.Errorf("removed %d while looping, %d remain, want %d and 0", removed, tab.Len(), n)
	}
}

func TestLookupBatchShortOut(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("LookupBatch with out shorter than addrs: want a panic")
		}
	}()
	fib.New().LookupBatch(make([]fib.Addr, 2), make([]fib.GroupID, 1))
}
