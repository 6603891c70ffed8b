package fib

import (
	"cmp"
	"math"
	"slices"
)

// entry is a prefix and its code, as the writer keeps it.
type entry struct {
	addr  Addr
	code  code
	bits  uint8
	cover uint8 // the length of the longest prefix around it; 0: none, or ::/0
}

func (e *entry) prefix() prefix { return prefix{e.addr, e.bits} }

// routes holds all prefixes in order: by address, and a covering prefix before
// those inside it. It is the writer's own: readers never see it.
//
// It is one sorted list, cut into chunks. The list of chunks is searched by the
// first prefix of each, then the chunk. Each entry knows the length of the
// prefix next around it, so that whoever looks for what covers an address finds
// the nearest neighbor and goes outward from there.
type routes struct {
	chunks [][]entry
	firsts []uint64 // of each chunk, the upper half of its first address
	size   int
	// changes counts insertions and deletions: a cursor from before one is off.
	changes uint64
}

// maxEntries is no limit.
const maxEntries = math.MaxInt

const (
	chunkSize = 64 // entries at most
	chunkFill = 48 // entries of a chunk made by load
)

// compare orders prefixes as netip.Prefix.Compare does.
func (p prefix) compare(q prefix) int {
	switch {
	case p.addr != q.addr:
		if p.addr.less(q.addr) {
			return -1
		}
		return 1
	default:
		return cmp.Compare(p.bits, q.bits)
	}
}

func (a Addr) less(b Addr) bool { return a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo }

// inside says whether q is p or lies inside it.
func (p prefix) inside(q prefix) bool { return p.bits <= q.bits && p.covers(q.addr) }

// cursor is a place in routes.
type cursor struct {
	r     *routes
	chunk int
	at    int
}

