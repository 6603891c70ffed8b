package main

import (
	"fmt"
	"slices"
)

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
