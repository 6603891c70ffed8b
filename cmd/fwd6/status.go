package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fwd6/fwd6/control"
)

func newStatus() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "show how the forwarder and its ports are",
		Long:    "Status says on one screen what runs, which ports forward and how, what has been\nlearnt from the kernel, and what is wrong if something is.",
		Example: "  fwd6 status\n  fwd6 status -j | jq -r '.ports[].state'",
		Args:    noArgs,
	}
	q := newQuery(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return show(cmd, q, (*control.Client).Status, func(w io.Writer, s control.StatusInfo) error {
			return printStatus(w, s, time.Now())
		})
	}
	return cmd
}

func printStatus(w io.Writer, s control.StatusInfo, now time.Time) error {
	fmt.Fprintf(w, "fwd6 %s, pid %d, up %s, backend %s, %s\n", s.Version, s.PID,
		now.Sub(s.Started).Round(time.Second), s.Backend, count(s.Workers, "worker"))
	fmt.Fprintf(w, "table: %s, %s, %s\n", count(s.Routes, "prefix"),
		count(s.Groups, "next-hop group"), count(s.Neighbors, "neighbor"))
	fmt.Fprintf(w, "trie: %s used, %s free, of %s; a million routes more take %s; lookups by %s\n",
		size(s.FIB.Used), size(s.FIB.Free), size(s.FIB.Reserved), size(s.FIB.Million), s.FIB.Lookup)
	fmt.Fprintf(w, "netlink: %s, %s, %d not understood\n", count(int(s.Events), "message"),
		count(int(s.Resyncs), "resync"), s.Undecoded)
	if s.Passing != "" {
		fmt.Fprintf(w, "ALL TRAFFIC IS LEFT TO THE KERNEL: %s\n", s.Passing)
	}
	fmt.Fprintln(w)
	t := table{right: columns(3, 4)}
	t.add("PORT", "STATE", "MAC", "MTU", "QUEUES", "XDP", "FRAMES", "")
	for _, p := range s.Ports {
		frames := "copied"
		switch {
		case p.ZeroCopy:
			frames = "zero-copy"
		case p.XDPMode == "":
			frames = ""
		}
		why := p.Why
		if why == s.Passing { // said above
			why = ""
		}
		t.add(p.Name, p.State, p.MAC, orBlank(p.MTU), orBlank(p.Queues), p.XDPMode, frames, why)
	}
	return t.print(w)
}

// orBlank is n, or nothing for a device that has none.
func orBlank(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// size is a number of bytes in the unit that suits it.
func size(n int) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	x, unit := float64(n), 0
	for x >= 1000 && unit < 3 {
		x, unit = x/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", x, " kMG"[unit])
}

// count is a number and what it counts.
func count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case what[len(what)-1] == 'x':
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}
