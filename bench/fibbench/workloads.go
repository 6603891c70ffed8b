package main

import (
	"net/netip"

	"github.com/fwd6/fwd6/bench/workload"
)

// task is one table to measure on.
type task struct {
	workload string // name of its kind
	full     bool   // whether it is a full view
	make     func() ([]netip.Prefix, error)
}

// tasks are all tables, those of one kind together, the smaller ones first.
func (p *plan) tasks() []task {
	var all []task
	if p.real != nil {
		all = append(all, task{"real table", true, func() ([]netip.Prefix, error) { return p.real, nil }})
	}
	for _, n := range p.fullSizes() {
		all = append(all, task{"full view", true, func() ([]netip.Prefix, error) { return workload.Table(n, seed), nil }})
	}
	for _, spread := range []struct {
		name    string
		density float64
	}{{"/48s, density 1", 1}, {"/48s, density 0.1", 0.1}, {"/48s, density 0.01", 0.01}} {
		for _, n := range p.sizes {
			all = append(all, task{spread.name, false, func() ([]netip.Prefix, error) {
				return workload.Spread(n, spread.density)
			}})
		}
	}
	for _, n := range p.sizes {
		all = append(all, task{"/128s in one /108", false, func() ([]netip.Prefix, error) { return workload.Hosts(n, seed) }})
	}
	return append(all, task{"almost empty", false, func() ([]netip.Prefix, error) { return workload.Empty(), nil }})
}

// fullSizes are the sizes of grown full views. One is as large as the Internet,
// unless there is a real one or sizes were asked for.
func (p *plan) fullSizes() []int {
	if !p.internet || p.real != nil {
		return p.sizes
	}
	var sizes []int
	added := false
	for _, n := range p.sizes {
		if n > internetSize && !added {
			sizes, added = append(sizes, internetSize), true
		}
		sizes = append(sizes, n)
	}
	if !added {
		sizes = append(sizes, internetSize)
	}
	return sizes
}
