package fib

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
)

// ErrBusy says that a reader has not left for so long that the table cannot move.
var ErrBusy = errors.New("a reader of the FIB is stuck")

// tidying is a compaction under way: the words that roots lead to are made anew
// one after another, in the other half of the memory.
type tidying struct {
	running bool
	root    int    // at hand
	moved   bool   // its run is in the new half
	next    uint32 // word of its run
	words   int    // that it takes, about
}

// mostFor is more words than a trie of n prefixes takes, but for small ones that
// spend them on short ways.
func (t *Table) mostFor(n int) int { return 1<<12 + 16*n }

// reserve sees that there is room for p to become part of the trie, as far as
// can be told before. Where it takes more, because a large region has to be made
// anew, and that is not there, renew helps.
func (t *Table) reserve(p prefix, c code) error {
	t.mindTidying()
	if t.lost {
		t.restore()
	}
	if t.lost {
		return fmt.Errorf("%w: so much that it cannot be read", ErrFull)
	}
	if p.bits <= shortBits { // which are in the head
		return nil
	}
	if c > maxNarrow && !t.wide {
		if err := t.widen(); err != nil {
			return err
		}
	}
	need := t.spare()
	if t.room() >= need+t.mostFor(t.routes.size) { // plenty, whatever p covers
		return nil
	}
	// What p covers is repainted: no more than there is.
	need += min(t.mostFor(t.routes.about(p)), t.used)
	if t.room() >= need || t.compact(need) {
		return nil
	}
	return fmt.Errorf("%w: %d of %d words are in use by %d prefixes", ErrFull, t.used, t.to-t.from, t.routes.size)
}

// compact makes the trie anew so that there is so much room, and says whether
// there is: rather with longer ways than without.
func (t *Table) compact(need int) bool {
	t.finishTidying()
	for t.room() < need && !t.lost {
		perStep := t.perStep()
		if t.churn == 0 {
			perStep = 0 // it is as small as it can be with short ways
		}
		if t.churn == 0 && t.bytesPerStep == 0 || !t.otherHalf() || !t.move(t.wide, nil, perStep) {
			break
		}
	}
	return t.room() >= need && !t.lost
}

// spare is what one update may need besides what covers the prefixes inside its
// own: a run at most (see tooFar).
func (t *Table) spare() int { return 1<<10 + min(2*t.routes.size, 1<<16) }

// widen makes the trie anew with values of 32 bits.
func (t *Table) widen() error {
	t.finishTidying()
	if t.lost || !t.otherHalf() {
		return ErrBusy
	}
	if !t.moveAll(true, nil) {
		return fmt.Errorf("%w: the values of %d prefixes do not fit when they are wider", ErrFull, t.routes.size)
	}
	return nil
}

// otherHalf says whether the half that is not in use can be moved into. It waits
// for readers that may be there.
func (t *Table) otherHalf() bool {
	if t.leaving {
		t.synchronize()
	}
	return !t.leaving && !t.tidying.running
}

// moveAll makes the whole trie anew from all entries, of which nil stands for
// those of routes, in the other half, which must be free, with a head of its own,
// and publishes it by one store. If there is no room, all is as it was.
func (t *Table) moveAll(wide bool, all []entry) (ok bool) { return t.move(wide, all, t.perStep()) }

func (t *Table) move(wide bool, all []entry, perStep int) (ok bool) {
	was, wasWide, churn, wasPerStep := t.arena, t.wide, t.churn, t.bytesPerStep
	t.turn()
	t.wide, t.bytesPerStep = wide, perStep
	if !t.makeAll(all) {
		t.half ^= 1
		t.arena, t.wide, t.churn, t.bytesPerStep = was, wasWide, churn, wasPerStep
		t.forgetOther()
		return false
	}
	t.leaving, t.leftIn = true, t.epoch.Load()
	t.reclaim()
	return true
}

