package fib

import (
	"iter"
	"net/netip"
)

// All yields every prefix and its group in the order of netip.Prefix.Compare:
// by address, and a covering prefix before those inside it.
//
// The loop's own body may change the table. A prefix that is there all the time
// is yielded once; one that comes or goes, once or not at all.
func (t *Table) All() iter.Seq2[netip.Prefix, GroupID] {
	return t.Covered(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
}

// Covered yields p, if it is in the table, and all prefixes inside p, as All
// does. Of a prefix that Add would refuse it yields nothing.
func (t *Table) Covered(p netip.Prefix) iter.Seq2[netip.Prefix, GroupID] {
	return func(yield func(netip.Prefix, GroupID) bool) {
		key, err := prefixFrom(p)
		if err != nil {
			return
		}
		c, changes := t.routes.seek(key), t.routes.changes
		for {
			e := c.entry()
			if e == nil || !key.covers(e.addr) {
				return
			}
			at := e.prefix()
			if !yield(at.netip(), e.code.group()) {
				return
			}
			if t.routes.changes == changes {
				c = c.next()
				continue
			}
			c, changes = t.routes.seek(prefix{at.addr, at.bits + 1}), t.routes.changes
		}
	}
}

// Covering yields the prefixes of the table that cover p, the longest first; p
// itself comes first if it is there. The table must not change meanwhile.
func (t *Table) Covering(p netip.Prefix) iter.Seq2[netip.Prefix, GroupID] {
	return func(yield func(netip.Prefix, GroupID) bool) {
		key, err := prefixFrom(p)
		if err != nil {
			return
		}
		for e := t.routes.covering(key); e != nil; e = t.routes.outside(e) {
			if !yield(e.prefix().netip(), e.code.group()) {
				return
			}
		}
	}
}

// LookupPrefix is Lookup for people: it also returns the prefix, and false if
// there is none.
func (t *Table) LookupPrefix(a Addr) (netip.Prefix, GroupID, bool) {
	e := t.routes.covering(prefix{a, 128})
	if e == nil {
		return netip.Prefix{}, NoRoute, false
	}
	return e.prefix().netip(), e.code.group(), true
}
