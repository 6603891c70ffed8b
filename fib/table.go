package fib

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"net/netip"
	"runtime"
	"sync/atomic"
)

// Table answers longest-prefix match over all 128 bits. Make one with New or
// NewIn.
//
// It has one writer: the controller. Lookup and LookupBatch are for any number
// of goroutines beside it, each between Enter and Leave of a Reader of its own
// (the writer needs none); NewReader is for any. All other methods are the
// writer's. Lookups take no lock, never retry, and do not allocate.
//
// A lookup's answer was right at some moment between the call and its return:
// a reader sees each change as not yet made or as made, never as half made,
// and sees the changes of one address in the order in which they were made.
// Two addresses need not agree: while a covering prefix changes, one lookup
// may find it changed and a later one, of another address, not yet. Once Add
// or Remove has returned, every lookup that begins sees the change.
type Table struct {
	view atomic.Pointer[view]

	routes routes
	builder
	scratch []entry

	epoch        atomic.Uint64
	readers      readers
	pending      []retired
	pendingWords int
	leaving      bool   // readers may be in the half that is not in use
	leftIn       uint64 // in which epoch it was left
	stuck        uint64 // how often a reader did not leave in time

	trieChanged, shortChanged bool   // since readers were last waited for
	half                      int    // of the memory that blocks are cut from
	head                      uint32 // of the trie
	lost                      bool   // memory ran out: readers find nothing
	tidying                   tidying
	churn                     int // updates since the trie was made or tidied
}

// view is where readers begin. It never changes once published.
type view struct {
	mem  Memory
	head uint32 // where the trie's head is
	wide bool
}

// A trie has a head in a fixed place: one root word for each value of the first
// bits, what the shortest prefixes say, and what the default route says. Address
// to which no longer prefix is known are looked up there, so that such a change
// does not have to be made all over the trie.
const (
	rootBits      = 4
	maxRootStride = 16
	numRoots      = 1 << rootBits
	shortBits     = 12

	defaultAt = numRoots
	shortsAt  = 64
	headSize  = shortsAt + 1<<shortBits/2 // two codes a word

	// Two heads are for tries, of which one is in use, and one for none.
	noneHead  = 2 * headSize
	noneRun   = 3 * headSize
	headsSize = noneRun + 1<<(shortBits-rootBits)
)

// The default is 256 MiB of address space, of which only what is used becomes
// memory: for some ten million routes.
const (
	defaultWords = 1 << 25
	leastWords   = 1 << 17
)

// New returns an empty table in memory of its own, as NewOf does, of which there
// is plenty if address space is.
func New() *Table {
	for words := defaultWords; ; words /= 2 {
		t, err := NewOf(words)
		if err == nil {
			return t
		}
		if words <= leastWords {
			panic(err)
		}
	}
}

// NewOf returns an empty table in memory of its own, of so many words, which goes
// when the table and its readers are no longer used.
func NewOf(words int) (*Table, error) {
	mem, err := MapMemory(words)
	if err != nil {
		return nil, err
	}
	t, err := NewIn(mem)
	if err != nil {
		return nil, errors.Join(err, mem.Unmap())
	}
	runtime.AddCleanup(t, func(m Memory) { _ = m.Unmap() }, mem)
	return t, nil
}

// NewIn returns an empty table in mem, of at least 1 MiB, that must be zero and
// stay as long as the table and its readers. Half of it is for moving into.
func NewIn(mem Memory) (*Table, error) {
	if len(mem) < leastWords || len(mem) > maxWords {
		return nil, fmt.Errorf("make a FIB in %d words of memory: want %d to %d", len(mem), leastWords, maxWords)
	}
	t := new(Table)
	t.epoch.Store(1)
	t.mem = mem
	t.layNone()
	t.open(0)
	t.head, t.bytesPerStep = headSize, bytesPerStep(0)
	t.buildAll(nil)
	return t, nil
}

// prefixAndCode checks what Add and Build are given.
func prefixAndCode(p netip.Prefix, g GroupID) (prefix, code, error) {
	key, err := prefixFrom(p)
	if err != nil {
		return prefix{}, 0, fmt.Errorf("add prefix to FIB: %w", err)
	}
	if g >= MaxGroups {
		return prefix{}, 0, fmt.Errorf("add prefix to FIB: %v: group %d: the highest is %d", p, g, MaxGroups-1)
	}
	return key, code(g) + 1, nil
}

