package fib

import "errors"

// ErrFull says that the memory that the table may use has no room for a prefix.
// The table is as it was; the caller decides what packets to the prefix do.
var ErrFull = errors.New("FIB is full")

// arena cuts blocks from one half of Memory. The other half is where compaction
// moves everything in the end: then the halves change places.
//
// It belongs to the writer. A block that readers may still hold must not be
// freed yet: see reclaim.
type arena struct {
	mem      Memory
	from, to uint32               // the half in use
	top      uint32               // the first word of it never used
	small    [smallSizes][]uint32 // free blocks by size
	large    map[uint32][]uint32
	used     int // words of blocks in use
	free     int // words of blocks that are free, below top
}

const smallSizes = 1 << 8

// halves returns where the first half begins and how long each is. What comes
// before is the heads of tries, in fixed places. In large memory no huge page
// belongs to two of them, or giving back one would break it.
func (m Memory) halves() (at, size uint32) {
	at = headsSize
	if len(m) < 8*hugePage/8 {
		return at, (uint32(len(m)) - at) / 2
	}
	return hugePage / 8, (uint32(len(m)) - hugePage/8) / 2 / (hugePage / 8) * (hugePage / 8)
}

// open begins to cut from an empty half. Its last word stays unused: a vector
// lookup reads a few bytes beyond a leaf, and there must be some.
func (a *arena) open(half int) {
	at, size := a.mem.halves()
	at += uint32(half) * size
	*a = arena{mem: a.mem, from: at, to: at + size - 1, top: at, large: map[uint32][]uint32{}}
}

// room is how many words can be cut at least, in blocks of any size.
func (a *arena) room() int { return int(a.to - a.top) }

// alloc cuts a block. It must be called within attempt.
func (a *arena) alloc(size uint32) uint32 {
	if at, ok := a.reuse(size); ok {
		a.used += int(size)
		return at
	}
	if size > a.to-a.top {
		panic(exhausted{}) // which attempt catches
	}
	a.used += int(size)
	a.top += size
	return a.top - size
}

// reuse takes a free block of the very size.
func (a *arena) reuse(size uint32) (at uint32, ok bool) {
	list := a.large[size]
	if size < smallSizes {
		list = a.small[size]
	}
	if len(list) == 0 {
		return 0, false
	}
	at, list = list[len(list)-1], list[:len(list)-1]
	a.keep(size, list)
	a.free -= int(size)
	return at, true
}

func (a *arena) keep(size uint32, list []uint32) {
	if size < smallSizes {
		a.small[size] = list
	} else {
		a.large[size] = list
	}
}

// put frees a block. One of the other half goes with the whole of it.
func (a *arena) put(b block) {
	if !a.owns(b) {
		return
	}
	list := a.large[b.size]
	if b.size < smallSizes {
		list = a.small[b.size]
	}
	a.keep(b.size, append(list, b.at))
	a.used -= int(b.size)
	a.free += int(b.size)
}

// owns says whether b is in the half in use.
func (a *arena) owns(b block) bool { return b.at >= a.from && b.at < a.to }

// block is words that belong together.
type block struct{ at, size uint32 }