// seek returns the place of the first entry that is not less than p.
func (r *routes) seek(p prefix) cursor {
	// The last chunk that begins at or before p.
	lo, hi := 0, len(r.firsts)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		first := r.firsts[mid]
		if first < p.addr.Hi || first == p.addr.Hi && r.chunks[mid][0].prefix().compare(p) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return cursor{r, 0, 0}
	}
	chunk := r.chunks[lo-1]
	from, to := 0, len(chunk)
	for from < to {
		mid := int(uint(from+to) / 2)
		at := &chunk[mid]
		if at.addr.Hi < p.addr.Hi || at.addr.Hi == p.addr.Hi && at.prefix().compare(p) < 0 {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return cursor{r, lo - 1, from}.settled()
}

// settled goes on to the next chunk if c is behind the last entry of one.
func (c cursor) settled() cursor {
	if c.chunk < len(c.r.chunks) && c.at == len(c.r.chunks[c.chunk]) {
		return cursor{c.r, c.chunk + 1, 0}
	}
	return c
}

// entry returns the entry at c, or nil behind the last.
func (c cursor) entry() *entry {
	if c.chunk >= len(c.r.chunks) {
		return nil
	}
	return &c.r.chunks[c.chunk][c.at]
}

func (c cursor) next() cursor { return cursor{c.r, c.chunk, c.at + 1}.settled() }

// before returns the entry before c, or nil.
func (c cursor) before() *entry {
	switch {
	case c.at > 0:
		return &c.r.chunks[c.chunk][c.at-1]
	case c.chunk > 0:
		chunk := c.r.chunks[c.chunk-1]
		return &chunk[len(chunk)-1]
	}
	return nil
}

// prev goes back to the entry that before returns, which must be there.
func (c cursor) prev() cursor {
	if c.at > 0 {
		return cursor{c.r, c.chunk, c.at - 1}
	}
	return cursor{c.r, c.chunk - 1, len(c.r.chunks[c.chunk-1]) - 1}
}

// get returns the entry of exactly p, or nil.
func (r *routes) get(p prefix) *entry {
	if e := r.seek(p).entry(); e != nil && e.prefix() == p {
		return e
	}
	return nil
}

// outside returns the entry of the prefix next around e's, or nil.
func (r *routes) outside(e *entry) *entry {
	if e.cover == 0 {
		return r.defaultRoute(e)
	}
	return r.get(prefix{e.addr.mask(e.cover), e.cover})
}

// defaultRoute returns the entry of ::/0, which is around all others, or nil if
// there is none or it is e.
func (r *routes) defaultRoute(e *entry) *entry {
	if first := &r.chunks[0][0]; first.bits == 0 && first != e {
		return first
	}
	return nil
}

// covering returns the entry of the longest prefix that covers p, p itself
// included, or nil.
func (r *routes) covering(p prefix) *entry { return r.coveringFrom(r.seek(p), p) }

// coveringFrom is covering for one who knows where p is or would be.
func (r *routes) coveringFrom(c cursor, p prefix) *entry {
	if e := c.entry(); e != nil && e.prefix() == p {
		return e
	}
	e := c.before()
	for e != nil && !e.prefix().inside(p) {
		e = r.outside(e)
	}
	return e
}

// set puts p in or changes its code; c is where p is or would be. It returns
// where p is now.
func (r *routes) set(c cursor, p prefix, v code) cursor {
	if e := c.entry(); e != nil && e.prefix() == p {
		e.code = v
		return c
	}
	e := entry{addr: p.addr, bits: p.bits, code: v}
	if outside := r.coveringFrom(c, p); outside != nil {
		e.cover = outside.bits
	}
	for inside := c; p.bits > 0; inside = inside.next() {
		in := inside.entry()
		if in == nil || !p.covers(in.addr) {
			break
		}
		in.cover = max(in.cover, p.bits)
	}
	r.size++
	r.changes++
	return r.insert(c, e)
}

// insert puts e before c, splitting the chunk if it is full, and returns where e
// is.
func (r *routes) insert(c cursor, e entry) cursor {
	if len(r.chunks) == 0 {
		r.chunks, r.firsts = [][]entry{append(make([]entry, 0, chunkSize), e)}, []uint64{e.addr.Hi}
		return cursor{r, 0, 0}
	}
	if c.at == 0 && c.chunk > 0 { // rather behind the last of the chunk before
		c.chunk--
		c.at = len(r.chunks[c.chunk])
	}
	if chunk := r.chunks[c.chunk]; len(chunk) == chunkSize {
		half := append(make([]entry, 0, chunkSize), chunk[chunkSize/2:]...)
		r.chunks[c.chunk] = chunk[:chunkSize/2]
		r.chunks = slices.Insert(r.chunks, c.chunk+1, half)
		r.firsts = slices.Insert(r.firsts, c.chunk+1, half[0].addr.Hi)
		if c.at > chunkSize/2 {
			c.chunk++
			c.at -= chunkSize / 2
		}
	}
	r.chunks[c.chunk] = slices.Insert(r.chunks[c.chunk], c.at, e)
	r.firsts[c.chunk] = r.chunks[c.chunk][0].addr.Hi
	return c
}

// remove takes p out, which must be at c. It returns where p would be now.
func (r *routes) remove(c cursor, p prefix) cursor {
	e := c.entry()
	for inside := c.next(); p.bits > 0; inside = inside.next() {
		in := inside.entry()
		if in == nil || !p.covers(in.addr) {
			break
		}
		if in.cover == p.bits {
			in.cover = e.cover
		}
	}
	r.size--
	r.changes++
	chunk := slices.Delete(r.chunks[c.chunk], c.at, c.at+1)
	r.chunks[c.chunk] = chunk
	switch {
	case len(chunk) == 0:
		r.chunks = slices.Delete(r.chunks, c.chunk, c.chunk+1)
		r.firsts = slices.Delete(r.firsts, c.chunk, c.chunk+1)
	case c.chunk+1 < len(r.chunks) && len(chunk)+len(r.chunks[c.chunk+1]) <= chunkSize/2:
		r.chunks[c.chunk] = append(chunk, r.chunks[c.chunk+1]...)
		r.chunks = slices.Delete(r.chunks, c.chunk+1, c.chunk+2)
		r.firsts = slices.Delete(r.firsts, c.chunk+1, c.chunk+2)
		r.firsts[c.chunk] = r.chunks[c.chunk][0].addr.Hi
	default:
		r.firsts[c.chunk] = chunk[0].addr.Hi
	}
	return c.settled()
}

// load fills r, which must be empty, with entries in order, whose covers it
// finds out.
func (r *routes) load(all []entry) {
	var around []*entry // of the entry at hand, outermost first
	for i := range all {
		e := &all[i]
		for len(around) > 0 && !around[len(around)-1].prefix().covers(e.addr) {
			around = around[:len(around)-1]
		}
		if n := len(around); n > 0 {
			e.cover = around[n-1].bits
		}
		around = append(around, e)
	}
	r.size = len(all)
	r.changes++
	room := make([]entry, 0, (len(all)/chunkFill+1)*chunkSize)
	for len(all) > 0 {
		n, from := min(len(all), chunkFill), len(room)
		room = append(room, all[:n]...)
		r.chunks = append(r.chunks, room[from:from+n:from+chunkSize])
		r.firsts = append(r.firsts, all[0].addr.Hi)
		room = room[:from+chunkSize]
		all = all[n:]
	}
}

// appendInside appends the entries inside p that are longer than it to es, in
// order, but stops when there are more than limit.
func (r *routes) appendInside(es []entry, p prefix, limit int) []entry {
	for c := r.seek(prefix{p.addr, p.bits + 1}); ; {
		if c.chunk >= len(r.chunks) {
			return es
		}
		for _, e := range r.chunks[c.chunk][c.at:] {
			if !p.covers(e.addr) || len(es) > limit {
				return es
			}
			es = append(es, e)
		}
		c = cursor{r, c.chunk + 1, 0}
	}
}

// about estimates how many entries are inside p.
func (r *routes) about(p prefix) int {
	from := r.seek(prefix{p.addr, p.bits + 1})
	to := r.seek(prefix{p.last(), 128})
	if from.chunk == to.chunk {
		return to.at - from.at
	}
	return (to.chunk-from.chunk)*chunkFill + to.at - from.at
}

// last is the last address of p.
func (p prefix) last() Addr {
	if p.bits <= 64 {
		return Addr{p.addr.Hi | ^uint64(0)>>p.bits, ^uint64(0)}
	}
	return Addr{p.addr.Hi, p.addr.Lo | ^uint64(0)>>(p.bits-64)}
}

// bytes is how much memory the entries take.
func (r *routes) bytes() int { return len(r.chunks) * (chunkSize*entryBytes + 24 + 8) }

// What bytes counts with; the tests do not compile unless it is true (64-bit).
const entryBytes = 24

// commonBits returns how many leading bits the entries of es share, but fewer
// than the shortest has.
func commonBits(es []entry) uint8 {
	n := es[0].addr.common(es[len(es)-1].addr)
	for i := range es {
		n = min(n, es[i].bits-1)
	}
	return n
}
