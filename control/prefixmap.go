package control

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"net/netip"

	"github.com/fwd6/fwd6/fib"
)

// prefixMap maps IPv6 prefixes to values. It knows what the FIB's table need
// not: which prefixes cover another, which lie inside it, and their order.
// The zero prefixMap is empty. It has one owner.
//
// It is a binary tree in which a node has the longest prefix that all below it
// share, so that its depth grows with nesting and not with prefix length. No
// loop over it may change it.
type prefixMap[V any] struct {
	root *prefixNode[V]
	size int
}

type prefixNode[V any] struct {
	key   prefixKey
	has   bool // value is there; else the node only parts its children
	child [2]*prefixNode[V]
	value V
}

// prefixKey is a prefix whose bits beyond its length are zero.
type prefixKey struct {
	addr fib.Addr
	bits uint8
}

func keyOf(p netip.Prefix) prefixKey {
	return prefixKey{fib.AddrFrom(p.Addr()), uint8(p.Bits())}.trim(uint8(p.Bits()))
}

func hiAddr(hi uint64) fib.Addr { return fib.Addr{Hi: hi} }

func hostKey(a netip.Addr) prefixKey { return prefixKey{fib.AddrFrom(a), 128} }

func (k prefixKey) prefix() netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.addr.Hi)
	binary.BigEndian.PutUint64(b[8:], k.addr.Lo)
	return netip.PrefixFrom(netip.AddrFrom16(b), int(k.bits))
}

// trim returns the first n bits of k.
func (k prefixKey) trim(n uint8) prefixKey {
	if n <= 64 {
		return prefixKey{fib.Addr{Hi: k.addr.Hi &^ (^uint64(0) >> n)}, n}
	}
	return prefixKey{fib.Addr{Hi: k.addr.Hi, Lo: k.addr.Lo &^ (^uint64(0) >> (n - 64))}, n}
}

// last returns the highest address that k covers.
func (k prefixKey) last() fib.Addr {
	if k.bits <= 64 {
		return fib.Addr{Hi: k.addr.Hi | ^uint64(0)>>k.bits, Lo: ^uint64(0)}
	}
	return fib.Addr{Hi: k.addr.Hi, Lo: k.addr.Lo | ^uint64(0)>>(k.bits-64)}
}

// bit returns bit n of k, counted from the left.
func (k prefixKey) bit(n uint8) int {
	if n < 64 {
		return int(k.addr.Hi >> (63 - n) & 1)
	}
	return int(k.addr.Lo >> (127 - n) & 1)
}

// common returns how many leading bits j and k share.
func (k prefixKey) common(j prefixKey) uint8 {
	n := uint8(128)
	if d := k.addr.Hi ^ j.addr.Hi; d != 0 {
		n = uint8(bits.LeadingZeros64(d))
	} else if d := k.addr.Lo ^ j.addr.Lo; d != 0 {
		n = 64 + uint8(bits.LeadingZeros64(d))
	}
	return min(n, k.bits, j.bits)
}

func (k prefixKey) covers(j prefixKey) bool { return k.bits <= j.bits && k.common(j) == k.bits }

// compare orders as netip.Prefix.Compare does: by address, and a covering
// prefix before those inside it.
func (k prefixKey) compare(j prefixKey) int {
	if c := compareAddr(k.addr, j.addr); c != 0 {
		return c
	}
	return int(k.bits) - int(j.bits)
}

func compareAddr(a, b fib.Addr) int {
	switch {
	case a == b:
		return 0
	case a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo:
		return -1
	}
	return 1
}

// get returns the value of exactly k.
func (m *prefixMap[V]) get(k prefixKey) (v V, ok bool) {
	for n := m.root; n != nil && n.key.covers(k); n = n.child[k.bit(n.key.bits)] {
		if n.key.bits == k.bits {
			return n.value, n.has
		}
	}
	return v, false
}

