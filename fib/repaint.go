package fib

// repaint returns what becomes of the word w of a region when the code of what
// covers the whole region has changed, but nothing that is inside: entries are
// where they were, so all kids stay, and leaves change. Where entries inside
// cover the whole of something that is deeper, nothing changes there.
func (u *updater) repaint(w word, r region, es []entry) word {
	switch {
	case len(es) <= 1 || w.lone():
		fresh := u.build(r, es)
		u.retireAll(w)
		return fresh
	case w.skip():
		at := w.block()
		u.store(at+skipWay, u.repaint(word(u.mem[at+skipWay]), u.wayOf(w, r.outside), es))
		u.replace(at+skipMiss, u.uniform(r.outside))
		return w
	}
	var s slots
	for i := range s.codes {
		s.codes[i] = r.outside
	}
	var inside [numSlots][]entry
	s.paint(r, es, &inside)
	fresh := u.change(w, &s)
	for i := range uint64(numSlots) {
		if fresh.kid(i) && s.codes[i] == r.outside {
			u.repaintRun(fresh.run(i), fresh.tag(), r.kid(i, s.codes[i]), inside[i])
		}
	}
	return fresh
}

func (u *updater) repaintRun(at uint32, e uint8, r region, es []entry) {
	u.repaintParts(at, e, r, es, 0, 1<<e)
}

// repaintParts repaints the words from to to of a run. The entries are those in
// these words alone.
func (u *updater) repaintParts(at uint32, e uint8, r region, es []entry, from, to uint64) {
	codes := u.paper(1<<e, r.outside)
	next := from
	word := func(i uint64, es []entry) {
		if codes[i] == r.outside {
			at := at + uint32(i)
			u.store(at, u.repaint(word(u.mem[at]), r.part(i, e, codes[i]), es))
		}
		next = i + 1
	}
	for a, b := range runParts(r, e, es, codes) {
		i := es[a].addr.window(r.bits) >> (64 - e)
		for next < i {
			word(next, nil)
		}
		word(i, es[a:b])
	}
	for next < to {
		word(next, nil)
	}
	u.depth--
}
