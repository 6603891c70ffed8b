package fib

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Reader says for one goroutine whether it may be holding parts of the table.
// What the writer takes out is used again only when no Reader can hold it.
//
// Enter and Leave belong to the Reader's goroutine. A Reader that has left, say
// because its goroutine sleeps, holds nothing up.
type Reader struct {
	_     [64]byte      // its own cache line: others are written by other processors
	epoch atomic.Uint64 // the table's when it entered; 0: it holds nothing
	_     [56]byte
	table *Table
}

// Enter must come before the lookups of a batch.
//
// Ordering: it is a full barrier, so that whatever is looked up was still
// reachable after the writer could see that the reader is there.
func (r *Reader) Enter() { r.epoch.Store(r.table.epoch.Load()) }

// Leave must come after them.
func (r *Reader) Leave() { r.epoch.Store(0) }

// readers are those that there are. The list changes under its lock and is read
// by the writer without.
type readers struct {
	lock sync.Mutex
	list atomic.Pointer[[]*Reader]
}

// NewReader makes a Reader for a goroutine that is not the writer. Any
// goroutine may call it. Close it at the end.
func (t *Table) NewReader() *Reader {
	r := &Reader{table: t}
	t.readers.change(func(list []*Reader) []*Reader { return append(list, r) })
	return r
}

// Close ends r, which must have left.
func (r *Reader) Close() {
	r.table.readers.change(func(list []*Reader) []*Reader {
		return slices.DeleteFunc(list, func(other *Reader) bool { return other == r })
	})
}

func (rs *readers) change(do func([]*Reader) []*Reader) {
	rs.lock.Lock()
	defer rs.lock.Unlock()
	list := do(slices.Clone(rs.all()))
	rs.list.Store(&list)
}

func (rs *readers) all() []*Reader {
	if list := rs.list.Load(); list != nil {
		return *list
	}
	return nil
}

// oldest is the epoch that the longest busy reader entered in; without one, the
// highest there is.
func (rs *readers) oldest() uint64 {
	oldest := ^uint64(0)
	for _, r := range rs.all() {
		if e := r.epoch.Load(); e != 0 {
			oldest = min(oldest, e)
		}
	}
	return oldest
}

// retired is a block that readers may hold which entered in an epoch up to its.
type retired struct {
	block
	epoch uint64
}

// reclaimAt is how many retired blocks are looked at together.
const reclaimAt = 64

func (t *Table) retire(b block) {
	t.pending = append(t.pending, retired{b, t.epoch.Load()})
	t.pendingWords += int(b.size)
}

// pendingHere is the words of retired blocks of the half in use.
func (t *Table) pendingHere() (words int) {
	for _, p := range t.pending {
		if t.owns(p.block) {
			words += int(p.size)
		}
	}
	return words
}

// reclaim frees what no reader can hold any more. Readers that enter from here
// on hold nothing of what was retired before.
func (t *Table) reclaim() {
	t.epoch.Add(1)
	oldest := t.readers.oldest()
	n := 0
	for n < len(t.pending) && t.pending[n].epoch < oldest {
		t.pendingWords -= int(t.pending[n].size)
		t.put(t.pending[n].block)
		n++
	}
	t.pending = t.pending[:copy(t.pending, t.pending[n:])]
	if t.leaving && t.leftIn < oldest {
		t.leaving = false
		t.forgetOther()
	}
}

// StuckReaders returns how often a reader did not leave while it was waited for.
func (t *Table) StuckReaders() uint64 { return t.stuck }

// patience is how often a synchronize lets others run before it takes a reader
// for stuck.
const patience = 1 << 14

// Tests have readers go on here: after each store that they can see, and while
// the writer waits for them.
var afterStore, whileWaiting func()

// synchronize returns when every reader that is busy now has left, or false if
// one does not.
func (t *Table) synchronize() bool {
	now := t.epoch.Add(1)
	for i := range patience {
		if t.readers.oldest() >= now {
			t.reclaim()
			return true
		}
		if whileWaiting != nil {
			whileWaiting()
		}
		if i >= patience/2 { // a batch would be over by now: let others run
			runtime.Gosched()
		}
	}
	t.stuck++
	return false
}

// retireBlock retires the block of an inner word, retireSkip that of a skip word,
// retireRun the words of a kid and all that they lead to, and retireAll a word of
// any kind and all that it leads to.

func (t *Table) retireBlock(w word) {
	front := t.leafWords(int(w.leaves()))
	t.retire(block{w.block() - front, front + w.kidWords()})
}

func (t *Table) retireRun(w word, slot uint64) {
	run := w.run(slot)
	for _, kid := range t.mem[run : run+1<<w.tag()] {
		t.retireAll(word(kid))
	}
}

func (t *Table) retireSkip(w word) {
	t.retireAll(word(t.mem[w.block()+skipMiss]))
	t.retire(block{w.block(), skipSize})
}

func (t *Table) retireAll(w word) {
	switch {
	case w.inner():
		for i := range uint64(numSlots) {
			if w.kid(i) {
				t.retireRun(w, i)
			}
		}
		t.retireBlock(w)
	case w.skip():
		t.retireAll(word(t.mem[w.block()+skipWay]))
		t.retireSkip(w)
	case t.wide:
		t.retire(block{w.wideBlock(), 1})
	}
}