// set gives k the value v.
func (m *prefixMap[V]) set(k prefixKey, v V) {
	at := &m.root
	for *at != nil && (*at).key.bits < k.bits && (*at).key.covers(k) {
		at = &(*at).child[k.bit((*at).key.bits)]
	}
	n := *at
	switch {
	case n != nil && n.key == k:
	case n == nil:
		n = &prefixNode[V]{key: k}
	default: // n is not on k's way: both go below what they share
		fork := &prefixNode[V]{key: k.trim(k.common(n.key))}
		fork.child[n.key.bit(fork.key.bits)] = n
		if n = fork; fork.key != k {
			n = &prefixNode[V]{key: k}
			fork.child[k.bit(fork.key.bits)] = n
		}
		*at = fork
	}
	if *at == nil {
		*at = n
	}
	if !n.has {
		n.has = true
		m.size++
	}
	n.value = v
}

// remove takes k out.
func (m *prefixMap[V]) remove(k prefixKey) {
	var above **prefixNode[V] // the way to the parent of *at
	at := &m.root
	for *at != nil && (*at).key.bits < k.bits && (*at).key.covers(k) {
		above, at = at, &(*at).child[k.bit((*at).key.bits)]
	}
	n := *at
	if n == nil || n.key != k || !n.has {
		return
	}
	var none V
	n.has, n.value = false, none
	m.size--
	lift(at)
	if above != nil {
		lift(above) // it may have parted n from its sibling and nothing else
	}
}

// lift replaces a node that has no value and parts nothing by what is below it.
func lift[V any](at **prefixNode[V]) {
	n := *at
	switch {
	case n.has:
	case n.child[0] == nil:
		*at = n.child[1]
	case n.child[1] == nil:
		*at = n.child[0]
	}
}

// covering yields the prefixes that cover k, k included, the longest last.
func (m *prefixMap[V]) covering(k prefixKey) iter.Seq2[prefixKey, V] {
	return func(yield func(prefixKey, V) bool) {
		for n := m.root; n != nil && n.key.covers(k); n = n.child[k.bit(n.key.bits)] {
			if n.has && !yield(n.key, n.value) || n.key.bits == k.bits {
				return
			}
		}
	}
}

// longest returns the longest prefix that covers k, which may be k.
func (m *prefixMap[V]) longest(k prefixKey) (found prefixKey, v V, ok bool) {
	for p, value := range m.covering(k) {
		found, v, ok = p, value, true
	}
	return found, v, ok
}

// inside yields k, if it is there, and the prefixes that it covers, in order.
func (m *prefixMap[V]) inside(k prefixKey) iter.Seq2[prefixKey, V] {
	return func(yield func(prefixKey, V) bool) {
		n := m.root
		for n != nil && n.key.bits < k.bits && n.key.covers(k) {
			n = n.child[k.bit(n.key.bits)]
		}
		if n != nil && k.covers(n.key) {
			n.walk(yield)
		}
	}
}

// all yields every prefix in order.
func (m *prefixMap[V]) all() iter.Seq2[prefixKey, V] { return m.inside(prefixKey{}) }

// after yields the prefixes that come after k in order.
func (m *prefixMap[V]) after(k prefixKey) iter.Seq2[prefixKey, V] {
	return func(yield func(prefixKey, V) bool) { m.root.walkAfter(k, yield) }
}

func (n *prefixNode[V]) walk(yield func(prefixKey, V) bool) bool {
	return n == nil ||
		(!n.has || yield(n.key, n.value)) && n.child[0].walk(yield) && n.child[1].walk(yield)
}

func (n *prefixNode[V]) walkAfter(k prefixKey, yield func(prefixKey, V) bool) bool {
	switch {
	case n == nil || compareAddr(n.key.last(), k.addr) < 0:
		return true
	case n.key.compare(k) > 0: // and so is all below it
		return n.walk(yield)
	}
	return n.child[0].walkAfter(k, yield) && n.child[1].walkAfter(k, yield)
}
