package fib

// When memory runs out in the middle of a change, the trie cannot be finished:
// it is given up as a whole. Readers then find no route for any address, which
// sends their packets where packets without a route go, and never astray. The
// prefixes are all known still, so it is made anew as soon as that can be.

// exhausted is what alloc panics with.
type exhausted struct{}

// attempt does what needs memory, and says whether there was enough. If not,
// readers find nothing from here on: see restore.
func (t *Table) attempt(do func()) (ok bool) {
	defer func() {
		switch r := recover(); r.(type) {
		case nil:
		case exhausted:
			t.lost, t.depth, t.graft = true, 0, 0
			t.view.Store(&view{mem: t.mem, head: noneHead})
		default:
			panic(r)
		}
	}()
	do()
	return true
}

// Lost says that memory ran out and readers find no route at all. It ends by
// itself, with a later change or Tidy, when there is room.
func (t *Table) Lost() bool { return t.lost }

// restore makes a lost trie anew in one half of the memory, if all readers leave
// in time and it is large enough; else it is lost still.
func (t *Table) restore() {
	if !t.synchronize() {
		return
	}
	// Nobody can be in either half any more.
	t.pending, t.pendingWords = t.pending[:0], 0
	t.tidying, t.leaving = tidying{}, false
	t.turn()
	t.lost = false
	t.attempt(func() { t.buildAll(t.routes.appendInside(nil, prefix{}, maxEntries)) })
}

// layNone makes a head that leads nowhere.
func (t *Table) layNone() {
	const e = shortBits - rootBits
	for i := range numRoots {
		t.mem[noneHead+i] = uint64(innerWord(noneRun, 0, 0, e))
	}
	for i := range 1 << e {
		t.mem[noneRun+i] = uint64(loneWord(0, 1, 0, 0))
	}
}
