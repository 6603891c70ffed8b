package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/fwd6/fwd6/bench/traffic"
)

// printer writes what people are to see.
type printer struct{ w io.Writer }

// line says what has just happened, and to whom.
func (p printer) line(who, what string) { fmt.Fprintf(p.w, "%-8s %s\n", who, what) }

// row is a line of the table, with one cell a result.
type row struct {
	title string
	cell  func(*result) string
}

var rows = []row{
	{"packets per second", func(r *result) string { return thousands(uint64(r.loop.PerSecond())) }},
	{"  of them lost", func(r *result) string { return thousands(r.loop.Lost()) }},
	{"  of them wrong", func(r *result) string { return thousands(r.loop.Wrong()) }},
	{"CPU ns per packet", func(r *result) string { return thousands(uint64(r.loop.CPUPerPacket())) }},
	{"packets per second, overloaded", func(r *result) string { return thousands(uint64(r.overload.PerSecond())) }},
	{"pings lost", func(r *result) string { return thousands(uint64(r.ping.sent - r.ping.answered)) }},
	{"ping, median in µs", func(r *result) string { return thousands(uint64(r.ping.median.Microseconds())) }},
	{"TCP, Mbit/s", func(r *result) string {
		return thousands(uint64(float64(8*r.transfer.bytes) / r.transfer.took.Seconds() / 1e6))
	}},
	{"forwarded by the kernel", func(r *result) string { return thousands(r.kernel) }},
	{"forwarded by fwd6", func(r *result) string {
		if !r.byFwd6 {
			return "-"
		}
		return thousands(r.fwd6.forwarded)
	}},
}

// table writes all results side by side, and how to read them.
func (p printer) table(results []result) {
	width := 0
	for _, row := range rows {
		width = max(width, len([]rune(row.title)))
	}
	fmt.Fprintf(p.w, "\n%-*s", width, "")
	for i := range results {
		fmt.Fprintf(p.w, "  %12s", results[i].name)
	}
	fmt.Fprintf(p.w, "\n%s\n", strings.Repeat("-", width+14*len(results)))
	for _, row := range rows {
		fmt.Fprintf(p.w, "%-*s", width, row.title)
		for i := range results {
			fmt.Fprintf(p.w, "  %12s", row.cell(&results[i]))
		}
		fmt.Fprintln(p.w)
	}
	fmt.Fprintf(p.w, `
The flood has at most %d packets on the way, so it goes as fast as whoever
forwards; overloaded, it goes as fast as it can, and loss is no fault. CPU time
is that of all processors but for making packets; receiving them is included.
Over veth the kernel forwards on the processor of the sender, fwd6 on another.
`, traffic.Window)
	for _, r := range results {
		if r.kernel > 0 && r.fwd6.stale > 0 {
			fmt.Fprintf(p.w, `
%s's worker was silent for ten milliseconds or more at a time, as it is when
something else has its processor. Meanwhile the kernel forwarded, %s packets.
`, r.name, thousands(r.kernel))
		}
	}
}

// thousands writes a number with separators.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
