package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fwd6/fwd6/control"
	"github.com/fwd6/fwd6/xdp"
)

func newRoute() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "route",
		Short:   "show the routes that fwd6 forwards by",
		Example: "  fwd6 route get 2001:db8::1\n  fwd6 route show",
		Args:    subcommand,
		RunE: func(*cobra.Command, []string) error {
			return usageError{fmt.Errorf("route what? `fwd6 route get ADDR` or `fwd6 route show`")}
		},
	}
	cmd.AddCommand(newRouteGet(), newRouteShow())
	return cmd
}

func newRouteGet() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get ADDR",
		Short: "show which route packets to an address take",
		Long: `Get looks the address up in the table that forwards, and says which route its
packets take and whether fwd6 forwards them or the kernel, and why. Of a route
with several next hops it shows all: the flow decides between them.`,
		Example: "  fwd6 route get 2001:db8::1",
		Args:    oneAddr,
	}
	q := newQuery(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		addr, err := control.ParseAddr(args[0])
		if err != nil {
			return usageError{err}
		}
		ask := func(c *control.Client, ctx context.Context) (matches, error) {
			r, err := c.RouteGet(ctx, addr)
			if err == nil && !r.Dst.IsValid() {
				err = noRoute(addr, r)
			}
			return matches{{r, addr}}, err
		}
		return show(cmd, q, ask, printMatches)
	}
	return cmd
}

// noRoute is the error for an address that no route of fwd6's leads to.
func noRoute(addr netip.Addr, r control.RouteInfo) error {
	if r.Pass != xdp.Steered { // the kernel may have another table for it
		return fmt.Errorf("route get %s: no route in the tables local and main: %s", addr, fate(r))
	}
	return fmt.Errorf("route get %s: no route: its packets go to the kernel, which answers that it has none", addr)
}

func newRouteShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [PREFIX...]",
		Short: "list routes as fwd6 forwards by them",
		Long: `Show lists routes in the words of ` + "`ip -6 route`" + `. A line that ends in "reason"
and a name is left to the kernel for that reason, which ` + "`fwd6 route get`" + ` says in
words and ` + "`fwd6 stats`" + ` counts; punt_glean is only until a neighbor on the link has
answered.

With prefixes, only routes to exactly these are shown.`,
		Example: "  fwd6 route show\n  fwd6 route show default 2001:db8::/32\n  fwd6 route show --table all -j",
	}
	q := newQuery(cmd)
	table := cmd.Flags().String("table", "main", "the `TABLE` to show: main, local, all or a number")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		want, err := newRouteFilter(*table, args)
		if err != nil {
			return usageError{err}
		}
		return q.list(cmd, want)
	}
	return cmd
}

// routeFilter says which routes to show.
type routeFilter struct {
	tables   []uint32       // none: all
	prefixes []netip.Prefix // none: all
}

func newRouteFilter(table string, prefixes []string) (f routeFilter, err error) {
	if table != "all" {
		number, err := control.ParseTable(table)
		if err != nil {
			return f, fmt.Errorf("--table: %w", err)
		}
		f.tables = []uint32{number}
	}
	for _, s := range prefixes {
		prefix, err := control.ParseDestination(s)
		if err != nil {
			return f, err
		}
		f.prefixes = append(f.prefixes, prefix)
	}
	return f, nil
}

func (f routeFilter) match(r control.RouteInfo) bool {
	if len(f.tables) > 0 && !slices.Contains(f.tables, r.Table) {
		return false
	}
	return len(f.prefixes) == 0 || slices.Contains(f.prefixes, r.Dst)
}

// list prints routes one by one as they arrive: there may be a million.
func (q *query) list(cmd *cobra.Command, want routeFilter) error {
	client := control.NewClient(q.socket)
	defer client.Close()
	w := bufio.NewWriter(cmd.OutOrStdout())
	printer := q.routePrinter(w)
	err := client.Routes(cmd.Context(), func(r control.RouteInfo) error {
		if !want.match(r) {
			return nil
		}
		return printer.print(r)
	})
	if err != nil {
		w.Flush()
		return err
	}
	printer.end()
	return w.Flush()
}

// routePrinter prints routes as text, or as one JSON array.
type routePrinter struct {
	*query
	w     io.Writer
	count int
}

func (q *query) routePrinter(w io.Writer) *routePrinter { return &routePrinter{query: q, w: w} }

func (p *routePrinter) print(r control.RouteInfo) error {
	if !p.json {
		_, err := fmt.Fprint(p.w, routeText(r))
		return err
	}
	data, err := p.encode(r)
	if err != nil {
		return err
	}
	before := ","
	if p.count == 0 {
		before = "["
	}
	p.count++
	_, err = fmt.Fprintf(p.w, "%s%s", before, data)
	return err
}

// end closes the array.
func (p *routePrinter) end() {
	switch {
	case !p.json:
	case p.count == 0:
		fmt.Fprintln(p.w, "[]")
	default:
		fmt.Fprintln(p.w, "]")
	}
}
