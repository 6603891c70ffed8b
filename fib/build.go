package fib

import "sync/atomic"

// builder makes the words of regions from the entries inside them. What it
// makes is nobody else's until the word that it returns is published.
type builder struct {
	arena
	wide         bool // values have 32 bits, not 16
	bytesPerStep int  // see stride.go

	// graft is the way on below one entry, which has graftCode: there is a trie
	// already, to be led to by a skip word.
	graft word

	codes [][]code // of runs being filled, one inside the other
	depth int
}

const graftCode = ^code(0)

// region is the part of the address space that a word decides about, and what
// the word has to know of what lies around it.
type region struct {
	prefix
	outside code  // of the longest prefix that covers all of it
	end     uint8 // how far readers can see
}

// sight is how many bits readers see from the last skip on, or from the root.
// (They hold as many in a register, and need room in it to rotate.)
const sight = 64 - stride

// regionAfterSkip is where a skip word leads. Behind the last bit of an address
// come zeros, as many as anybody asks for.
func regionAfterSkip(addr Addr, n uint8, outside code) region {
	end := n + sight
	if end >= 128 {
		end = 128 + stride
	}
	return region{prefix{addr, n}, outside, end}
}

// worthSkipping is how many bits that all entries share make a skip better than
// inner words with one kid each.
const worthSkipping = 12

// build returns the word of a region with these entries, each longer than it.
func (b *builder) build(r region, es []entry) word {
	switch len(es) {
	case 0:
		return b.uniform(r.outside)
	case 1:
		return b.single(r, es[0])
	}
	if r.bits+stride > r.end {
		return b.skip(r, es, commonBits(es))
	}
	if es[0].addr.common(es[len(es)-1].addr) >= r.bits+worthSkipping {
		if n := commonBits(es); n >= r.bits+worthSkipping {
			return b.skip(r, es, n)
		}
	}
	return b.inner(r, es)
}

// uniform is the word of a region with one code.
func (b *builder) uniform(c code) word { return b.loneOf(0, 1, c, c) }

func (b *builder) loneOf(key uint64, n uint8, inside, outside code) word {
	if !b.wide {
		return loneWord(key, n, inside, outside)
	}
	at := b.alloc(1)
	b.mem[at] = uint64(inside) | uint64(outside)<<32
	return wideLoneWord(key, n, at)
}

func (b *builder) single(r region, e entry) word {
	if n := e.bits - r.bits; e.code != graftCode && n <= loneBits && e.bits <= r.end {
		return b.loneOf(r.windowOf(e.addr), n, e.code, r.outside)
	}
	if e.code == graftCode {
		return b.skipTo(e.addr, e.bits-1, r.outside, b.graft)
	}
	return b.skipTo(e.addr, e.bits, r.outside, b.uniform(e.code))
}

func (r *region) windowOf(a Addr) uint64 { return a.window(r.bits) }

// skip leads to the region of the first n bits, which all entries share.
func (b *builder) skip(r region, es []entry, n uint8) word {
	addr := es[0].addr.mask(n)
	way := b.build(regionAfterSkip(addr, n, r.outside), es)
	return b.skipTo(addr, n, r.outside, way)
}

func (b *builder) skipTo(addr Addr, n uint8, outside code, way word) word {
	at := b.alloc(skipSize)
	b.mem[at+skipHi], b.mem[at+skipLo] = addr.Hi, addr.Lo
	b.mem[at+skipWay], b.mem[at+skipMiss] = uint64(way), uint64(b.uniform(outside))
	return skipWord(at, n)
}

// slots is what an inner word says of its 16 slots.
type slots struct {
	codes [numSlots]code // of those without a kid; with one, of what is around it
	kids  uint16
}

// paint puts on s what entries of a region say, and notes for slots that need a
// kid which entries are in them.
func (s *slots) paint(r region, es []entry, inside *[numSlots][]entry) {
	for i := 0; i < len(es); {
		slot := es[i].addr.slot(r.bits)
		if over := int(r.bits) + stride - int(es[i].bits); over >= 0 {
			for k := range uint64(1) << over {
				s.codes[slot+k] = es[i].code
			}
			i++
			continue
		}
		from := i
		for i < len(es) && es[i].addr.slot(r.bits) == slot {
			i++
		}
		inside[slot] = es[from:i]
		s.kids |= 1 << slot
	}
}

// leaves is the codes of the slots without a kid, each run of equal ones once.
type leaves struct {
	starts uint16 // in which slots a new one begins
	n      int
	codes  [numSlots]code
}

func (s *slots) leaves() (l leaves) {
	for i := range numSlots {
		if s.kids>>i&1 != 0 {
			continue
		}
		if l.n == 0 || l.codes[l.n-1] != s.codes[i] {
			l.starts |= 1 << i
			l.codes[l.n] = s.codes[i]
			l.n++
		}
	}
	return l
}

