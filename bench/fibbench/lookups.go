package main

import (
	"errors"
	"slices"
	"time"

	"github.com/fwd6/fwd6/bench/lpm"
	"github.com/fwd6/fwd6/fib"
)

// lookUp times all loads in all modes.
func (b *bench) lookUp(run *Run, contenders []*contender, loads []load) {
	out := make([]fib.GroupID, b.addrs)
	for _, l := range loads {
		for _, mode := range modes {
			for i, times := range b.rotate(run, contenders, l, mode, out) {
				if len(times) == 0 {
					continue
				}
				r := contenders[i].result
				r.Lookups = append(r.Lookups, Lookup{
					Load: l.name, Mode: mode.String(),
					NS: median(times), Best: slices.Min(times), Most: slices.Max(times),
				})
			}
		}
	}
}

// rotate times one load in one mode: in every round each peer once. It gives
// nanoseconds of each round, by peer.
func (b *bench) rotate(run *Run, contenders []*contender, l load, mode lpm.Mode, out []fib.GroupID) [][]float64 {
	times := make([][]float64, len(contenders))
	sizes := make([]int, len(contenders)) // lookups in one round; 0 before it is known
	for round := range b.rounds {
		for i, c := range contenders {
			if c.gone {
				continue
			}
			if sizes[i] == 0 {
				sizes[i] = b.calibrate(c.reader, l, mode, out)
			}
			ns, err := c.once(l, mode, round, sizes[i], out)
			switch {
			case errors.Is(err, errors.ErrUnsupported):
			case err != nil:
				b.drop(run, c, err)
			default:
				times[i] = append(times[i], ns)
			}
		}
	}
	return times
}

// calibrate finds how many lookups take as long as one round should: at most
// half of the load, because the other half fills the caches.
func (b *bench) calibrate(r lpm.Reader, l load, mode lpm.Mode, out []fib.GroupID) int {
	n := min(4096, l.Len()/2)
	elapsed, err := r.Lookup(mode, l.Slice(0, n), out[:n])
	if err != nil {
		return n // once will find the same error
	}
	wanted := float64(n) * float64(b.lookups) / float64(max(elapsed, time.Microsecond))
	return max(n, min(int(wanted), l.Len()/2))
}

// once times n lookups, in nanoseconds each. Every round takes other addresses,
// so that a round finds the caches as the load leaves them, not as the last
// round did; and before it, as many others are looked up, because other peers
// have used the caches meanwhile.
func (c *contender) once(l load, mode lpm.Mode, round, n int, out []fib.GroupID) (float64, error) {
	start := 0
	if spare := l.Len() - 2*n; spare > 0 {
		start = round * n % spare
	}
	if _, err := c.reader.Lookup(mode, l.Slice(start, start+n), out[:n]); err != nil {
		return 0, err
	}
	elapsed, err := c.reader.Lookup(mode, l.Slice(start+n, start+2*n), out[:n])
	return float64(elapsed.Nanoseconds()) / float64(n), err
}

// median of a list that is not empty.
func median(list []float64) float64 { return quantile(list, 0.5) }

// quantile is the smallest of the list that is at least as large as the given
// part of it.
func quantile(list []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}
