package fib

import (
	"math/bits"
	"runtime"
)

// LookupBatch looks up every address of addrs and puts its group at the same
// place of out, which must be at least as long. Each answer for itself is right
// as one of Lookup is, at some moment during the call.
//
// It is fastest for 64 addresses or a multiple.
func (t *Table) LookupBatch(addrs []Addr, out []GroupID) {
	out = out[:len(addrs)]
	v := t.view.Load()
	if k := chosen.Load(); k.lanes > 0 {
		v.vectorBatch(k, addrs, out)
	} else {
		v.plainBatch(addrs, out)
	}
	runtime.KeepAlive(t) // its memory goes with it
}

// lanes are addresses on their way, one an element of each array: the word that
// they are at, and what is left of them there.
type lanes struct {
	at  [plainLanes]uint32
	key [plainLanes]uint64
}

// plainLanes is how many addresses the plain form takes along at a time.
const plainLanes = 64

// plainBatch takes many addresses along step by step together. So no branch
// depends on a single address: the processor has loads of many under way.
func (v *view) plainBatch(addrs []Addr, out []GroupID) {
	var l lanes
	for len(addrs) > 0 {
		n := min(len(addrs), plainLanes)
		v.beginPlain(&l, addrs[:n])
		for v.stepPlain(&l, n) {
		}
		v.finishPlain(&l, addrs[:n], out[:n])
		addrs, out = addrs[n:], out[n:]
	}
}

func (v *view) beginPlain(l *lanes, addrs []Addr) {
	mem := v.mem
	for i := range addrs {
		hi := addrs[i&(plainLanes-1)].Hi
		root := mem.load(v.head + uint32(hi>>(64-rootBits)))
		key := hi << rootBits
		l.at[i&(plainLanes-1)] = root.block() + upper(key, uint64(root))
		l.key[i&(plainLanes-1)] = key << (root & tagMask)
	}
}

// stepPlain takes those at an inner word with a kid one word on, and says whether
// there was one.
func (v *view) stepPlain(l *lanes, n int) bool {
	mem, any := v.mem, uint64(0)
	for i := range n {
		at, key := l.at[i&(plainLanes-1)], l.key[i&(plainLanes-1)]
		w := mem.load(at)
		slot := key >> (64 - stride)
		there := -w.kidOf(key)
		below := bits.OnesCount64(uint64(w) & (1<<(kidsAt+slot&63) - 1<<kidsAt))
		next := key << stride
		to := w.block() + uint32(below)<<(w&31) + upper(next, uint64(w))
		l.at[i&(plainLanes-1)] = at ^ (at^to)&uint32(there)
		l.key[i&(plainLanes-1)] = key ^ (key^next<<(w&tagMask))&there
		any |= there
	}
	return any != 0
}

func (v *view) finishPlain(l *lanes, addrs []Addr, out []GroupID) {
	for i, a := range addrs {
		out[i] = v.lookupFrom(v.mem.load(l.at[i]), l.key[i], a).group()
	}
}

// vectorBatch looks up as many at a time as the kernel takes. The last few go by
// a kernel of fewer lanes if there is one, and empty lanes are looked up, too:
// that takes no longer.
func (v *view) vectorBatch(k *kernel, addrs []Addr, out []GroupID) {
	mem, head := &v.mem[0], &v.mem[v.head]
	for ; len(addrs) >= k.lanes; addrs, out = addrs[k.lanes:], out[k.lanes:] {
		k.run(v.wide, mem, head, &addrs[0], &out[0])
	}
	if len(addrs) == 0 {
		return
	}
	if len(addrs) <= fewLanes {
		k = &kernels[1]
	}
	var rest [maxLanes]Addr
	var groups [maxLanes]GroupID
	copy(rest[:], addrs)
	k.run(v.wide, mem, head, &rest[0], &groups[0])
	copy(out, groups[:])
}
