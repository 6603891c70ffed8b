package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fwd6/fwd6/bench/demo"
)

func newDemo() *cobra.Command {
	var routes, seconds int
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "show fwd6 beside the kernel, in namespaces that go again",
		Long: `Demo joins three network namespaces by veth pairs, gives the middle one a table
like the Internet's, and sends the same pings, TCP transfer and flood of small
packets through it twice: forwarded by the kernel, then by fwd6. It ends with a
table of both within 90 seconds, and fails if anything was lost or wrong. It
touches nothing outside its namespaces, and needs root.`,
		Example: "  fwd6 demo\n  fwd6 demo --routes 1000",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if routes < 1 || seconds < 1 {
				return usageError{fmt.Errorf("--routes %d --seconds %d: numbers from 1 on, please", routes, seconds)}
			}
			ctx, stop := untilSignal(cmd.Context(), func() {})
			defer stop()
			return demo.Run(ctx, demo.Config{
				Routes: routes, Flood: time.Duration(seconds) * time.Second, Out: cmd.OutOrStdout(),
			})
		},
	}
	cmd.Flags().IntVar(&routes, "routes", 100_000, "how many routes the table has, `N`")
	cmd.Flags().IntVar(&seconds, "seconds", 4, "how long each is flooded, `S`")
	return cmd
}
