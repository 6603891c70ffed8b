package workload_test

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fwd6/fwd6/bench/workload"
)

var tableFile = flag.String("table", "", "real table to compare grown ones with, as workload.ReadFile takes it")

// shape is what tables are compared by. Shares are in thousandths.
type shape struct {
	prefixes  int
	lengths   map[int]float64 // share of prefixes, by length
	depths    []float64       // share of prefixes, by how many others they are within
	populated map[int]float64 // how many /k have a prefix at or below, by k
}

// full is the shape of the table from which the model was learnt. The comment
// of the package shows some of it.
var full = shape{
	prefixes: 160_147,
	lengths: map[int]float64{
		29: 27.3, 30: 4.1, 32: 140.8, 33: 18.3, 34: 16.3, 35: 6.5, 36: 37.4, 38: 10.1, 40: 83.8,
		42: 14.4, 44: 89.7, 45: 9.7, 46: 19.0, 47: 19.7, 48: 471.4,
	},
	depths: []float64{431.2, 377.2, 151.1, 34.4, 5.1, 0.9},
	populated: map[int]float64{20: 617, 24: 7246, 28: 18_851, 32: 29_369, 36: 49_728 - 29_734,
		40: 31_568, 44: 39_661, 48: 75_568},
}

// measure finds the shape of a sorted table.
func measure(table []netip.Prefix) shape {
	s := shape{prefixes: len(table), lengths: make(map[int]float64), depths: make([]float64, 129), populated: make(map[int]float64)}
	share := 1000 / float64(len(table))
	var within []netip.Prefix            // the prefixes around the present one
	before := make(map[int]netip.Prefix) // the last populated /k
	for _, p := range table {
		for len(within) > 0 && !within[len(within)-1].Contains(p.Addr()) {
			within = within[:len(within)-1]
		}
		s.lengths[p.Bits()] += share
		s.depths[len(within)] += share
		within = append(within, p)
		for k := range full.populated {
			if top := netip.PrefixFrom(p.Addr(), k).Masked(); p.Bits() >= k && before[k] != top {
				s.populated[k]++ // they are in order, so it was not there before
				before[k] = top
			}
		}
	}
	return s
}

// compare checks that a grown table's shape is near a real one's. Of the depths
// and lengths of the real one only those count that are in full.
func compare(t *testing.T, got, want shape) {
	t.Helper()
	check := func(what string, got, want, tolerance float64) {
		t.Logf("%-26s real %10.1f grown %10.1f", what, want, got)
		if math.Abs(got-want) > tolerance {
			t.Errorf("%s = %.1f, want %.1f within %.1f", what, got, want, tolerance)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(full.lengths)) {
		check(fmt.Sprintf("thousandths of /%d", k), got.lengths[k], want.lengths[k], 3+want.lengths[k]/8)
	}
	for d := range full.depths {
		check(fmt.Sprintf("thousandths within %d others", d), got.depths[d], want.depths[d], 6+want.depths[d]/4)
	}
	for _, k := range slices.Sorted(maps.Keys(full.populated)) {
		check(fmt.Sprintf("populated /%d", k), got.populated[k], want.populated[k], want.populated[k]/6)
	}
}

func TestTableResemblesTheInternet(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			compare(t, measure(workload.Table(full.prefixes, seed)), full)
		})
	}
}

// TestTableResemblesFile holds the generator against any real table:
//
//	go test ./bench/workload -run File -v -args -table FILE
//
// Without a file, against a table of its own from another seed.
func TestTableResemblesFile(t *testing.T) {
	file := *tableFile
	if file == "" {
		file = filepath.Join(t.TempDir(), "table")
		var text strings.Builder
		for _, p := range workload.Table(full.prefixes, 9) {
			fmt.Fprintln(&text, p)
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table, err := workload.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, measure(workload.Table(len(table), 1)), measure(table))
}
