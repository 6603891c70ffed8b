package fib

import (
	"math/bits"
	"runtime"
	"sync/atomic"
)

// Lookup returns the group of the longest prefix that covers a, NoRoute if none
// does.
func (t *Table) Lookup(a Addr) GroupID {
	v := t.view.Load()
	var c code
	if useScalar && !v.wide {
		c = code(lookupBMI2(&v.mem[0], &v.mem[v.head], a.Hi, a.Lo))
	} else {
		c = v.lookup(a)
	}
	runtime.KeepAlive(t) // its memory goes with it
	return c.group()
}

// load reads a word as the writer published it, and with it all that it leads to.
func (m Memory) load(at uint32) word { return word(atomic.LoadUint64(&m[at])) }

// begin returns the first word on a's way and what is left of a from there.
func (v *view) begin(a Addr) (w word, key uint64) {
	key = a.Hi << rootBits
	root := v.mem.load(v.head + uint32(a.Hi>>(64-rootBits)))
	e := root.tag()
	return v.mem.load(root.block() + uint32(key>>(64-e))), key << e
}

func (v *view) lookup(a Addr) code {
	w, key := v.begin(a)
	return v.lookupFrom(w, key, a)
}

// lookupFrom goes on from a word on a's way, where key is left of it.
func (v *view) lookupFrom(w word, key uint64, a Addr) code {
	for {
		for w.inner() {
			slot := key >> (64 - stride)
			if !w.kid(slot) {
				return v.or(v.leaf(w, slot), a)
			}
			e := w.tag()
			key <<= stride
			w = v.mem.load(w.run(slot) + uint32(key>>(64-e)))
			key <<= e
		}
		if w.lone() {
			return v.or(v.loneCode(w, key), a)
		}
		w, key = v.skip(w, a), a.window(w.skipBits())
	}
}

func (v *view) leaf(w word, slot uint64) code {
	n := uint32(bits.OnesCount32(uint32(w>>startsAt) & (2<<slot - 1) & (1<<numSlots - 1)))
	if v.wide {
		at := w.block()*2 - n
		return code(v.mem.load(at/2) >> (at % 2 * 32) & (1<<32 - 1))
	}
	at := w.block()*4 - n
	return code(v.mem.load(at/4) >> (at % 4 * 16) & (1<<16 - 1))
}

func (v *view) loneCode(w word, key uint64) code {
	inside := (key^uint64(w))>>w.tag() == 0
	if v.wide {
		both := v.mem.load(w.wideBlock())
		if inside {
			return code(both & (1<<32 - 1))
		}
		return code(both >> 32)
	}
	if inside {
		return code(w >> insideAt & (1<<16 - 1))
	}
	return code(w >> outsideAt & (1<<16 - 1))
}

// skip returns the word that a skip word leads a to.
func (v *view) skip(w word, a Addr) word {
	at := w.block()
	p := prefix{Addr{uint64(v.mem.load(at + skipHi)), uint64(v.mem.load(at + skipLo))}, w.skipBits()}
	if p.covers(a) {
		return v.mem.load(at + skipWay)
	}
	return v.mem.load(at + skipMiss)
}

// or returns c, or if there is none what the shortest prefixes say.
func (v *view) or(c code, a Addr) code {
	if c != 0 {
		return c
	}
	i := uint32(a.Hi >> (64 - shortBits))
	if c = code(v.mem.load(v.head+shortsAt+i/2) >> (i % 2 * 32) & (1<<32 - 1)); c != 0 {
		return c
	}
	return code(v.mem.load(v.head + defaultAt))
}

// upper returns the first n bits of key, where n is the tag of a word below 64.
func upper(key, tag uint64) uint32 { return uint32(key >> 1 >> (^tag & tagMask)) }

// kidOf is 1 if w is an inner word and has a kid where key leads, else 0.
func (w word) kidOf(key uint64) uint64 {
	return uint64(w>>((kidsAt+key>>(64-stride))&63)&^(w>>(tagBits-1))) & 1
}
