package fib

import (
	"fmt"
	"iter"
	"net/netip"
	"sync/atomic"
)

// Table answers longest-prefix match over all 128 bits. Make one with New.
//
// Add and Remove belong to one writer: the controller. All other methods may be
// called by any goroutine at any time; they take no lock and never retry.
// Lookup and LookupBatch do not allocate.
//
// A lookup's answer was right at some moment between the call and its return:
// a reader sees each change as not yet made or as made, never as half made,
// and sees the changes of one address in the order in which they were made.
// Two addresses need not agree: while a covering prefix changes, one lookup
// may find it changed and a later one, of another address, not yet. Once Add
// or Remove has returned, every lookup that begins sees the change.
type Table struct {
	root atomic.Pointer[node] // never nil; its depth is 0
	len  atomic.Int64
}

// New returns an empty table.
func New() *Table {
	t := new(Table)
	t.root.Store(new(node))
	return t
}

// Add lets p, whose host bits do not matter, lead to g. A prefix that is there
// already gets g instead of its former group; no lookup finds it missing
// meanwhile. NoRoute is a group like any other: a prefix that leads to it hides
// those that cover it.
//
// The error matches ErrInvalidPrefix or ErrNotIPv6, or says that g is no group;
// the table is then unchanged.
func (t *Table) Add(p netip.Prefix, g GroupID) error {
	key, err := prefixFrom(p)
	if err != nil {
		return fmt.Errorf("add prefix to FIB: %w", err)
	}
	if g >= MaxGroups {
		return fmt.Errorf("add prefix to FIB: %v: group %d: the highest is %d", p, g, MaxGroups-1)
	}
	root, added := t.root.Load().with(key, g)
	t.root.Store(root)
	if added {
		t.len.Add(1)
	}
	return nil
}

// Remove takes p out and says whether it was there. Its addresses fall to the
// longest prefix that remains.
func (t *Table) Remove(p netip.Prefix) bool {
	key, err := prefixFrom(p)
	if err != nil {
		return false
	}
	root, removed := t.root.Load().without(key)
	if removed {
		t.root.Store(root)
		t.len.Add(-1)
	}
	return removed
}

// Get returns the group of exactly p, and whether p is in the table.
func (t *Table) Get(p netip.Prefix) (GroupID, bool) {
	key, err := prefixFrom(p)
	if err != nil {
		return NoRoute, false
	}
	return t.root.Load().get(key)
}

// Lookup returns the group of the longest prefix that covers a, NoRoute if none
// does.
func (t *Table) Lookup(a Addr) GroupID { return t.root.Load().lookup(a) }

// LookupBatch looks up every address of addrs and puts its group at the same
// place of out, which must be at least as long. Each answer for itself is right
// as one of Lookup is, at some moment during the call.
func (t *Table) LookupBatch(addrs []Addr, out []GroupID) {
	out = out[:len(addrs)]
	root := t.root.Load()
	for i, a := range addrs {
		out[i] = root.lookup(a)
	}
}

// LookupPrefix is Lookup for people: it also returns the prefix, and false if
// there is none.
func (t *Table) LookupPrefix(a Addr) (netip.Prefix, GroupID, bool) {
	p, g, ok := t.root.Load().lookupPrefix(a)
	if !ok {
		return netip.Prefix{}, NoRoute, false
	}
	return p.netip(), g, true
}

// Len returns the number of prefixes.
func (t *Table) Len() int { return int(t.len.Load()) }

// All yields every prefix and its group in the order of netip.Prefix.Compare:
// by address, and a covering prefix before those inside it.
//
// The table may change meanwhile, even by the loop's own body. A prefix that is
// there all the time is yielded once; one that comes or goes, once or not at
// all.
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
		t.root.Load().covered(key, func(p prefix, g GroupID) bool { return yield(p.netip(), g) })
	}
}

// Bytes returns how much memory the table's nodes take, in bytes, without what
// the allocator adds. It visits every node: milliseconds for a full table.
func (t *Table) Bytes() int { return t.root.Load().bytes() }
