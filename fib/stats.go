package fib

// Stats is what the trie is made of. Words are of 8 bytes.
type Stats struct {
	Prefixes int
	Wide     bool // values have 32 bits, because there are more than 65,534 groups

	Inner, Lone, Skip int // words of each kind, those of runs that lead nowhere included
	Leaves            int
	// Depths holds, for each number of words on the way, how many words and
	// leaves a lookup can end at after that many.
	Depths []int

	UsedWords     int // of blocks that readers can come to
	RetiredWords  int // of blocks that readers may still hold
	FreeWords     int // of blocks that are free
	ReservedWords int // that the trie may use; as many again are for moving into
	HeadWords     int // of roots and the shortest prefixes

	RoutesBytes int  // what the writer keeps beside the trie, in Go's heap
	Tidying     bool // a compaction is under way
}

// Stats counts. It visits every word: milliseconds for a full table.
func (t *Table) Stats() Stats {
	s := Stats{
		Prefixes: t.routes.size, Wide: t.wide,
		UsedWords: t.used - t.pendingHere(), RetiredWords: t.pendingWords, FreeWords: t.free,
		ReservedWords: int(t.to - t.from), HeadWords: headSize,
		RoutesBytes: t.routes.bytes(), Tidying: t.tidying.running,
	}
	if t.lost { // its words lead nowhere
		return s
	}
	for i := range uint32(numRoots) {
		root := word(t.mem[t.head+i])
		for k := range uint32(1) << root.tag() {
			t.count(&s, word(t.mem[root.block()+k]), 1)
		}
	}
	return s
}

// count counts w, which is the depth-th word on its ways, and all below it.
func (t *Table) count(s *Stats, w word, depth int) {
	for len(s.Depths) <= depth+1 {
		s.Depths = append(s.Depths, 0)
	}
	switch {
	case w.lone():
		s.Lone++
		s.Depths[depth]++
	case w.skip():
		s.Skip++
		t.count(s, word(t.mem[w.block()+skipWay]), depth+1)
	default:
		s.Inner++
		s.Leaves += int(w.leaves())
		s.Depths[depth+1] += int(w.leaves())
		for k := range w.kidWords() {
			t.count(s, word(t.mem[w.block()+k]), depth+1)
		}
	}
}

// Forecast estimates how many bytes the trie of n more prefixes like those that
// are there takes: as many for each as now, without the fixed part.
func (s Stats) Forecast(n int) int {
	if s.Prefixes == 0 {
		return 0
	}
	fixed := numRoots << (shortBits - rootBits) // runs of roots at their least
	return int(8 * float64(max(0, s.UsedWords-fixed)) / float64(s.Prefixes) * float64(n))
}

// NearlyFull says that the memory that the table may use will soon be used up:
// a tenth is left before prefixes are refused. What was freed by changes and is
// not used again yet counts as used.
func (t *Table) NearlyFull() bool { return t.room() < t.spare()+int(t.to-t.from)/10 }

// Bytes returns how much memory lookups may read, in bytes: the trie with all
// that is free in between.
func (t *Table) Bytes() int { return 8 * (headSize + t.used + t.free) }
