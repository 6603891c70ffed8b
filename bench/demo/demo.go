// Package demo shows fwd6 beside the kernel, on one machine, in about half a
// minute:
//
//	namespace A               R               namespace B
//	pings, TCP, flood ── a0 ─── r0  forwarder  r1 ─── b0 ── answers, TCP, sink
//
// R has a table like the Internet's. The same traffic crosses R once for every
// column of the resulting table: first the kernel forwards, then fwd6. Nothing
// outside the namespaces is touched, and nothing stays behind.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/fwd6/fwd6/bench/traffic"
	"github.com/fwd6/fwd6/bench/workload"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// Config is what may differ between two demonstrations. The zero value of each
// field stands for something sensible.
type Config struct {
	Routes  int           // in R's table; 0 is 100,000
	Flood   time.Duration // how long each column is flooded; 0 is 4 s
	Columns []Column      // nil is Columns()
	Binary  string        // fwd6's; empty is the running program
	Out     io.Writer     // nil is os.Stdout
}

// Column is one forwarder to be shown.
type Column struct {
	Name string
	Args []string // of the fwd6 that forwards; nil if the kernel does
}

// Columns are the kernel and fwd6.
func Columns() []Column {
	return []Column{{Name: "kernel"}, {Name: "fwd6", Args: []string{"run", "--ports", "r0,r1"}}}
}

// longest is how long a demonstration may take in all.
const longest = 85 * time.Second

// seed makes every demonstration send the same packets.
const seed = 6

// Run shows everything once. It returns an error if anything was lost or wrong,
// or if ctx ended; whatever it returns, it has cleaned up.
func Run(ctx context.Context, config Config) error {
	config.complete()
	if missing, err := xdptest.MissingPrivileges(); err != nil {
		return err
	} else if len(missing) > 0 {
		return fmt.Errorf("demo makes network namespaces and needs %s: run it as root", strings.Join(missing, ", "))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("demo did not end within %v", longest))
	defer cancel()
	s := &stage{config: config, out: printer{config.Out}}
	results, err := s.perform(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx) // what else went wrong comes of that
	}
	if len(results) > 0 {
		s.out.table(results)
	}
	for _, r := range results {
		err = errors.Join(err, r.verdict())
	}
	return err
}

func (c *Config) complete() {
	if c.Routes == 0 {
		c.Routes = 100_000
	}
	if c.Flood == 0 {
		c.Flood = 4 * time.Second
	}
	if c.Columns == nil {
		c.Columns = Columns()
	}
	if c.Out == nil {
		c.Out = os.Stdout
	}
}

// stage is the lab with all that the columns have in common.
type stage struct {
	config Config
	out    printer
	lab    *xdptest.Lab
	flood  traffic.Config
}

// perform builds the lab, shows every column, and removes the lab.
func (s *stage) perform(ctx context.Context) (results []result, err error) {
	if err := s.checkQuiet(); err != nil {
		return nil, err
	}
	if s.lab, err = xdptest.Build(xdptest.Config{}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.lab.Close()) }()
	s.out.line("lab", "namespaces A, R and B, joined by veth pairs: a0-r0, r1-b0")
	if err := s.loadTable(); err != nil {
		return nil, err
	}
	for _, column := range s.config.Columns {
		r, err := s.showUndisturbed(ctx, column)
		if err != nil {
			return results, fmt.Errorf("%s: %w", column.Name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// showUndisturbed shows a column again, up to twice, if fwd6's worker was silent
// so long that the kernel took over, mostly because something else had its
// processor: it should, but then the column shows both.
func (s *stage) showUndisturbed(ctx context.Context, column Column) (r result, err error) {
	for range 3 {
		r, err = s.show(ctx, column)
		if err != nil || r.fwd6.stale == 0 {
			break
		}
		s.out.line("note", fmt.Sprintf("fwd6's worker was silent for 10 ms or more (is the machine busy?): the kernel took over for %s packets",
			thousands(r.fwd6.stale)))
	}
	return r, err
}

// checkQuiet warns if something else keeps processors busy: its time would be
// taken for the forwarders'.
func (s *stage) checkQuiet() error {
	const disturbing = 0.1 // processors
	busy, err := traffic.Busy(300 * time.Millisecond)
	if err == nil && busy > disturbing {
		s.out.line("note", fmt.Sprintf("%.1f processors are busy with something else: the figures will be rough", busy))
	}
	return err
}

// loadTable gives R its routes, all by way of B, and picks the destinations of
// the flood among them.
func (s *stage) loadTable() error {
	const destinations = 1 << 18
	start := time.Now()
	table := workload.Table(s.config.Routes, seed)
	routes := make([]xdptest.Route, len(table))
	for i, prefix := range table {
		routes[i] = xdptest.Via(prefix, s.lab.R1)
	}
	if err := s.lab.R.AddRoutes(routes...); err != nil {
		return err
	}
	s.flood = traffic.Config{
		From: s.lab.A0, To: s.lab.B0,
		Destinations: workload.Hits(table, destinations, seed),
	}
	s.out.line("table", fmt.Sprintf("%s routes like the Internet's, in R's kernel after %.1f s",
		thousands(uint64(len(routes))), time.Since(start).Seconds()))
	return nil
}
