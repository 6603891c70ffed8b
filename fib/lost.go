package fib

// When memory runs out in the middle of a change, the trie is made anew in the
// other half of the memory, while readers go on in what there is: each of its
// words is from before the change or from after it. If readers are still in the
// other half, or a compaction is, the trie is given up as a whole. Readers then
// find no route for any address, which sends their packets where packets without
// a route go, and never astray. The prefixes are all known still, so it is made
// anew as soon as that can be.

// exhausted is what alloc panics with.
type exhausted struct{}

// attempt does what needs memory, and says whether there was enough. If not, what
// it was about can only be made anew: see renew.
func (t *Table) attempt(do func()) (ok bool) {
	defer func() {
		switch r := recover(); r.(type) {
		case nil:
		case exhausted:
			t.depth, t.graft = 0, 0
		default:
			panic(r)
		}
	}()
	do()
	return true
}

// renew makes the trie anew after a change that could not be finished.
func (t *Table) renew() {
	if t.otherHalf() && t.moveAll(t.wide, nil) {
		return
	}
	t.lost = true
	t.view.Store(&view{mem: t.mem, head: noneHead})
	t.restore()
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
	t.lost = !t.makeAll(nil)
}

// makeAll makes the trie of all entries in the empty half at hand and publishes it,
// with short ways if there is room for them. It says whether there is room.
func (t *Table) makeAll(all []entry) (ok bool) {
	if all == nil {
		all = t.everything()
	}
	if t.attempt(func() { t.buildAll(all) }) {
		return true
	}
	t.open(t.half)
	t.bytesPerStep = 0
	return t.attempt(func() { t.buildAll(t.everything()) })
}

// everything returns all entries but ::/0's.
func (t *Table) everything() []entry { return t.routes.appendInside(nil, prefix{}, maxEntries) }

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