// turn goes over to the other half.
func (t *Table) turn() {
	perStep := t.perStep()
	t.half ^= 1
	t.open(t.half)
	t.churn, t.bytesPerStep = 0, perStep
}

// perStep is bytesPerStep for the table as it is, unless memory is short.
func (t *Table) perStep() int {
	if t.used > int(t.to-t.from)/2 {
		return 0
	}
	return bytesPerStep(t.routes.size)
}

// forgetOther gives the half that is not in use back to the kernel.
func (t *Table) forgetOther() {
	at, size := t.mem.halves()
	at += uint32(t.half^1) * size
	t.mem.forget(int(at), int(at+size))
}

// buildAll makes the trie of all entries, which are in order and may be changed,
// and publishes it.
func (t *Table) buildAll(all []entry) {
	head := headSize - t.head
	for i := range uint64(numRoots) {
		r := region{prefix{Addr{Hi: i << (64 - rootBits)}, rootBits}, 0, 64}
		n := 0
		for n < len(all) && r.covers(all[n].addr) {
			n++
		}
		t.mem[head+uint32(i)] = uint64(t.buildRoot(r, inTrie(all[:n])))
		all = all[n:]
	}
	t.mem[head+defaultAt] = uint64(t.codeOf(prefix{}))
	for i := range uint32(1) << shortBits {
		at, shift := head+shortsAt+i/2, i%2*32
		t.mem[at] = t.mem[at]&^(math.MaxUint32<<shift) | uint64(t.shortCode(i))<<shift
	}
	t.head = head
	t.view.Store(&view{t.mem, head, t.wide})
	if afterStore != nil {
		afterStore()
	}
}

// insideRoot returns the entries of the trie whose addresses begin with the same
// rootBits.
func (t *Table) insideRoot(r region) []entry {
	t.scratch = t.routes.appendInside(t.scratch[:0], r.prefix, maxEntries)
	return inTrie(t.scratch)
}

// inTrie leaves out of es the shortest prefixes.
func inTrie(es []entry) []entry {
	n := 0
	for i := range es {
		if es[i].bits > shortBits {
			es[n] = es[i]
			n++
		}
	}
	return es[:n]
}

// buildRoot makes a run of words for them.
func (t *Table) buildRoot(r region, es []entry) word {
	e := t.chooseRootStride(r, es)
	at := t.alloc(1 << e)
	t.fill(at, e, r, es)
	return innerWord(at, 0, 0, e)
}

// chooseRootStride is chooseStride for the one run of a root. Its words are so
// deep that the shortest prefixes are not inside any.
func (b *builder) chooseRootStride(r region, es []entry) uint8 {
	return max(shortBits-rootBits, b.chooseStride(region{prefix{r.addr, r.bits - stride}, 0, r.end}, es, maxRootStride))
}

// Tidy does a part of the work of making the trie as it would be if it was built
// at once, if enough has changed to make that worth it: about as much as it takes
// to make budget prefixes anew; all that is below one word of a root if that is
// more; or four times as many, and 65,536 in any case, where a root's run is too
// small or too large by now. Where an eighth of the memory is in use, there is no room to do it bit
// by bit, and it is done at once. Tidy says whether nothing is left to do. Readers
// go on meanwhile, and updates between calls.
func (t *Table) Tidy(budget int) (done bool) {
	if t.lost {
		t.restore()
	}
	if len(t.pending) > 0 || t.leaving {
		t.reclaim()
	}
	if !t.tidying.running && (t.lost || !t.untidy() || !t.startTidying()) {
		return true
	}
	for left := budget; left > 0 && t.tidying.running && !t.lost; {
		left -= t.tidySome(budget)
	}
	return !t.tidying.running && !t.untidy() // updates meanwhile may have left much
}

// untidy says that the trie may be much larger, or its ways much longer, than
// they need to be.
func (t *Table) untidy() bool {
	return t.churn > 256 && t.churn > t.routes.size/4 || t.free > t.used/8
}

