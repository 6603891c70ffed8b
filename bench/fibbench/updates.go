package main

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/fwd6/fwd6/bench/lpm"
	"github.com/fwd6/fwd6/fib"
)

// kind is a choice of prefixes to update.
type kind struct {
	name     string
	prefixes []lpm.Route // updated and put back, in random order
}

// kinds of updates that a table can have. Short prefixes are apart because they
// may touch much, and are rare.
func kinds(routes []lpm.Route) []kind {
	var long []lpm.Route
	everything := lpm.Route{Prefix: netip.PrefixFrom(netip.IPv6Unspecified(), 0), Group: fib.NoRoute}
	for _, r := range routes {
		if r.Prefix.Bits() >= 20 {
			long = append(long, r)
		}
		if r.Prefix.Bits() == 0 {
			everything = r
		}
	}
	all := []kind{{"::/0", []lpm.Route{everything}}, {"/20 and longer", long}}
	if len(long) < len(routes) {
		all = append(all, kind{"any prefix", routes})
	}
	return all
}

// update times updates of every kind, each peer's in turn, with a reader.
func (b *bench) update(run *Run, contenders []*contender, routes []lpm.Route, d lpm.Destinations) {
	for _, k := range kinds(routes) {
		times := make([][]float64, len(contenders)) // nanoseconds
		r := rand.New(rand.NewPCG(seed, 0))
		for range b.rounds {
			for i, c := range contenders {
				if c.gone {
					continue
				}
				more, err := b.updates(c, k, r, d)
				if err != nil {
					b.drop(run, c, err)
				}
				times[i] = append(times[i], more...)
			}
		}
		for i, c := range contenders {
			if len(times[i]) == 0 {
				continue
			}
			c.result.Updates = append(c.result.Updates, Update{
				Kind: k.name, Count: len(times[i]), Reader: !c.Alone,
				Median: quantile(times[i], 0.5), P99: quantile(times[i], 0.99),
				P999: quantile(times[i], 0.999), Worst: quantile(times[i], 1),
			})
		}
	}
}

// updates makes one peer's updates of one round.
func (b *bench) updates(c *contender, k kind, r *rand.Rand, d lpm.Destinations) (times []float64, err error) {
	w := writer{table: c.table, rand: r, routes: k.prefixes}
	write := func() {
		for deadline := time.Now().Add(b.settings.updates); len(times) < b.count && time.Now().Before(deadline); {
			var pair [2]time.Duration
			if pair, err = w.flap(); err != nil {
				return
			}
			times = append(times, float64(pair[0].Nanoseconds()), float64(pair[1].Nanoseconds()))
		}
	}
	if c.Alone {
		write()
		return times, err
	}
	_, readErr := b.beside(c.table, d, []int{1}, write)
	if err == nil {
		err = readErr
	}
	return times, err
}

// writer updates a table and leaves it as it was.
type writer struct {
	table  lpm.Table
	rand   *rand.Rand
	routes []lpm.Route
}

// flap takes a route away and puts it back; one that is not in the table
// (because it has no group) is added and taken away.
func (w *writer) flap() (times [2]time.Duration, err error) {
	r := w.routes[w.rand.IntN(len(w.routes))]
	if r.Group == fib.NoRoute {
		if times[0], err = w.table.Set(lpm.Route{Prefix: r.Prefix, Group: 1}); err == nil {
			times[1], err = w.table.Remove(r.Prefix)
		}
		return times, err
	}
	if times[0], err = w.table.Remove(r.Prefix); err == nil {
		times[1], err = w.table.Set(r)
	}
	return times, err
}
