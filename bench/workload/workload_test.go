package workload_test

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/fwd6/fwd6/bench/workload"
)

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
	hosts, err := workload.Hosts(1000, 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, got, want string }{
		{"table", hash(table), "f93fed754039ad2a"},
		{loads[0].Name, hash(loads[0].Addrs), "daa2d5e39294da33"},
		{loads[1].Name, hash(loads[1].Addrs), "178519617ed39aca"},
		{loads[2].Name, hash(loads[2].Addrs), "5b890379bf3db363"},
		{loads[3].Name, hash(loads[3].Addrs), "118843810463e801"},
		{loads[4].Name, hash(loads[4].Addrs), "b8bc216cf79e4f0a"},
		{"hosts", hash(hosts), "82c52d849b6d6fe5"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: hash %s, want %s", tt.name, tt.got, tt.want)
		}
	}
	if hash(workload.Table(20_000, 8)) == hash(table) {
		t.Error("another seed gives the same table")
	}
}

// covered looks for a prefix the slow way.
func covered(table []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(table, func(p netip.Prefix) bool { return p.Contains(a) })
}

func TestLoadsHitAndMiss(t *testing.T) {
	table := workload.Table(3000, 3)
	want := map[string]bool{"uniform": true, "zipf": true, "hot": true, "missed": false, "near missed": false}
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

// A hot load repeats few addresses, all about as often.
func TestHotRepeats(t *testing.T) {
	count := make(map[netip.Addr]int)
	for _, a := range workload.Hot(workload.Table(3000, 1), 20_000, 100, 1) {
		count[a]++
	}
	if len(count) != 100 {
		t.Errorf("%d addresses differ, want 100", len(count))
	}
	for a, n := range count {
		if n < 130 || n > 280 {
			t.Errorf("%v comes %d times of 20000, want about 200", a, n)
		}
	}
}

// Nothing misses a default route, and a kind without addresses is no load.
func TestLoadsLeaveOut(t *testing.T) {
	var names []string
	for _, load := range workload.Loads(workload.Empty(), 100, 1) {
		names = append(names, load.Name)
	}
	if want := []string{"uniform", "zipf", "hot"}; !slices.Equal(names, want) {
		t.Errorf("loads of the empty table: %v, want %v", names, want)
	}
}
