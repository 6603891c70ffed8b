package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fwd6/fwd6/control"
	"github.com/fwd6/fwd6/dataplane"
)

func newStats() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "show packets by port and by what became of them",
		Long: `Stats shows the counters since fwd6 was started: per port, then what the XDP
program of each port did with the packets that arrived, then what became of
those that reached fwd6. As text it leaves out what never happened; as JSON
all counters are there.`,
		Example: "  fwd6 stats\n  fwd6 stats -j | jq .reasons.forwarded",
		Args:    noArgs,
	}
	q := newQuery(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ask := func(c *control.Client, ctx context.Context) (control.StatsInfo, error) {
			s, err := c.Stats(ctx)
			return control.StatsInfo(s), err
		}
		return show(cmd, q, ask, printStats)
	}
	return cmd
}

func printStats(w io.Writer, s control.StatsInfo) error {
	for i, t := range []*table{portTable(s), xdpTable(s), reasonTable(s)} {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := t.print(w); err != nil {
			return err
		}
	}
	return nil
}

func portTable(s control.StatsInfo) *table {
	t := &table{right: columns(1, 5)}
	t.add("PORT", "RX PACKETS", "RX BYTES", "TX PACKETS", "TX BYTES", "RX DROPPED")
	for _, p := range s.Ports {
		t.add(p.Name, p.RxPackets, p.RxBytes, p.TxPackets, p.TxBytes, p.RxDropped)
	}
	return t
}

// xdpTable has a row for each way that an XDP program sent packets and a
// column for each port.
func xdpTable(s control.StatsInfo) *table {
	t := &table{right: columns(1, len(s.Ports))}
	heading := []any{"XDP PROGRAM"}
	ways := map[string]bool{}
	for _, p := range s.Ports {
		heading = append(heading, p.Name)
		for way, n := range p.Sorted {
			if n > 0 {
				ways[way] = true
			}
		}
	}
	t.add(heading...)
	for _, way := range slices.Sorted(maps.Keys(ways)) {
		row := []any{way}
		for _, p := range s.Ports {
			row = append(row, p.Sorted[way])
		}
		t.add(row...)
	}
	return t
}

func reasonTable(s control.StatsInfo) *table {
	t := &table{right: columns(1, 1)}
	t.add("REASON", "PACKETS", "")
	for r := range dataplane.NumReasons {
		if n := s.Reasons[r]; n > 0 || r == dataplane.Forward {
			t.add(r, n, r.Text())
		}
	}
	return t
}
