package fib

import "math/bits"

// word is one node of the trie, at some depth: how the next bits of an address
// lead on. It is all that a reader loads there, and all that the writer stores to
// publish a change. doc.go draws the four kinds.
//
//	       63      38 37      22 21       6 5      0
//	inner  │ block   │ starts   │ kids     │ e     │  e ≤ maxStride
//	lone   │ bits    │ inside   │ outside  │ 64-n  │  1 ≤ n ≤ loneBits
//	wide   │ bits    │ block            │0│ 64-n  │  a lone of a wide trie
//	skip   │ block   │            │ n      │ 32    │  n bits of the address are known
type word uint64

const (
	stride   = 4 // bits of the address that an inner word consumes by itself
	numSlots = 1 << stride

	maxStride = 12 // bits more that its kids can be apart by
	loneBits  = 26 // bits of a prefix that fit into a word

	tagBits = 6
	tagMask = 1<<tagBits - 1
	tagSkip = 32            // no inner word has this bit, all others do
	tagLone = 64 - loneBits // all tags from here on

	kidsAt   = tagBits
	startsAt = kidsAt + numSlots
	blockAt  = startsAt + numSlots

	insideAt, outsideAt = startsAt, kidsAt
	wideAt              = 12      // of block, in a lone of a wide trie
	skipBitsAt          = tagBits // of n

	maxWords = 1 << (64 - blockAt) // that block can name
)

// code is what a trie keeps of a GroupID: one more, because 0 says that no
// prefix is there.
type code uint32

// maxNarrow is the highest code of a trie whose values have 16 bits.
const maxNarrow code = 1<<16 - 1

func innerWord(block uint32, starts, kids uint16, e uint8) word {
	return word(block)<<blockAt | word(starts)<<startsAt | word(kids)<<kidsAt | word(e)
}

func skipWord(block uint32, n uint8) word {
	return word(block)<<blockAt | word(n)<<skipBitsAt | tagSkip
}

// loneWord is a region in which one prefix, n bits longer than the region's, has
// a code of its own. key is the address from the region's depth on.
func loneWord(key uint64, n uint8, inside, outside code) word {
	return word(key>>blockAt<<blockAt) | word(inside)<<insideAt | word(outside)<<outsideAt | word(64-n)
}

// wideLoneWord has its codes in front of block.
func wideLoneWord(key uint64, n uint8, block uint32) word {
	return word(key>>blockAt<<blockAt) | word(block)<<wideAt | word(64-n)
}

func (w word) tag() uint8        { return uint8(w & tagMask) }
func (w word) inner() bool       { return w&tagSkip == 0 }
func (w word) skip() bool        { return w.tag() == tagSkip }
func (w word) lone() bool        { return w.tag() >= tagLone }
func (w word) block() uint32     { return uint32(w >> blockAt) }
func (w word) wideBlock() uint32 { return uint32(w>>wideAt) & (maxWords - 1) }
func (w word) kids() uint16      { return uint16(w >> kidsAt) }
func (w word) starts() uint16    { return uint16(w >> startsAt) }

// kid says whether a run of words is at slot.
func (w word) kid(slot uint64) bool { return w>>(kidsAt+slot)&1 != 0 }

// run is where the words of the kid at slot begin.
func (w word) run(slot uint64) uint32 {
	below := bits.OnesCount16(w.kids() & (1<<slot - 1))
	return w.block() + uint32(below)<<w.tag()
}

// leaf is which leaf, counted from 1, a slot without a kid has.
func (w word) leaf(slot uint64) uint32 {
	return uint32(bits.OnesCount16(w.starts() & (2<<slot - 1)))
}

// kidWords and leaves are what its block holds.
func (w word) kidWords() uint32 { return uint32(bits.OnesCount16(w.kids())) << w.tag() }
func (w word) leaves() uint32   { return uint32(bits.OnesCount16(w.starts())) }

// What a skip word's block holds.
const (
	skipHi   = iota // the address that leads on
	skipLo          //
	skipWay         // the word of addresses that agree with it in the first n bits
	skipMiss        // the word of all others: of one code, as uniform makes it
	skipSize
)

func (w word) skipBits() uint8 { return uint8(w >> skipBitsAt) }

// window returns the 64 bits of a from bit on.
func (a Addr) window(bit uint8) uint64 {
	if bit >= 64 {
		return a.Lo << (bit - 64)
	}
	return a.Hi<<bit | a.Lo>>(64-bit)
}

// slot returns the stride bits of a from bit on, of which there must be as many.
func (a Addr) slot(bit uint8) uint64 { return a.window(bit) >> (64 - stride) }
