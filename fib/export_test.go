package fib

import (
	"cmp"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"testing"
)

// EachVariant chooses one variant of LookupBatch after another, and in the end
// the one that was chosen before.
func EachVariant(tb testing.TB) iter.Seq[string] {
	return func(yield func(string) bool) {
		before := Variant()
		defer func() { _ = Use(before) }()
		for _, name := range Variants() {
			if err := Use(name); err != nil {
				tb.Fatal(err)
			}
			if !yield(name) {
				return
			}
		}
	}
}

// Squeeze leaves no room to cut blocks from, and none that are free.
func (t *Table) Squeeze() {
	t.top = t.to
	t.small, t.large, t.free = [smallSizes][]uint32{}, map[uint32][]uint32{}, 0
}

// Check says what is wrong with the trie: blocks that overlap, words that are
// lost, values that the routes do not give.
func (t *Table) Check() error {
	t.reclaim()
	if t.lost {
		return t.checkRoutes()
	}
	var blocks []block
	if err := t.blocks(&blocks); err != nil {
		return err
	}
	slices.SortFunc(blocks, func(a, b block) int { return cmp.Compare(a.at, b.at) })
	used := 0
	for i, b := range blocks {
		if i > 0 && blocks[i-1].at+blocks[i-1].size > b.at {
			return fmt.Errorf("blocks %v and %v overlap", blocks[i-1], b)
		}
		if b.at >= t.from && b.at+b.size <= t.to {
			used += int(b.size)
		} else if !t.tidying.running {
			return fmt.Errorf("block %v is not in %d to %d", b, t.from, t.to)
		}
	}
	if pending := t.pendingHere(); used != t.used-pending {
		return fmt.Errorf("%d words lead somewhere, %d are in use and %d retired", used, t.used, pending)
	}
	if t.used+t.free != int(t.top-t.from) {
		return fmt.Errorf("%d words in use and %d free, want %d", t.used, t.free, t.top-t.from)
	}
	return t.checkRoutes()
}

func (t *Table) blocks(all *[]block) error {
	for i := range uint32(numRoots) {
		root := word(t.mem[t.head+i])
		*all = append(*all, block{root.block(), 1 << root.tag()})
		for k := range uint32(1) << root.tag() {
			if err := t.blocksOf(word(t.mem[root.block()+k]), all); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Table) blocksOf(w word, all *[]block) error {
	switch {
	case w.lone():
		if t.wide {
			*all = append(*all, block{w.wideBlock(), 1})
		}
		return nil
	case w.skip():
		*all = append(*all, block{w.block(), skipSize})
		if err := t.blocksOf(word(t.mem[w.block()+skipMiss]), all); err != nil {
			return err
		}
		return t.blocksOf(word(t.mem[w.block()+skipWay]), all)
	case !w.inner():
		return fmt.Errorf("word %#x is of no kind", w)
	}
	front := t.leafWords(int(w.leaves()))
	*all = append(*all, block{w.block() - front, front + w.kidWords()})
	for k := range w.kidWords() {
		if err := t.blocksOf(word(t.mem[w.block()+k]), all); err != nil {
			return err
		}
	}
	return nil
}

// checkRoutes checks order and covers.
func (t *Table) checkRoutes() error {
	n := 0
	var last *entry
	for c := (cursor{&t.routes, 0, 0}); c.entry() != nil; c = c.next() {
		e := c.entry()
		if last != nil && last.prefix().compare(e.prefix()) >= 0 {
			return fmt.Errorf("%v comes before %v", last.prefix().netip(), e.prefix().netip())
		}
		cover := uint8(0)
		for bits := int(e.bits) - 1; bits > 0; bits-- {
			if t.routes.get(prefix{e.addr.mask(uint8(bits)), uint8(bits)}) != nil {
				cover = uint8(bits)
				break
			}
		}
		if e.cover != cover {
			return fmt.Errorf("%v: cover %d, want %d", e.prefix().netip(), e.cover, cover)
		}
		last = e
		n++
	}
	for i, chunk := range t.routes.chunks {
		if len(chunk) == 0 || t.routes.firsts[i] != chunk[0].addr.Hi {
			return fmt.Errorf("chunk %d is empty, or begins with another than %#x", i, t.routes.firsts[i])
		}
	}
	if n != t.routes.size {
		return fmt.Errorf("%d entries, size %d", n, t.routes.size)
	}
	return nil
}

// Between has the writer call step after each store that readers can see, and
// wait while it waits for readers, until what it returns is called.
func Between(step, wait func()) (restore func()) {
	afterStore, whileWaiting = step, wait
	return func() { afterStore, whileWaiting = nil, nil }
}

// Walk is a lookup, one load at a time.
type Walk struct {
	v    *view
	a    Addr
	w    word
	key  uint64
	next func(*Walk) (code, bool)
}

func (t *Table) Walk(a Addr) *Walk { return &Walk{v: t.view.Load(), a: a, next: (*Walk).root} }

// Next goes on to the next load and says whether the answer is there.
func (x *Walk) Next() (GroupID, bool) {
	c, ok := x.next(x)
	return c.group(), ok
}

func (x *Walk) root() (code, bool) {
	x.w, x.key, x.next = x.v.mem.load(x.v.head+uint32(x.a.Hi>>(64-rootBits))), x.a.Hi<<rootBits, (*Walk).begin
	return 0, false
}

func (x *Walk) begin() (code, bool) {
	e := x.w.tag()
	x.w, x.key = x.v.mem.load(x.w.block()+uint32(x.key>>(64-e))), x.key<<e
	x.next = (*Walk).on
	return 0, false
}

func (x *Walk) on() (code, bool) {
	slot := x.key >> (64 - stride)
	switch {
	case x.w.inner() && x.w.kid(slot):
		e := x.w.tag()
		x.key <<= stride
		x.w, x.key = x.v.mem.load(x.w.run(slot)+uint32(x.key>>(64-e))), x.key<<e
	case x.w.inner():
		return x.or(x.v.leaf(x.w, slot))
	case x.w.lone():
		return x.or(x.v.loneCode(x.w, x.key))
	default:
		x.w, x.key = x.v.skip(x.w, x.a), x.a.window(x.w.skipBits())
	}
	return 0, false
}

func (x *Walk) or(c code) (code, bool) {
	x.next = (*Walk).short
	return c, c != 0
}

func (x *Walk) short() (code, bool) {
	i := uint32(x.a.Hi >> (64 - shortBits))
	c := code(x.v.mem.load(x.v.head+shortsAt+i/2) >> (i % 2 * 32) & (1<<32 - 1))
	x.next = (*Walk).byDefault
	return c, c != 0
}

func (x *Walk) byDefault() (code, bool) { return code(x.v.mem.load(x.v.head + defaultAt)), true }

// Addr is what is looked up.
func (x *Walk) Addr() Addr { return x.a }

// FillUp goes over to the second half and leaves room for as much as a node
// without kids takes.
func (t *Table) FillUp(wide bool) {
	t.moveAll(wide, nil)
	if t.half == 0 {
		t.moveAll(wide, nil)
	}
	t.top = t.to - 1
	if wide {
		t.top -= 2 // values of a lone word, which goes first
	}
}

// Put is Add without making sure that there is room.
func (t *Table) Put(p netip.Prefix, g GroupID) {
	key, _ := prefixFrom(p)
	t.update(key, t.routes.set(t.routes.seek(key), key, code(g)+1))
}