// Add lets p, whose host bits do not matter, lead to g. A prefix that is there
// already gets g instead of its former group; no lookup finds it missing
// meanwhile. NoRoute is a group like any other: a prefix that leads to it hides
// those that cover it.
//
// The error matches ErrInvalidPrefix, ErrNotIPv6, ErrFull or ErrBusy, or says
// that g is no group; the table is then unchanged.
func (t *Table) Add(p netip.Prefix, g GroupID) error {
	key, c, err := prefixAndCode(p, g)
	if err != nil {
		return err
	}
	at := t.routes.seek(key)
	was := code(0) // it is new
	if e := at.entry(); e != nil && e.prefix() == key {
		was = e.code
	}
	if was == c {
		return nil
	}
	if err := t.reserve(key, c); err != nil {
		return fmt.Errorf("add prefix to FIB: %v: %w", p, err)
	}
	t.update(key, t.routes.set(at, key, c))
	if t.lost { // as it was, then
		if at = t.routes.seek(key); was != 0 {
			t.routes.set(at, key, was)
		} else {
			t.routes.remove(at, key)
		}
		t.restore()
		return fmt.Errorf("add prefix to FIB: %v: %w", p, ErrFull)
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
	at := t.routes.seek(key)
	if e := at.entry(); e == nil || e.prefix() != key {
		return false
	}
	t.mindTidying()
	t.update(key, t.routes.remove(at, key))
	return true
}

// Build puts in all prefixes of an empty table at once, which must come in the
// order of netip.Prefix.Compare, each once. It is some ten times as fast as
// adding them, and readers see the table as empty or whole.
func (t *Table) Build(all iter.Seq2[netip.Prefix, GroupID]) error {
	if t.routes.size > 0 {
		return fmt.Errorf("build FIB: it has %d prefixes; want an empty one", t.routes.size)
	}
	var es []entry
	wide := false
	for p, g := range all {
		key, c, err := prefixAndCode(p, g)
		if err != nil {
			return err
		}
		if n := len(es); n > 0 && es[n-1].prefix().compare(key) >= 0 {
			return fmt.Errorf("build FIB: %v comes after %v; want prefixes in order, each once", p, es[n-1].prefix().netip())
		}
		es = append(es, entry{addr: key.addr, bits: key.bits, code: c})
		wide = wide || c > maxNarrow
	}
	t.finishTidying()
	if t.lost || !t.otherHalf() {
		return fmt.Errorf("build FIB: %w", ErrBusy)
	}
	t.routes.load(es)
	if !t.moveAll(wide, es) {
		t.routes = routes{}
		return fmt.Errorf("build FIB of %d prefixes: %w", len(es), ErrFull)
	}
	return nil
}

// Get returns the group of exactly p, and whether p is in the table.
func (t *Table) Get(p netip.Prefix) (GroupID, bool) {
	key, err := prefixFrom(p)
	if err != nil {
		return NoRoute, false
	}
	if e := t.routes.get(key); e != nil {
		return e.code.group(), true
	}
	return NoRoute, false
}

// group is the group of c. Without a prefix it is NoRoute.
func (c code) group() GroupID { return GroupID(max(c, 1) - 1) }

// Len returns the number of prefixes.
func (t *Table) Len() int { return t.routes.size }

// update makes the trie show what has become of p, which is at c or was.
func (t *Table) update(p prefix, c cursor) {
	t.churn++
	switch {
	case t.lost:
		t.restore()
	case p.bits <= shortBits:
		t.updateShort(p)
	case t.attempt(func() { t.patch(p, c) }):
		t.trieChanged = true
	default:
		t.renew()
	}
	if len(t.pending) >= reclaimAt {
		t.reclaim()
	}
}

// updateShort changes what addresses get that no longer prefix covers.
//
// A reader looks there after it has found none. If one has been added since, and
// what is there changes before the reader comes to it, then the reader would put
// together two things that never were at the same time. So all that were at
// it when the longer prefix came are waited for; that is a batch's time, and
// only for the first of several such changes.
func (t *Table) updateShort(p prefix) {
	if (t.trieChanged || p.bits == 0 && t.shortChanged) && t.synchronize() {
		t.trieChanged, t.shortChanged = false, false
	}
	if p.bits == 0 {
		t.publish(t.head+defaultAt, word(t.codeOf(p)))
		return
	}
	t.shortChanged = true
	for i := range uint32(1) << (shortBits - p.bits) {
		t.putShort(uint32(p.addr.Hi>>(64-shortBits)) + i)
	}
}

func (t *Table) codeOf(p prefix) code {
	if e := t.routes.get(p); e != nil {
		return e.code
	}
	return 0
}

// putShort sets what addresses with these first bits get.
func (t *Table) putShort(i uint32) {
	at, shift := t.head+shortsAt+i/2, i%2*32
	if v := t.mem[at]&^(math.MaxUint32<<shift) | uint64(t.shortCode(i))<<shift; v != t.mem[at] {
		t.publish(at, word(v))
	}
}

func (t *Table) shortCode(i uint32) code {
	e := t.routes.covering(prefix{Addr{Hi: uint64(i) << (64 - shortBits)}, shortBits})
	if e == nil || e.bits == 0 {
		return 0
	}
	return e.code
}

// rootRegion is the run of words that a's way begins in, and its root word.
func (t *Table) rootRegion(a Addr) (region, word) {
	p := prefix{a.mask(rootBits), rootBits}
	return region{p, 0, 64}, word(t.mem[t.head+uint32(a.Hi>>(64-rootBits))])
}