// startTidying begins a compaction, if the half to move into is free. Where memory
// is short, it is made at once: a trie in both halves cannot be given up for
// another if there is no room to finish it.
func (t *Table) startTidying() bool {
	if !t.otherHalf() {
		return false
	}
	words := t.used
	if t.bytesPerStep < t.perStep() {
		words *= 4 // for shorter ways than there are
	}
	if 4*words+tidySpare > int(t.to-t.from) {
		t.moveAll(t.wide, nil)
		return false
	}
	t.turn()
	t.tidying = tidying{running: true, words: words}
	return true
}

// tidySpare is words that are no matter in any memory.
const tidySpare = 1 << 13

// mindTidying ends a compaction under way if updates might leave it no room.
// They take as many words as it takes itself, at most.
func (t *Table) mindTidying() {
	if t.room() < 2*t.tidying.words+tidySpare {
		t.finishTidying()
	}
}

func (t *Table) finishTidying() {
	for t.tidying.running && !t.lost {
		t.tidySome(maxEntries)
	}
}

// tidySome is tidyOne, and what to do if memory runs out.
func (t *Table) tidySome(budget int) (entries int) {
	if !t.attempt(func() { entries = t.tidyOne(budget) }) {
		t.renew()
	}
	return max(entries, 1)
}

// tidyOne makes the next word of the root at hand anew and returns how many
// entries that was, at least 1. A root comes first by itself: its run is moved,
// or made anew if it is too large or too small by now, and its entries are not
// too many.
func (t *Table) tidyOne(budget int) (entries int) {
	if t.tidying.root == numRoots {
		t.tidying = tidying{}
		t.leaving, t.leftIn = true, t.epoch.Load()
		t.reclaim()
		return 1
	}
	r, root := t.rootRegion(Addr{Hi: uint64(t.tidying.root) << (64 - rootBits)})
	if !t.tidying.moved {
		t.tidying.moved = true
		return t.moveRoot(r, root, budget)
	}
	i := t.tidying.next
	if i == 1<<root.tag() {
		t.tidying.root, t.tidying.moved, t.tidying.next = t.tidying.root+1, false, 0
		return 1
	}
	t.tidying.next++
	part := r.part(uint64(i), root.tag(), 0)
	part.outside = t.around(part.prefix)
	t.scratch = t.routes.appendInside(t.scratch[:0], part.prefix, maxEntries)
	t.replace(root.block()+i, t.build(part, t.scratch))
	return 1 + len(t.scratch)
}

// rootAtOnce is how many entries of a root may always be made anew together: some
// 10 ms.
const rootAtOnce = 1 << 16

func (t *Table) moveRoot(r region, root word, budget int) (entries int) {
	at := t.head + uint32(t.tidying.root)
	es := t.insideRoot(r)
	if e := t.chooseRootStride(r, es); e != root.tag() && len(es) <= max(4*min(budget, 1<<32), rootAtOnce) {
		t.publish(at, t.buildRoot(r, es))
		for i := range uint32(1) << root.tag() {
			t.retireAll(word(t.mem[root.block()+i]))
		}
		t.tidying.next = 1 << e // nothing is left to do
		return 1 + len(es)
	}
	run := t.alloc(1 << root.tag())
	copy(t.mem[run:run+1<<root.tag()], t.mem[root.block():])
	t.publish(at, innerWord(run, 0, 0, root.tag()))
	return 1 + len(es)/8
}

// publish stores a word that readers may be at; replace also retires what the
// word was and all that it led to.
func (t *Table) publish(at uint32, w word) {
	atomic.StoreUint64(&t.mem[at], uint64(w))
	if afterStore != nil {
		afterStore()
	}
}

func (t *Table) replace(at uint32, w word) {
	old := word(t.mem[at])
	t.publish(at, w)
	t.retireAll(old)
}