func (b *builder) inner(r region, es []entry) word {
	var e uint8
	if b.graft == 0 { // else the way on must not begin within a run
		e = b.chooseStride(r, es, maxStride)
	}
	var s slots
	for i := range s.codes {
		s.codes[i] = r.outside
	}
	var inside [numSlots][]entry
	s.paint(r, es, &inside)
	w := b.innerOf(&s, e)
	for slot := range uint64(numSlots) {
		if w.kid(slot) {
			b.fill(w.run(slot), e, r.kid(slot, s.codes[slot]), inside[slot])
		}
	}
	return w
}

// kid is the region of one slot.
func (r region) kid(slot uint64, outside code) region {
	return region{prefix{r.addr.with(slot, r.bits, stride), r.bits + stride}, outside, r.end}
}

// with returns a with value in the n bits, of which there must be as many, from
// bit on; they must be zero.
func (a Addr) with(value uint64, bit, n uint8) Addr {
	end := bit + n
	switch {
	case end <= 64:
		a.Hi |= value << (64 - end)
	case bit >= 64:
		a.Lo |= value << (128 - end)
	default:
		a.Hi |= value >> (end - 64)
		a.Lo |= value << (128 - end)
	}
	return a
}

// innerOf makes an inner word with its leaves; its runs are still to be filled.
func (b *builder) innerOf(s *slots, e uint8) word {
	l := s.leaves()
	front := b.leafWords(l.n)
	w := innerWord(0, l.starts, s.kids, e)
	at := b.alloc(front+w.kidWords()) + front
	clear(b.mem[at-front : at])
	w = innerWord(at, l.starts, s.kids, e)
	for i, c := range l.codes[:l.n] {
		b.putLeaf(w, uint32(i+1), c, false)
	}
	return w
}

// leafWords is how many words so many leaves take.
func (b *builder) leafWords(n int) uint32 {
	if b.wide {
		return uint32(n+1) / 2
	}
	return uint32(n+3) / 4
}

// leafAt is where leaf n of an inner word is: which word, and how far it has to
// be shifted.
func (b *builder) leafAt(w word, n uint32) (at uint32, shift uint8) {
	if b.wide {
		half := w.block()*2 - n
		return half / 2, uint8(half%2) * 32
	}
	quarter := w.block()*4 - n
	return quarter / 4, uint8(quarter%4) * 16
}

func (b *builder) leafMask() uint64 {
	if b.wide {
		return 1<<32 - 1
	}
	return 1<<16 - 1
}

func (b *builder) leafOf(w word, n uint32) code {
	at, shift := b.leafAt(w, n)
	return code(b.mem[at] >> shift & b.leafMask())
}

// putLeaf sets leaf n; published says that readers may be at it.
func (b *builder) putLeaf(w word, n uint32, c code, published bool) {
	at, shift := b.leafAt(w, n)
	v := b.mem[at]&^(b.leafMask()<<shift) | uint64(c)<<shift
	if published {
		atomic.StoreUint64(&b.mem[at], v)
		if afterStore != nil {
			afterStore()
		}
	} else {
		b.mem[at] = v
	}
}

// fill makes the run of 2^e words at a region, e bits deeper than it.
func (b *builder) fill(at uint32, e uint8, r region, es []entry) {
	run := b.mem[at : at+1<<e]
	clear(run) // no word is zero: such are still to be made
	codes := b.paper(len(run), r.outside)
	for from, to := range runParts(r, e, es, codes) {
		i := es[from].addr.window(r.bits) >> (64 - e)
		run[i] = uint64(b.build(r.part(i, e, codes[i]), es[from:to]))
	}
	for i, c := range codes {
		if run[i] == 0 {
			run[i] = uint64(b.uniform(c))
		}
	}
	b.depth--
}

// paper is n codes to paint on, until depth is taken back.
func (b *builder) paper(n int, c code) []code {
	if b.depth == len(b.codes) {
		b.codes = append(b.codes, nil)
	}
	if len(b.codes[b.depth]) < n {
		b.codes[b.depth] = make([]code, max(n, 64))
	}
	codes := b.codes[b.depth][:n]
	b.depth++
	for i := range codes {
		codes[i] = c
	}
	return codes
}

// part is the region of the i-th word of a run.
func (r region) part(i uint64, e uint8, outside code) region {
	return region{prefix{r.addr.with(i, r.bits, e), r.bits + e}, outside, r.end}
}

// runParts paints on codes what the entries of a run say of whole words of it,
// and yields where in es the others of each word are, in order. A word's code
// is painted when it is yielded.
func runParts(r region, e uint8, es []entry, codes []code) func(yield func(from, to int) bool) {
	depth := r.bits + e
	return func(yield func(from, to int) bool) {
		for i := 0; i < len(es); {
			at := es[i].addr.window(r.bits) >> (64 - e)
			if es[i].bits <= depth {
				for k := range uint64(1) << (depth - es[i].bits) {
					codes[at+k] = es[i].code
				}
				i++
				continue
			}
			from := i
			for i < len(es) && es[i].addr.window(r.bits)>>(64-e) == at {
				i++
			}
			if !yield(from, i) {
				return
			}
		}
	}
}
