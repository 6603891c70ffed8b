package control

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// randomPrefix draws from a small space, so that prefixes nest and meet.
func randomPrefix(rnd *rand.Rand) netip.Prefix {
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	for i := 4; i < 16; i++ {
		if rnd.IntN(3) == 0 {
			b[i] = byte(rnd.IntN(4)) << (2 * rnd.IntN(4))
		}
	}
	n := rnd.IntN(129)
	if rnd.IntN(3) == 0 {
		n = []int{0, 32, 48, 64, 127, 128}[rnd.IntN(6)]
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), n).Masked()
}

// Every answer of a prefixMap against a Go map and a loop.
func TestPrefixMapAgainstLoop(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var m prefixMap[int]
		want := map[netip.Prefix]int{}
		for i := range 400 {
			p := randomPrefix(rnd)
			if rnd.IntN(3) == 0 {
				if len(want) > 0 && rnd.IntN(2) == 0 {
					p = slices.SortedFunc(maps.Keys(want), netip.Prefix.Compare)[rnd.IntN(len(want))]
				}
				m.remove(keyOf(p))
				delete(want, p)
			} else {
				m.set(keyOf(p), i)
				want[p] = i
			}
			checkPrefixMap(t, seed, &m, want, randomPrefix(rnd))
			checkPrefixMap(t, seed, &m, want, p)
		}
	}
}

func checkPrefixMap(t *testing.T, seed uint64, m *prefixMap[int], want map[netip.Prefix]int, p netip.Prefix) {
	t.Helper()
	sorted := slices.SortedFunc(maps.Keys(want), netip.Prefix.Compare)
	k := keyOf(p)
	if n := needless(m.root); n > 0 {
		t.Fatalf("seed %d: %d nodes neither hold a value nor part others", seed, n)
	}
	if got, ok := m.get(k); ok != hasKey(want, p) || got != want[p] {
		t.Fatalf("seed %d: get(%v) = %d, %v, want %d", seed, p, got, ok, want[p])
	}
	if m.size != len(want) {
		t.Fatalf("seed %d: size = %d, want %d", seed, m.size, len(want))
	}
	var covering, inside, after []netip.Prefix
	for _, q := range sorted {
		if q.Bits() <= p.Bits() && q.Contains(p.Addr()) {
			covering = append(covering, q)
		}
		if p.Bits() <= q.Bits() && p.Contains(q.Addr()) {
			inside = append(inside, q)
		}
		if q.Compare(p) > 0 {
			after = append(after, q)
		}
	}
	for _, c := range []struct {
		name string
		got  []netip.Prefix
		want []netip.Prefix
	}{
		{"covering", collect(m.covering(k)), covering},
		{"inside", collect(m.inside(k)), inside},
		{"after", collect(m.after(k)), after},
		{"all", collect(m.all()), sorted},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Fatalf("seed %d: %s(%v) = %v, want %v", seed, c.name, p, c.got, c.want)
		}
	}
	found, _, ok := m.longest(k)
	if ok != (len(covering) > 0) || ok && found.prefix() != covering[len(covering)-1] {
		t.Fatalf("seed %d: longest(%v) = %v, %v, want the last of %v", seed, p, found.prefix(), ok, covering)
	}
}

// needless counts nodes that have no reason to be.
func needless[V any](n *prefixNode[V]) int {
	if n == nil {
		return 0
	}
	count := needless(n.child[0]) + needless(n.child[1])
	if !n.has && (n.child[0] == nil || n.child[1] == nil) {
		count++
	}
	return count
}

func hasKey[K comparable, V any](m map[K]V, k K) bool { _, ok := m[k]; return ok }

func collect(seq func(func(prefixKey, int) bool)) []netip.Prefix {
	var all []netip.Prefix
	for k := range seq {
		all = append(all, k.prefix())
	}
	return all
}
