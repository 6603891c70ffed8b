package fib

import (
	"math"
	"math/bits"
)

// bytesPerStep is what a step is worth: so many bytes to spare one prefix's
// packets one word on their way. A small table can afford many, because it stays
// in the processor's caches all the same; a large one lives by being small.
// Found by measurement: see bench/.
func bytesPerStep(prefixes int) int {
	const least, most, spare = 4, 128, 300_000
	return max(least, min(most, spare/max(1, prefixes)))
}

const (
	bitsPerStep = 6 // that a word takes, on average, further down
	perStep     = 12
)

// chooseStride decides by how many bits more the kids of an inner word are
// apart. More bits take a word from the way of many packets, and cost memory for
// words that nothing is in; too much of that, and the trie leaves the cache.
//
// For each choice it weighs the words of the runs against what is left of the
// way below them: a prefix that is alone in its word ends there; one of at most
// stride bits more ends in a leaf; any other takes about one word for every
// bitsPerStep bits. All choices are weighed in one pass: a prefix counts for all
// depths at which it is not alone, and the rest is sums.
func (b *builder) chooseStride(r region, es []entry, most uint8) uint8 {
	first := int(r.bits) + stride                            // the depth of kids if they are not apart
	limit := min(int(most), max(0, int(r.end)-stride-first)) // a run must be seen whole
	if limit == 0 {
		return 0
	}
	for limit > 0 && 16<<limit > b.room() { // leave most of what is left to others
		limit--
	}
	var w weights
	var slots uint16
	for i := range es {
		if int(es[i].bits) <= first {
			continue
		}
		slots |= 1 << es[i].addr.slot(r.bits)
		shared := 0
		if i > 0 {
			shared = int(es[i].addr.common(es[i-1].addr))
		}
		if i+1 < len(es) {
			shared = max(shared, int(es[i].addr.common(es[i+1].addr)))
		}
		w.add(min(shared, int(es[i].bits)-1)-first, int(es[i].bits)-stride-first, limit)
	}
	return w.best(bits.OnesCount16(slots), limit, b.bytesPerStep)
}

// weights sums up what is left of the way for each choice.
type weights struct {
	// Entries by the last choice for which they count, so that sums from the
	// back say how many count for each.
	near    [maxRootStride + 1]int // those that end in a leaf
	far     [maxRootStride + 1]int // those that go on
	farBits [maxRootStride + 1]int // by how many bits if runs are not apart
}

// add counts an entry that is not alone in its word up to the choice last, and
// ends in a leaf from the choice leaf on.
func (w *weights) add(last, leaf, limit int) {
	if last < 0 {
		return
	}
	if leaf > 0 {
		to := min(last, leaf-1, limit)
		w.far[to]++
		w.farBits[to] += leaf
	}
	if from := max(leaf, 0); from <= min(last, limit) {
		w.near[min(last, limit)]++
		if from > 0 {
			w.near[from-1]--
		}
	}
}

// best is the cheapest choice for so many runs, where a step is worth so many
// bytes.
func (w *weights) best(runs, limit, bytesPerStep int) uint8 {
	best, least := 0, math.MaxInt
	near, far, farBits := 0, 0, 0
	for i := limit; i >= 0; i-- {
		near, far, farBits = near+w.near[i], far+w.far[i], farBits+w.farBits[i]
		steps := near*perStep + far*perStep*5/2 + (farBits-far*i)*perStep/bitsPerStep
		cost := 8*perStep*(runs<<i) + bytesPerStep*steps
		if cost <= least {
			best, least = i, cost
		}
	}
	return uint8(best)
}
