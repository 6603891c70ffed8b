package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// markdown writes a table per workload, a row per quantity and a column per
// peer. Behind a figure stands how many times the reference's it is.
func (r *Report) markdown(w io.Writer) {
	fmt.Fprintf(w, "# Longest-prefix match, side by side\n\n%s, %d processors, Linux %s, %s.\n\n",
		r.Machine.Processor, r.Machine.CPUs, r.Machine.Kernel, r.Machine.Go)
	fmt.Fprintf(w, "In brackets: how many times the figure of %s.\n\n", r.Reference)
	for _, note := range r.Notes {
		fmt.Fprintf(w, "- %s\n", note)
	}
	for _, m := range r.Missing {
		what := "- Without " + m.Peer
		if m.Workload != "" {
			what = fmt.Sprintf("- %s gave up on %s with %s routes", m.Peer, m.Workload, grouped(m.Routes))
		}
		fmt.Fprintf(w, "%s: %s.\n", what, strings.ReplaceAll(m.Reason, "\n", "; "))
	}
	for _, run := range r.Runs {
		fmt.Fprintf(w, "\n## %s, %s routes\n\n", run.Workload, grouped(run.Routes))
		r.table(w, run)
	}
}

func (r *Report) table(w io.Writer, run *Run) {
	fmt.Fprintf(w, "| | %s |\n| --- |%s\n", strings.Join(r.Peers, " | "), strings.Repeat(" ---: |", len(r.Peers)))
	for _, q := range run.quantities() {
		cells := make([]string, len(r.Peers))
		reference, known := run.value(r.Reference, q)
		for i, peer := range r.Peers {
			v, ok := run.value(peer, q)
			switch {
			case !ok:
				cells[i] = "–"
			case peer == r.Reference || !known || reference <= 0 || q.unrelated:
				cells[i] = number(v)
			default:
				cells[i] = fmt.Sprintf("%s (%s)", number(v), number(v/reference))
			}
		}
		fmt.Fprintf(w, "| %s | %s |\n", q.name, strings.Join(cells, " | "))
	}
}

// quantity is a row of a table.
type quantity struct {
	name      string
	of        func(*Result) (float64, bool)
	unrelated bool // to the reference's: a ratio says nothing
}

// value is a peer's figure, if it has one.
func (r *Run) value(peer string, q quantity) (float64, bool) {
	if result := r.of(peer); result != nil {
		return q.of(result)
	}
	return 0, false
}

// quantities are those that any peer has.
func (r *Run) quantities() []quantity {
	all := []quantity{
		{name: "build, ms", of: func(r *Result) (float64, bool) { return r.BuildMS, true }},
		{name: "bytes per route", of: func(r *Result) (float64, bool) { return r.BytesPerRoute, r.BytesPerRoute > 0 }},
		{name: "depth", of: func(r *Result) (float64, bool) { return r.Depth, r.Depth > 0 }},
	}
	for _, load := range r.loads() {
		for _, mode := range modes {
			all = append(all, quantity{
				name: fmt.Sprintf("%s, %s, ns", load, mode),
				of:   func(r *Result) (float64, bool) { return r.lookup(load, mode.String()) },
			})
		}
		all = append(all, quantity{
			name: fmt.Sprintf("**%s, fastest but serial, ns**", load),
			of:   func(r *Result) (float64, bool) { return r.fastest(load) },
		})
	}
	all = append(all, updateQuantities...)
	return slices.DeleteFunc(all, func(q quantity) bool {
		return !slices.ContainsFunc(r.Results, func(result *Result) bool { _, ok := q.of(result); return ok })
	})
}

// updateQuantities are what updates have.
var updateQuantities = func() (all []quantity) {
	for _, kind := range []string{"/20 and longer", "any prefix", "::/0"} {
		for _, part := range []struct {
			name string
			of   func(Update) float64
		}{
			{"median", func(u Update) float64 { return u.Median }},
			{"99%", func(u Update) float64 { return u.P99 }},
			{"99.9%", func(u Update) float64 { return u.P999 }},
			{"worst", func(u Update) float64 { return u.Worst }},
		} {
			all = append(all, quantity{
				name: fmt.Sprintf("update of %s, %s, µs", kind, part.name),
				of: func(r *Result) (float64, bool) {
					i := slices.IndexFunc(r.Updates, func(u Update) bool { return u.Kind == kind })
					if i < 0 {
						return 0, false
					}
					return part.of(r.Updates[i]) / 1000, true
				},
			})
		}
	}
	return append(all,
		quantity{name: "churn, updates per second", of: func(r *Result) (float64, bool) {
			if r.Churn == nil {
				return 0, false
			}
			return r.Churn.UpdatesPerSecond, true
		}},
		quantity{name: "churn, readers slower by, %", unrelated: true, of: func(r *Result) (float64, bool) {
			if r.Churn == nil {
				return 0, false
			}
			return r.Churn.SlowdownPercent, true
		}},
	)
}()

// loads are the names of the loads, in the order in which they were measured.
func (r *Run) loads() (names []string) {
	for _, result := range r.Results {
		for _, l := range result.Lookups {
			if !slices.Contains(names, l.Load) {
				names = append(names, l.Load)
			}
		}
	}
	return names
}

// number shows three digits, or all that are before the point.
func number(v float64) string {
	switch {
	case v >= 1000 || v <= -1000:
		return grouped(int(math.Round(v)))
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// grouped puts commas between thousands.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
