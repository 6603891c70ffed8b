package main

import (
	"math/rand/v2"
	"time"

	"github.com/fwd6/fwd6/bench/lpm"
)

// churnAll lets every peer churn, one after the other.
func (b *bench) churnAll(run *Run, contenders []*contender, routes []lpm.Route, d lpm.Destinations) {
	for _, c := range contenders {
		if c.gone || c.Alone {
			continue
		}
		churn, err := b.churnOne(c, routes, d)
		if err != nil {
			b.drop(run, c, err)
			continue
		}
		c.result.Churn = churn
	}
}

// churnOne updates as fast as it goes beside two readers, and compares these
// with two readers that nobody disturbs.
func (b *bench) churnOne(c *contender, routes []lpm.Route, d lpm.Destinations) (*Churn, error) {
	readers := []int{1, 2} // the writer has 0
	quiet, err := b.beside(c.table, d, readers, func() { time.Sleep(b.churn) })
	if err != nil {
		return nil, err
	}
	w := writer{table: c.table, rand: rand.New(rand.NewPCG(seed, 1)), routes: routes}
	updates := 0
	var failed error
	var elapsed time.Duration
	disturbed, err := b.beside(c.table, d, readers, func() {
		for start := time.Now(); elapsed < b.churn && failed == nil; elapsed = time.Since(start) {
			_, failed = w.flap()
			updates += 2
		}
	})
	if failed != nil {
		err = failed
	}
	return &Churn{
		UpdatesPerSecond: float64(updates) / elapsed.Seconds(),
		SlowdownPercent:  100 * (1 - disturbed/quiet),
	}, err
}
