package workload_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/fwd6/fwd6/bench/workload"
)

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		n       int
		density float64
		want    string // the last prefix
	}{
		{1, 1, "2000::/48"},
		{2, 1, "2000:0:1::/48"},
		{65_537, 1, "2000:1::/48"},
		{4, 0.1, "2000:0:1e::/48"},
		{1_000_000, 0.01, "2000:5f5:e09c::/48"},
		{3, 0.75, "2000:0:3::/48"},
	} {
		table, err := workload.Spread(tt.n, tt.density)
		if err != nil {
			t.Fatal(err)
		}
		if got := table[len(table)-1].String(); len(table) != tt.n || got != tt.want {
			t.Errorf("Spread(%d, %v) has %d prefixes, the last %s, want %s", tt.n, tt.density, len(table), got, tt.want)
		}
		for i, p := range table[1:] {
			if table[i].Compare(p) >= 0 {
				t.Fatalf("Spread(%d, %v) has %v, then %v", tt.n, tt.density, table[i], p)
			}
		}
	}
}

func TestHosts(t *testing.T) {
	within := netip.MustParsePrefix("2001:db8::/108")
	for _, n := range []int{0, 1, 1000, 1 << 20} {
		table, err := workload.Hosts(n, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(table) != n {
			t.Errorf("Hosts(%d) has %d prefixes", n, len(table))
		}
		for i, p := range table {
			if p.Bits() != 128 || !within.Contains(p.Addr()) || i > 0 && table[i-1].Compare(p) >= 0 {
				t.Fatalf("Hosts(%d) has %v at %d", n, p, i)
			}
		}
	}
	a, _ := workload.Hosts(1000, 1)
	b, _ := workload.Hosts(1000, 2)
	if slices.Equal(a, b) {
		t.Error("another seed gives the same hosts")
	}
}

func TestShapesRefuse(t *testing.T) {
	for _, tt := range []struct {
		make func() ([]netip.Prefix, error)
		want string
	}{
		{func() ([]netip.Prefix, error) { return workload.Hosts(1<<20+1, 1) }, "room for 1048576"},
		{func() ([]netip.Prefix, error) { return workload.Spread(1, 0) }, "density 0"},
		{func() ([]netip.Prefix, error) { return workload.Spread(1, 1.5) }, "density 1.5"},
		{func() ([]netip.Prefix, error) { return workload.Spread(1000, 1e-8) }, "room for 43"},
	} {
		if table, err := tt.make(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d prefixes, %v, want an error with %q", len(table), err, tt.want)
		}
	}
}

// Every table has its loads, however it is covered.
func TestLoadsOfShapes(t *testing.T) {
	spread := func(density float64) []netip.Prefix {
		table, err := workload.Spread(3000, density)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	hosts, err := workload.Hosts(3000, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, table := range map[string][]netip.Prefix{"dense": spread(1), "sparse": spread(0.01), "hosts": hosts} {
		loads := workload.Loads(table, 100, 1)
		if len(loads) != 5 {
			t.Errorf("%s has %d loads, want 5", name, len(loads))
		}
		for _, load := range loads {
			hit := !strings.Contains(load.Name, "missed")
			for _, a := range load.Addrs {
				if covered(table, a) != hit {
					t.Fatalf("%s, %s: %v covered = %v", name, load.Name, a, !hit)
				}
			}
		}
	}
}
