package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/bench/lpm"
	"github.com/fwd6/fwd6/bench/workload"
	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// BenchmarkFIB looks up in the tables of every peer:
//
//	go test -run '^$' -bench 'FIB/full/uniform/fwd6' ./bench
//
// Its parts are named workload/load/peer/mode. For comparisons use
// bench/fibbench, where peers take turns.
func BenchmarkFIB(b *testing.B) {
	const routes = 100_000
	for _, w := range []struct {
		name string
		make func() ([]netip.Prefix, error)
	}{
		{"full", func() ([]netip.Prefix, error) { return workload.Table(routes, 1), nil }},
		{"spread-1", func() ([]netip.Prefix, error) { return workload.Spread(routes, 1) }},
		{"spread-0.1", func() ([]netip.Prefix, error) { return workload.Spread(routes, 0.1) }},
		{"spread-0.01", func() ([]netip.Prefix, error) { return workload.Spread(routes, 0.01) }},
		{"hosts", func() ([]netip.Prefix, error) { return workload.Hosts(routes, 1) }},
		{"empty", func() ([]netip.Prefix, error) { return workload.Empty(), nil }},
	} {
		b.Run(w.name, func(b *testing.B) {
			prefixes, err := w.make()
			if err != nil {
				b.Fatal(err)
			}
			benchmarkTable(b, prefixes)
		})
	}
}

func benchmarkTable(b *testing.B, prefixes []netip.Prefix) {
	routes := lpm.Routes(prefixes)
	for _, load := range workload.Loads(prefixes, 1<<18, 1) {
		b.Run(strings.ReplaceAll(load.Name, " ", "-"), func(b *testing.B) {
			destinations := lpm.NewDestinations(load.Addrs)
			for _, peer := range lpm.Peers() {
				b.Run(strings.ReplaceAll(peer.Name, "/", "-"), func(b *testing.B) {
					table := openTable(b, peer)
					defer table.Close()
					reader := buildTable(b, table, routes)
					defer reader.Close()
					benchmarkModes(b, reader, destinations)
				})
			}
		})
	}
}

// openTable opens a peer's table, or skips if it cannot be here.
func openTable(b *testing.B, peer lpm.Peer) lpm.Table {
	if strings.HasPrefix(peer.Name, "linux") {
		xdptest.Privileged(b)
	}
	table, err := peer.Open()
	if errors.Is(err, os.ErrNotExist) {
		b.Skip(err)
	} else if err != nil {
		b.Fatal(err)
	}
	return table
}

func buildTable(b *testing.B, table lpm.Table, routes []lpm.Route) lpm.Reader {
	if _, err := table.Build(routes); err != nil {
		b.Fatal(err)
	}
	reader, err := table.NewReader()
	if err != nil {
		b.Fatal(err)
	}
	return reader
}

// benchmarkModes looks up many addresses an iteration and reports the time of one.
func benchmarkModes(b *testing.B, reader lpm.Reader, d lpm.Destinations) {
	const stretch = 4096
	out := make([]fib.GroupID, stretch)
	for _, mode := range []lpm.Mode{lpm.Serial, lpm.Independent, 16, 32, 64, 256} {
		b.Run(strings.ReplaceAll(fmt.Sprint(mode), " ", "-"), func(b *testing.B) {
			var elapsed time.Duration
			lookups := 0
			for b.Loop() {
				at := lookups % d.Len()
				took, err := reader.Lookup(mode, d.Slice(at, at+stretch), out)
				if errors.Is(err, errors.ErrUnsupported) {
					b.Skip("has no batches")
				} else if err != nil {
					b.Fatal(err)
				}
				elapsed += took
				lookups += stretch
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(elapsed.Nanoseconds())/float64(lookups), "ns/lookup")
		})
	}
}
