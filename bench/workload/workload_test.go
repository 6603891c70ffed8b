package workload_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"

	"github.com/fwd6/fwd6/bench/workload"
)

// full is as many prefixes as the table has from which the model was learnt.
const full = 160_147

func TestTableIsDistinctAndSorted(t *testing.T) {
	for _, n := range []int{0, 1, 10, 1000, 200_000} {
		table := workload.Table(n, 1)
		if len(table) != n {
			t.Errorf("Table(%d) has %d prefixes", n, len(table))
		}
		global := netip.MustParsePrefix("2000::/3")
		for i, p := range table {
			if p != p.Masked() || !global.Contains(p.Addr()) || p.Bits() < 16 {
				t.Fatalf("Table(%d) has %v", n, p)
			}
			if i > 0 && table[i-1].Compare(p) >= 0 {
				t.Fatalf("Table(%d) has %v, then %v", n, table[i-1], p)
			}
		}
	}
}

func hash[T fmt.Stringer](list []T) string {
	h := sha256.New()
	for _, x := range list {
		fmt.Fprintln(h, x)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// TestSameEverywhere pins tables and streams: figures of different machines
// and days are about the same work. A change of the model changes them all.
func TestSameEverywhere(t *testing.T) {
	table := workload.Table(20_000, 7)
	loads := workload.Loads(table, 1000, 7)
	for _, tt := range []struct{ name, got, want string }{
		{"table", hash(table), "f93fed754039ad2a"},
		{loads[0].Name, hash(loads[0].Addrs), "daa2d5e39294da33"},
		{loads[1].Name, hash(loads[1].Addrs), "178519617ed39aca"},
		{loads[2].Name, hash(loads[2].Addrs), "118843810463e801"},
		{loads[3].Name, hash(loads[3].Addrs), "12fce844c5f70c42"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: hash %s, want %s", tt.name, tt.got, tt.want)
		}
	}
	if hash(workload.Table(20_000, 8)) == hash(table) {
		t.Error("another seed gives the same table")
	}
}

// What a real full table looks like, in thousandths. The comment of the package
// shows the same.
var (
	realLengths = map[int]float64{
		29: 27.3, 30: 4.1, 32: 140.8, 33: 18.3, 34: 16.3, 35: 6.5, 36: 37.4, 38: 10.1, 40: 83.8,
		42: 14.4, 44: 89.7, 45: 9.7, 46: 19.0, 47: 19.7, 48: 471.4,
	}
	realDepths    = []float64{431.2, 377.2, 151.1, 34.4, 5.1, 0.9}
	realPopulated = map[int]int{20: 617, 24: 7246, 28: 18_851, 32: 29_369, 36: 49_728 - 29_734, 40: 31_568, 44: 39_661, 48: 75_568}
)

func TestTableResemblesTheInternet(t *testing.T) {
	for seed := range uint64(2) {
		table := workload.Table(full, seed)
		lengths, depths := make([]int, 129), make([]int, 16)
		populated := make(map[int]map[netip.Prefix]bool)
		for k := range realPopulated {
			populated[k] = make(map[netip.Prefix]bool)
		}
		var within []netip.Prefix // the prefixes around the present one
		for _, p := range table {
			for len(within) > 0 && !within[len(within)-1].Contains(p.Addr()) {
				within = within[:len(within)-1]
			}
			lengths[p.Bits()]++
			depths[len(within)]++
			within = append(within, p)
			for k := range populated {
				if p.Bits() >= k {
					populated[k][netip.PrefixFrom(p.Addr(), k).Masked()] = true
				}
			}
		}
		check := func(what string, got, want, tolerance float64) {
			if math.Abs(got-want) > tolerance {
				t.Errorf("seed %d: %s = %.1f, want %.1f within %.1f", seed, what, got, want, tolerance)
			}
		}
		for length, want := range realLengths {
			check(fmt.Sprintf("thousandths of /%d", length), 1000*float64(lengths[length])/full, want, 3+want/8)
		}
		for depth, want := range realDepths {
			check(fmt.Sprintf("thousandths within %d others", depth), 1000*float64(depths[depth])/full, want, 6+want/4)
		}
		for k, want := range realPopulated {
			check(fmt.Sprintf("populated /%d", k), float64(len(populated[k])), float64(want), float64(want)/6)
		}
	}
}

// covered looks for a prefix the slow way.
func covered(table []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(table, func(p netip.Prefix) bool { return p.Contains(a) })
}

func TestLoadsHitAndMiss(t *testing.T) {
	table := workload.Table(3000, 3)
	want := map[string]bool{"uniform": true, "zipf": true, "missed": false, "near missed": false}
	for _, load := range workload.Loads(table, 2000, 3) {
		if len(load.Addrs) != 2000 {
			t.Errorf("%s has %d addresses, want 2000", load.Name, len(load.Addrs))
		}
		for _, a := range load.Addrs {
			if got := covered(table, a); got != want[load.Name] {
				t.Fatalf("%s: %v covered = %v, want %v", load.Name, a, got, want[load.Name])
			}
		}
	}
	for _, a := range workload.NearMisses(table, 500, 3) {
		if !covered(table, a.Prev()) {
			t.Fatalf("near miss %v is not next to a prefix", a)
		}
	}
}

func TestZipfIsSkewed(t *testing.T) {
	table := []netip.Prefix{}
	for i := range 1000 {
		table = append(table, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, byte(i >> 8), byte(i)}), 24))
	}
	top := func(addrs []netip.Addr) int {
		count := make(map[netip.Prefix]int)
		for _, a := range addrs {
			count[netip.PrefixFrom(a, 24).Masked()]++
		}
		most := 0
		for _, n := range count {
			most = max(most, n)
		}
		return most
	}
	if got := top(workload.Zipf(table, 10_000, 1.1, 1)); got < 1000 || got > 3500 {
		t.Errorf("the most popular of 1000 prefixes has %d of 10000 addresses, want about a sixth", got)
	}
	if got := top(workload.Hits(table, 10_000, 1)); got > 40 {
		t.Errorf("uniform: one of 1000 prefixes has %d of 10000 addresses, want about 10", got)
	}
}
