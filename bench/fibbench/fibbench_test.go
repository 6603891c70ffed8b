package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/bench/lpm"
)

// tiny is the least that goes through everything.
func tiny(t *testing.T, peers string) plan {
	t.Helper()
	p := plan{
		sizes: []int{100, 300},
		settings: settings{
			builds: 2, rounds: 2, addrs: 2000, lookups: 10 * time.Microsecond, everywhere: true,
			updates: time.Millisecond, count: 10, churn: 2 * time.Millisecond,
		},
	}
	if err := p.setPeers(peers); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEverything(t *testing.T) {
	p := tiny(t, "fwd6,bart,bart-fast")
	p.peers = append(p.peers, lpm.Peer{
		Name: "nobody",
		Open: func() (lpm.Table, error) { return nil, os.ErrNotExist },
	})
	report, err := p.measure(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := report.write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"results.json", "results.md", "lookup-serial-full-view.svg", "build-48s-density-0.1.svg", "memory-128s-in-one-108.svg"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	checkReport(t, filepath.Join(dir, "results.json"))
	text, err := os.ReadFile(filepath.Join(dir, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"- Without nobody: file does not exist.",
		"## /48s, density 0.01, 300 routes",
		"| zipf, batch of 32, ns |",
		"| update of /20 and longer, 99.9%, µs |",
		"| churn, readers slower by, % |",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("results.md lacks %q", want)
		}
	}
}

// checkReport reads what was written: all tables, and every peer with figures.
func checkReport(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if want := 2*5 + 1; len(report.Runs) != want {
		t.Errorf("%d tables, want %d", len(report.Runs), want)
	}
	if !strings.HasPrefix(report.Reference, "fwd6/") {
		t.Errorf("compared with %s, want fwd6", report.Reference)
	}
	for _, run := range report.Runs {
		for _, peer := range report.Peers {
			r := run.of(peer)
			if r == nil || r.Churn == nil || len(r.Updates) < 2 {
				t.Errorf("%s, %d routes: %s lacks figures: %+v", run.Workload, run.Routes, peer, r)
				continue
			}
			for _, load := range run.loads() {
				if ns, ok := r.lookup(load, "serial"); !ok || ns <= 0 {
					t.Errorf("%s, %d routes: %s: %s takes %v ns", run.Workload, run.Routes, peer, load, ns)
				}
			}
		}
	}
}

// TestUpdatesLeaveTheTable: what is measured after updates is the same table.
func TestUpdatesLeaveTheTable(t *testing.T) {
	p := tiny(t, "bart")
	table, err := p.peers[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	tasks := p.tasks()
	prefixes, err := tasks[0].make()
	if err != nil {
		t.Fatal(err)
	}
	routes := lpm.Routes(prefixes)
	if _, err := table.Build(routes); err != nil {
		t.Fatal(err)
	}
	reader, err := table.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{plan: &p, log: t.Logf, report: new(Report)}
	if b.cpus, err = allowed(); err != nil {
		t.Fatal(err)
	}
	c := &contender{Peer: p.peers[0], table: table, reader: reader, result: new(Result)}
	loads := []load{{"uniform", lpm.NewDestinations(nil)}}
	for _, prefix := range prefixes {
		loads[0].Netip = append(loads[0].Netip, prefix.Addr())
	}
	loads[0].Destinations = lpm.NewDestinations(loads[0].Netip)
	fresh := &contender{Peer: p.peers[0], result: new(Result)}
	if _, err := fresh.rebuild(routes); err != nil {
		t.Fatal(err)
	}
	defer fresh.close()
	run := &Run{Workload: "test", Routes: len(routes), Results: []*Result{c.result}}
	b.update(run, []*contender{c}, routes, loads[0].Destinations)
	if len(c.result.Updates) < 2 {
		t.Errorf("updates of %d kinds, want 2 at least", len(c.result.Updates))
	}
	if err := b.agree(run, []*contender{fresh, c}, loads); err != nil {
		t.Error(err)
	}
}

// TestPlotOfOne: a peer alone, and one size measured twice, are no special case.
func TestPlotOfOne(t *testing.T) {
	report := Report{Peers: []string{"one"}}
	for range 2 {
		report.Runs = append(report.Runs, &Run{"test", 1000, []*Result{{Peer: "one", BuildMS: 0.3}}})
	}
	if err := report.plots(t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestPlan(t *testing.T) {
	var p plan
	for _, tt := range []struct{ sizes, peers, want string }{
		{"1000,x", "", `size "x"`},
		{"0", "", `size "0"`},
		{"", "melon", `peer "melon"`},
	} {
		p = full
		err := p.setSizes(tt.sizes)
		if err == nil {
			err = p.setPeers(tt.peers)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("sizes %q, peers %q: %v, want an error with %q", tt.sizes, tt.peers, err, tt.want)
		}
	}
	for _, tt := range []struct {
		sizes []int
		want  []int
	}{
		{[]int{1000, 100_000}, []int{1000, 100_000, internetSize}},
		{[]int{1000, 1_000_000}, []int{1000, internetSize, 1_000_000}},
	} {
		p = plan{sizes: tt.sizes, settings: settings{internet: true}}
		if got := p.fullSizes(); !slices.Equal(got, tt.want) {
			t.Errorf("fullSizes of %v = %v, want %v", tt.sizes, got, tt.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		want string
	}{{1.234, "1.23"}, {12.34, "12.3"}, {123.4, "123"}, {1234567, "1,234,567"}, {-3.4, "-3.40"}, {-1234, "-1,234"}} {
		if got := number(tt.v); got != tt.want {
			t.Errorf("number(%v) = %s, want %s", tt.v, got, tt.want)
		}
	}
	list := []float64{5, 1, 4, 2, 3}
	for _, tt := range []struct{ part, want float64 }{{0, 1}, {0.5, 3}, {0.99, 5}, {1, 5}} {
		if got := quantile(list, tt.part); got != tt.want {
			t.Errorf("quantile(%v) = %v, want %v", tt.part, got, tt.want)
		}
	}
}
