package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fwd6/fwd6/control"
)

func newNeigh() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "neigh",
		Short: "show the neighbors that fwd6 knows",
		Long: `Neigh shows the kernel's neighbors as fwd6 mirrors them, in the words of
` + "`ip -6 neigh`" + `. Those that routes lead to end in "used": fwd6 has the kernel keep
them fresh, which sees none of their traffic.`,
		Example: "  fwd6 neigh\n  fwd6 neigh -j",
		Args:    noArgs,
	}
	q := newQuery(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return show(cmd, q, (*control.Client).Neighbors, printNeighbors)
	}
	return cmd
}

func printNeighbors(w io.Writer, neighbors []control.NeighborInfo) error {
	for _, n := range neighbors {
		if _, err := fmt.Fprintln(w, neighborLine(n)); err != nil {
			return err
		}
	}
	return nil
}

// neighborLine is n as iproute2 prints it, but for the last word.
func neighborLine(n control.NeighborInfo) string {
	words := []string{n.Addr.String(), "dev", n.Dev}
	if n.MAC != "" {
		words = append(words, "lladdr", n.MAC)
	}
	if n.Router {
		words = append(words, "router")
	}
	words = append(words, n.States...)
	if n.Used {
		words = append(words, "used")
	}
	return strings.Join(words, " ")
}
