package fib

import "math/bits"

const (
	stride   = 4           // bits of the address that one node consumes
	numSlots = 1 << stride // ways on from a node
)

// node is a place in the trie where at least two prefixes part, or the root.
// doc.go draws it. A published node never changes.
type node struct {
	path   Addr      // the bits that lead here; zero beyond depth
	own    uint32    // which indices have a prefix that ends in this node
	kids   uint16    // which slots lead to another node
	lone   uint16    // which slots lead to a single prefix
	depth  uint8     // bits of path, a multiple of stride
	groups []GroupID // one for each bit of own, in order of index
	nodes  []*node   // one for each bit of kids, in order of slot
	leaves []leaf    // one for each bit of lone, in order of slot
}

// leaf is a prefix that is alone in its slot, however long it is.
type leaf struct {
	addr  Addr
	group GroupID
	bits  uint8
}

// What Bytes counts with; the tests do not compile unless it is true (64-bit).
const (
	nodeBytes = 104
	leafBytes = 24
)

func (l *leaf) prefix() prefix { return prefix{l.addr, l.bits} }
func (n *node) prefix() prefix { return prefix{n.path, n.depth} }

// slot returns the stride bits of a after the first depth, a multiple of
// stride below 128.
func (a Addr) slot(depth uint8) uint32 {
	half := a.Hi
	if depth >= 64 {
		half = a.Lo
	}
	return uint32(half>>((64-stride-depth)&63)) % numSlots
}

// home is the depth of the node in which p ends. A prefix that ends where one
// node stops and the next begins belongs to the upper one; only ::/0 has none.
func (p prefix) home() uint8 {
	if p.bits == 0 {
		return 0
	}
	return (p.bits - 1) / stride * stride
}

// index numbers the prefixes that can end in one node like a binary heap: 1 is
// the node's own path, 2 and 3 are one bit longer, 16 to 31 four bits.
func (p prefix) index() uint32 {
	n := p.bits - p.home()
	return 1<<n | p.addr.slot(p.home())>>(stride-n)
}

// prefixAt undoes index.
func (n *node) prefixAt(index uint32) prefix {
	more := uint8(bits.Len32(index) - 1)
	value := uint64(index) - 1<<more
	p := prefix{n.path, n.depth + more}
	if n.depth < 64 {
		p.addr.Hi |= value << (64 - p.bits)
	} else {
		p.addr.Lo |= value << (128 - p.bits)
	}
	return p
}

// covering holds, for each slot, the indices whose prefixes cover it.
var covering = func() (c [numSlots]uint32) {
	for slot := range c {
		for index := uint32(slot + numSlots); index > 0; index /= 2 {
			c[slot] |= 1 << index
		}
	}
	return c
}()

// longest returns the index of the longest prefix of n that covers slot, and
// 0 if none does.
func (n *node) longest(slot uint32) uint32 {
	// Bit 0 is never set, so an empty set gives 0 too.
	return uint32(bits.Len32(n.own&covering[slot]|1) - 1)
}

// group returns the group of the prefix at index, which n must have.
func (n *node) group(index uint32) GroupID { return n.groups[rank(n.own, index)] }

// kid returns the node in slot, or nil.
func (n *node) kid(slot uint32) *node {
	if n.kids>>slot&1 == 0 {
		return nil
	}
	return n.nodes[rank(uint32(n.kids), slot)]
}

// leaf returns the lone prefix in slot, or nil.
func (n *node) leaf(slot uint32) *leaf {
	if n.lone>>slot&1 == 0 {
		return nil
	}
	return &n.leaves[rank(uint32(n.lone), slot)]
}

// rank returns how many bits of set stand below bit.
func rank(set, bit uint32) int { return bits.OnesCount32(set & (1<<bit - 1)) }

// match goes down from the root n as far as a's bits lead, and returns where the
// longest prefix that covers a is: a leaf, an index of a node, or nowhere.
func (n *node) match(a Addr) (l *leaf, at *node, index uint32) {
	for n != nil && n.prefix().covers(a) {
		slot := a.slot(n.depth)
		if i := n.longest(slot); i != 0 {
			at, index = n, i // its group, a cache miss, is needed only if it is the last
		}
		if l := n.leaf(slot); l != nil && l.prefix().covers(a) {
			return l, nil, 0
		}
		n = n.kid(slot)
	}
	return nil, at, index
}

func (n *node) lookup(a Addr) GroupID {
	l, at, index := n.match(a)
	switch {
	case l != nil:
		return l.group
	case at != nil:
		return at.group(index)
	}
	return NoRoute
}

func (n *node) lookupPrefix(a Addr) (prefix, GroupID, bool) {
	l, at, index := n.match(a)
	switch {
	case l != nil:
		return l.prefix(), l.group, true
	case at != nil:
		return at.prefixAt(index), at.group(index), true
	}
	return prefix{}, NoRoute, false
}

// get returns the group of exactly p.
func (n *node) get(p prefix) (GroupID, bool) {
	for n != nil && n.depth <= p.home() && n.prefix().covers(p.addr) {
		if n.depth == p.home() {
			if index := p.index(); n.own>>index&1 != 0 {
				return n.group(index), true
			}
			break
		}
		slot := p.addr.slot(n.depth)
		if l := n.leaf(slot); l != nil && l.prefix() == p {
			return l.group, true
		}
		n = n.kid(slot)
	}
	return NoRoute, false
}
