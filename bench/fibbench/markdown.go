package main

import (
	"fmt"
	"io"
	"math"
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
