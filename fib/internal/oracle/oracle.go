// Package oracle is longest-prefix match by a slice and a loop: slow, obvious,
// right. Tests hold everything cleverer against it.
//
// It shares nothing with package fib, not even how an address is kept, so that
// the two cannot be wrong together.
package oracle

import (
	"net/netip"
	"slices"
)

// Route is a prefix and what it leads to.
type Route[V any] struct {
	Prefix netip.Prefix
	Value  V
}

// Table is a set of routes in no order. One goroutine at a time.
type Table[V any] struct{ routes []Route[V] }

func (t *Table[V]) find(p netip.Prefix) int {
	return slices.IndexFunc(t.routes, func(r Route[V]) bool { return r.Prefix == p.Masked() })
}

// Add puts p in, or replaces its value.
func (t *Table[V]) Add(p netip.Prefix, v V) {
	t.Remove(p)
	t.routes = append(t.routes, Route[V]{p.Masked(), v})
}

// Remove takes p out and says whether it was there.
func (t *Table[V]) Remove(p netip.Prefix) bool {
	i := t.find(p)
	if i < 0 {
		return false
	}
	t.routes = slices.Delete(t.routes, i, i+1)
	return true
}

// Get returns the value of exactly p, and whether p is there.
func (t *Table[V]) Get(p netip.Prefix) (v V, ok bool) {
	i := t.find(p)
	if i < 0 {
		return v, false
	}
	return t.routes[i].Value, true
}

// Lookup returns the longest prefix that covers a, and false if none does.
func (t *Table[V]) Lookup(a netip.Addr) (best Route[V], ok bool) {
	for _, r := range t.routes {
		if r.Prefix.Contains(a) && (!ok || r.Prefix.Bits() > best.Prefix.Bits()) {
			best, ok = r, true
		}
	}
	return best, ok
}

// Len returns the number of routes.
func (t *Table[V]) Len() int { return len(t.routes) }

// All returns the routes in prefix order.
func (t *Table[V]) All() []Route[V] {
	all := slices.Clone(t.routes)
	slices.SortFunc(all, func(a, b Route[V]) int { return a.Prefix.Compare(b.Prefix) })
	return all
}

// Covered returns the routes of p and of the prefixes inside it, in prefix order.
func (t *Table[V]) Covered(p netip.Prefix) []Route[V] {
	return slices.DeleteFunc(t.All(), func(r Route[V]) bool {
		return r.Prefix.Bits() < p.Bits() || !p.Contains(r.Prefix.Addr())
	})
}
