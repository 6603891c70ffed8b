package fib

// repaint returns what becomes of the word w of a region when the code of what
// covers the whole region has changed, but nothing that is inside: entries are
// where they were, so all kids stay, and leaves change.
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
		if fresh.kid(i) {
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
	defer func() { u.depth-- }()
	next := from
	plain := func(end uint64) {
		for ; next < end; next++ {
			u.store(at+uint32(next), u.repaint(word(u.mem[at+uint32(next)]), r.part(next, e, codes[next]), nil))
		}
	}
	for a, b := range runParts(r, e, es, codes) {
		i := es[a].addr.window(r.bits) >> (64 - e)
		plain(i)
		u.store(at+uint32(i), u.repaint(word(u.mem[at+uint32(i)]), r.part(i, e, codes[i]), es[a:b]))
		next = i + 1
	}
	plain(to)
}
