package oracle

import (
	"iter"
	"net/netip"
	"slices"
)

// Lengths is Table for large ones: a map for each length of prefix. Still slow
// and obvious, but not by the number of routes. One goroutine at a time.
type Lengths[V any] struct {
	byLength [129]map[netip.Addr]V
	n        int
}

// Add puts p in, or replaces its value.
func (t *Lengths[V]) Add(p netip.Prefix, v V) {
	m := t.byLength[p.Bits()]
	if m == nil {
		m = make(map[netip.Addr]V)
		t.byLength[p.Bits()] = m
	}
	a := p.Masked().Addr()
	if _, ok := m[a]; !ok {
		t.n++
	}
	m[a] = v
}

// Remove takes p out and says whether it was there.
func (t *Lengths[V]) Remove(p netip.Prefix) bool {
	m, a := t.byLength[p.Bits()], p.Masked().Addr()
	if _, ok := m[a]; !ok {
		return false
	}
	delete(m, a)
	t.n--
	return true
}

// Get returns the value of exactly p, and whether p is there.
func (t *Lengths[V]) Get(p netip.Prefix) (v V, ok bool) {
	v, ok = t.byLength[p.Bits()][p.Masked().Addr()]
	return v, ok
}

// Lookup returns the longest prefix that covers a, and false if none does.
func (t *Lengths[V]) Lookup(a netip.Addr) (best Route[V], ok bool) {
	for r := range t.Covering(netip.PrefixFrom(a, 128)) {
		return r, true
	}
	return best, false
}

// Covering yields the routes that cover p, the longest first.
func (t *Lengths[V]) Covering(p netip.Prefix) iter.Seq[Route[V]] {
	return func(yield func(Route[V]) bool) {
		for bits := p.Bits(); bits >= 0; bits-- {
			if len(t.byLength[bits]) == 0 {
				continue
			}
			q, _ := p.Addr().Prefix(bits)
			if v, ok := t.byLength[bits][q.Addr()]; ok && !yield(Route[V]{q, v}) {
				return
			}
		}
	}
}

// Len returns the number of routes.
func (t *Lengths[V]) Len() int { return t.n }

// Covered returns the routes of p and of the prefixes inside it, in prefix order.
func (t *Lengths[V]) Covered(p netip.Prefix) (all []Route[V]) {
	for bits := p.Bits(); bits <= 128; bits++ {
		for a, v := range t.byLength[bits] {
			if p.Contains(a) {
				all = append(all, Route[V]{netip.PrefixFrom(a, bits), v})
			}
		}
	}
	slices.SortFunc(all, func(a, b Route[V]) int { return a.Prefix.Compare(b.Prefix) })
	return all
}

// All returns the routes in prefix order.
func (t *Lengths[V]) All() []Route[V] {
	return t.Covered(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
}
