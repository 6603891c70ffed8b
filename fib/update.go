package fib

// updater brings the trie in step with the routes, which have already changed
// at one prefix.
//
// It goes down to the word in which the prefix ends, makes a new block for it
// beside the old one and publishes that by one store; the words above stay, and
// so do all blocks below that the prefix has nothing to do with. A prefix that
// covers many words is published word by word.
type updater struct {
	*Table
	p prefix
	// near is the entries around p, two on each side, and p itself if it is
	// there: enough to say whether a region that has p in it holds none, one or
	// more, because what it holds is next to one another.
	near  [5]prefix
	nearN int
}

// few is up to how many entries a region is rather made anew than patched.
const few = 8

// patch updates the trie for p; c is where p is in the routes, or was.
func (t *Table) patch(p prefix, c cursor) {
	u := updater{Table: t, p: p}
	if e := c.entry(); e != nil && e.prefix() == p {
		u.addNear(p)
		u.lookAround(c, c.next())
	} else {
		u.lookAround(c, c)
	}
	r, root := t.rootRegion(p.addr)
	u.run(root.block(), root.tag(), r)
}

func (u *updater) addNear(p prefix) {
	u.near[u.nearN] = p
	u.nearN++
}

func (u *updater) lookAround(back, on cursor) {
	for range 2 {
		if e := back.before(); e != nil {
			u.addNear(e.prefix())
			back = back.prev()
		}
		if e := on.entry(); e != nil {
			u.addNear(e.prefix())
			on = on.next()
		}
	}
}

// count returns how many entries there are in a region that p is in: 0, 1 or
// more. Entries as short as the region do not count.
func (u *updater) count(r prefix) (n int) {
	for _, q := range u.near[:u.nearN] {
		if q.bits > r.bits && r.covers(q.addr) {
			n++
		}
	}
	return n
}

// around is the code of the longest prefix that covers p.
func (t *Table) around(p prefix) code {
	if e := t.routes.covering(p); e != nil && e.bits > shortBits {
		return e.code
	}
	return 0
}

// store publishes a word, if it is another.
func (u *updater) store(at uint32, w word) {
	if u.mem[at] != uint64(w) {
		u.publish(at, w)
	}
}

// run updates a run of 2^e words. p is inside the run's region r, or is it.
func (u *updater) run(at uint32, e uint8, r region) {
	i := u.p.addr.window(r.bits) >> (64 - e)
	if part := r.part(i, e, 0); u.p.bits > part.bits {
		at += uint32(i)
		u.store(at, u.word(word(u.mem[at]), part))
		return
	}
	n := uint64(1) << (r.bits + e - u.p.bits)
	es := u.inside(u.p)
	u.repaintParts(at, e, region{r.prefix, u.around(u.p), r.end}, es, i, i+n)
}

// inside returns the entries in p that are longer than it, good until it is
// called again.
func (u *updater) inside(p prefix) []entry {
	u.scratch = u.routes.appendInside(u.scratch[:0], p, maxEntries)
	return u.scratch
}

// word returns what the word w of a region becomes; p is inside it and longer.
// The region's outside is not known.
func (u *updater) word(w word, r region) word {
	if u.count(r.prefix) <= 1 {
		return u.remake(w, r)
	}
	switch {
	case w.inner():
		return u.inner(w, r)
	case w.skip():
		return u.skip(w, r)
	}
	return u.remake(w, r)
}

// remake makes a region anew from all that is in it.
func (u *updater) remake(w word, r region) word {
	r.outside = u.around(r.prefix)
	fresh := u.build(r, u.inside(r.prefix))
	u.retireAll(w)
	return fresh
}

func (u *updater) inner(w word, r region) word {
	first, last := u.p.addr.slot(r.bits), u.p.addr.slot(r.bits)
	if over := int(r.bits) + stride - int(u.p.bits); over >= 0 {
		last += 1<<over - 1
		return u.reslot(w, r, u.p, first, last)
	}
	kid := r.kid(first, 0)
	if w.kid(first) && u.count(kid.prefix) > 0 {
		u.run(w.run(first), w.tag(), kid)
		return w
	}
	return u.reslot(w, r, kid.prefix, first, first)
}

