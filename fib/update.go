package fib

import "math/bits"

// with returns n with p leading to g, and whether p is new in it. n itself,
// which readers may hold, stays as it is: every node on p's way is copied.
func (n *node) with(p prefix, g GroupID) (*node, bool) {
	if p.home() == n.depth {
		return n.withOwn(p.index(), g)
	}
	c, slot := *n, p.addr.slot(n.depth)
	if kid := n.kid(slot); kid != nil {
		kid, added := kid.joined(p, g)
		c.nodes = replaced(n.nodes, rank(uint32(n.kids), slot), kid)
		return &c, added
	}
	l := n.leaf(slot)
	switch {
	case l == nil:
		c.putLeaf(slot, leaf{p.addr, g, p.bits})
	case l.prefix() == p:
		c.leaves = replaced(n.leaves, rank(uint32(n.lone), slot), leaf{p.addr, g, p.bits})
		return &c, false
	default:
		kid := fork(min(l.prefix().home(), p.home()), l.addr, p.addr)
		kid, _ = kid.with(l.prefix(), l.group)
		kid, _ = kid.with(p, g)
		c.dropLeaf(slot)
		c.putKid(slot, kid)
	}
	return &c, true
}

// withOwn is with for a prefix that ends in n.
func (n *node) withOwn(index uint32, g GroupID) (*node, bool) {
	c, i := *n, rank(n.own, index)
	if n.own>>index&1 != 0 {
		c.groups = replaced(n.groups, i, g)
		return &c, false
	}
	c.own |= 1 << index
	c.groups = inserted(n.groups, i, g)
	return &c, true
}

// joined is with for a node that p may leave before its depth: then both go
// below a new node where they part.
func (n *node) joined(p prefix, g GroupID) (*node, bool) {
	f := fork(p.home(), n.path, p.addr)
	if f.depth >= n.depth {
		return n.with(p, g)
	}
	f.putKid(n.path.slot(f.depth), n)
	return f.with(p, g)
}

// fork returns an empty node where a and b part, or at depth if that is less.
func fork(depth uint8, a, b Addr) *node {
	depth = min(depth, a.common(b)/stride*stride)
	return &node{path: a.mask(depth), depth: depth}
}

// without returns n without p, or n itself and false if p is not in it. Like
// with, it leaves n as it is.
func (n *node) without(p prefix) (*node, bool) {
	if p.home() == n.depth {
		return n.withoutOwn(p)
	}
	c, slot := *n, p.addr.slot(n.depth)
	if l := n.leaf(slot); l != nil && l.prefix() == p {
		c.dropLeaf(slot)
		return &c, true
	}
	kid := n.kid(slot)
	if kid == nil || kid.depth > p.home() || !kid.prefix().covers(p.addr) {
		return n, false
	}
	kid, removed := kid.without(p)
	if !removed {
		return n, false
	}
	if l, ok := kid.only(); ok {
		c.dropKid(slot)
		c.putLeaf(slot, l)
		return &c, true
	}
	if kid.own == 0 && len(kid.nodes) == 1 && len(kid.leaves) == 0 {
		kid = kid.nodes[0] // nothing parts here any more
	}
	c.nodes = replaced(n.nodes, rank(uint32(n.kids), slot), kid)
	return &c, true
}

// withoutOwn is without for a prefix that would end in n.
func (n *node) withoutOwn(p prefix) (*node, bool) {
	index := p.index()
	if n.own>>index&1 == 0 {
		return n, false
	}
	c := *n
	c.groups = removed(n.groups, rank(n.own, index))
	c.own &^= 1 << index
	return &c, true
}

// only returns the prefix below n if it is the only one.
func (n *node) only() (leaf, bool) {
	if len(n.nodes) != 0 || len(n.groups)+len(n.leaves) != 1 {
		return leaf{}, false
	}
	if len(n.leaves) == 1 {
		return n.leaves[0], true
	}
	p := n.prefixAt(uint32(bits.TrailingZeros32(n.own)))
	return leaf{p.addr, n.groups[0], p.bits}, true
}

// The put and drop methods change n, which must not be published yet; the
// slices that it may share with a published node are copied.

func (n *node) putLeaf(slot uint32, l leaf) {
	n.leaves = inserted(n.leaves, rank(uint32(n.lone), slot), l)
	n.lone |= 1 << slot
}

func (n *node) dropLeaf(slot uint32) {
	n.leaves = removed(n.leaves, rank(uint32(n.lone), slot))
	n.lone &^= 1 << slot
}

func (n *node) putKid(slot uint32, kid *node) {
	n.nodes = inserted(n.nodes, rank(uint32(n.kids), slot), kid)
	n.kids |= 1 << slot
}

func (n *node) dropKid(slot uint32) {
	n.nodes = removed(n.nodes, rank(uint32(n.kids), slot))
	n.kids &^= 1 << slot
}

// The next three return a changed copy of s that has no room to spare: append
// and slices.Insert would leave some in every node.

func inserted[T any](s []T, i int, v T) []T {
	c := make([]T, len(s)+1)
	copy(c, s[:i])
	c[i] = v
	copy(c[i+1:], s[i:])
	return c
}

func replaced[T any](s []T, i int, v T) []T {
	c := make([]T, len(s))
	copy(c, s)
	c[i] = v
	return c
}

func removed[T any](s []T, i int) []T {
	if len(s) == 1 {
		return nil
	}
	c := make([]T, len(s)-1)
	copy(c, s[:i])
	copy(c[i:], s[i+1:])
	return c
}
