package fib

// walk calls yield with the prefixes from index on down in prefix order, until
// it returns false, and then returns false too.
func (n *node) walk(index uint32, yield func(prefix, GroupID) bool) bool {
	if n.own>>index&1 != 0 && !yield(n.prefixAt(index), n.group(index)) {
		return false
	}
	if index < numSlots {
		return n.walk(2*index, yield) && n.walk(2*index+1, yield)
	}
	slot := index - numSlots
	if l := n.leaf(slot); l != nil {
		return yield(l.prefix(), l.group)
	}
	if kid := n.kid(slot); kid != nil {
		return kid.walk(1, yield)
	}
	return true
}

// covered is walk for p and the prefixes inside it.
func (n *node) covered(p prefix, yield func(prefix, GroupID) bool) {
	for n != nil && n.depth < p.home() && n.prefix().covers(p.addr) {
		slot := p.addr.slot(n.depth)
		if l := n.leaf(slot); l != nil && l.bits >= p.bits && p.covers(l.addr) {
			yield(l.prefix(), l.group)
			return
		}
		n = n.kid(slot)
	}
	switch {
	case n == nil:
	case n.depth == p.home() && n.path == p.addr.mask(n.depth):
		n.walk(p.index(), yield)
	case n.depth >= p.bits && p.covers(n.path):
		n.walk(1, yield)
	}
}

// bytes returns the size of n and all below it.
func (n *node) bytes() int {
	total := nodeBytes + 4*len(n.groups) + 8*len(n.nodes) + leafBytes*len(n.leaves)
	for _, kid := range n.nodes {
		total += kid.bytes()
	}
	return total
}