// reslot returns w with the slots from first to last as they are now. Together
// they are the region q.
func (u *updater) reslot(w word, r region, q prefix, first, last uint64) word {
	outside := u.around(q)
	es := u.inside(q)
	s := u.slotsOf(w)
	for i := first; i <= last; i++ {
		s.codes[i] = outside
		s.kids &^= 1 << i
	}
	var inside [numSlots][]entry
	s.paint(r, es, &inside)
	if s.kids&^w.kids() != 0 && (w.kids() == 0 || u.tooFar(&s, w.tag(), r)) {
		return u.remake(w, r)
	}
	fresh := u.change(w, &s)
	for i := first; i <= last; i++ {
		kid := r.kid(i, s.codes[i])
		switch was, is := w.kid(i), s.kids>>i&1 != 0; {
		case was && is && s.codes[i] != outside: // nothing changes there
		case was && is:
			u.repaintRun(fresh.run(i), fresh.tag(), kid, inside[i])
		case is:
			u.fill(fresh.run(i), fresh.tag(), kid, inside[i])
		case was:
			u.retireRun(w, i)
		}
	}
	return fresh
}

// tooFar says that another run of words so far apart would be mostly empty. It
// bounds what one update needs: see reserve.
func (u *updater) tooFar(s *slots, e uint8, r region) bool {
	words := innerWord(0, 0, s.kids, e).kidWords()
	return words > 64 && int(words) > 2*u.routes.about(r.prefix)
}

// slotsOf takes w apart. The codes of slots with a kid are not known.
func (b *builder) slotsOf(w word) (s slots) {
	s.kids = w.kids()
	for i := range uint64(numSlots) {
		if !w.kid(i) {
			s.codes[i] = b.leafOf(w, w.leaf(i))
		}
	}
	return s
}

// change returns w with other slots. If only leaves have other codes, they
// change where they are. Runs of kids that w has are kept, those of new kids
// are still to be filled, and the runs of kids that are gone to be retired.
func (u *updater) change(w word, s *slots) word {
	l := s.leaves()
	if s.kids == w.kids() && l.starts == w.starts() {
		for i, c := range l.codes[:l.n] {
			if n := uint32(i + 1); u.leafOf(w, n) != c {
				u.putLeaf(w, n, c, true)
			}
		}
		return w
	}
	e := w.tag()
	if s.kids == 0 {
		e = 0
	}
	fresh := u.innerOf(s, e)
	for i := range uint64(numSlots) {
		if w.kid(i) && fresh.kid(i) {
			copy(u.mem[fresh.run(i):][:1<<e], u.mem[w.run(i):])
		}
	}
	u.retireBlock(w)
	return fresh
}

// skip updates a word that leads on only where addresses agree with its own.
func (u *updater) skip(w word, r region) word {
	es := u.routes.appendInside(u.scratch[:0], r.prefix, few)
	if u.scratch = es; len(es) <= few {
		return u.remake(w, r)
	}
	at := w.block()
	way := u.wayOf(w, 0)
	if u.p.bits > way.bits && way.covers(u.p.addr) {
		u.store(at+skipWay, u.word(word(u.mem[at+skipWay]), way))
		return w
	}
	return u.branch(w, r, way)
}

// branch returns what becomes of the skip word w if p, which is new, is not on
// its way: words that part the two, and lead on to the same region.
func (u *updater) branch(w word, r, way region) word {
	if parts := min(u.p.addr.common(way.addr), u.p.bits-1); way.bits < parts+stride {
		return u.remake(w, r) // the way begins within the word that would part the two
	}
	u.graft = word(u.mem[w.block()+skipWay])
	defer func() { u.graft = 0 }()
	if u.p.inside(way.prefix) {
		way.outside = u.around(way.prefix)
		u.graft = u.repaint(u.graft, way, u.inside(way.prefix))
	}
	r.outside = u.around(r.prefix)
	es := []entry{
		{addr: u.p.addr, bits: u.p.bits, code: u.around(u.p)},
		{addr: way.addr, bits: way.bits + 1, code: graftCode},
	}
	if way.compare(u.p) < 0 {
		es[0], es[1] = es[1], es[0]
	}
	fresh := u.build(r, es)
	u.retireSkip(w)
	return fresh
}

// wayOf is the region that a skip word leads to.
func (b *builder) wayOf(w word, outside code) region {
	at := w.block()
	return regionAfterSkip(Addr{b.mem[at+skipHi], b.mem[at+skipLo]}, w.skipBits(), outside)
}
