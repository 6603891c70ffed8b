package fib

import "fmt"

// Step is one thing that a lookup of an address reads, for people.
type Step struct {
	Bits int    // of the address that are used up before it
	Kind string // "root", "inner", "lone", "skip", "leaf", "short", "default" or "lost"
	Word int    // index of the word in memory
	Note string // what it says
}

func (s Step) String() string {
	return fmt.Sprintf("/%d %s at word %d: %s", s.Bits, s.Kind, s.Word, s.Note)
}

// Explain returns the steps of a lookup of a, in their order, and where they
// lead.
func (t *Table) Explain(a Addr) ([]Step, GroupID) {
	if t.lost {
		return []Step{{Kind: "lost", Note: "memory ran out"}}, NoRoute
	}
	x := explainer{t: t, a: a, bits: rootBits}
	v := t.view.Load()
	root := t.head + uint32(a.Hi>>(64-rootBits))
	w := word(t.mem[root])
	x.say("root", root, "leads to a run of %d words, %d bits further on", 1<<w.tag(), w.tag())
	at := x.next(w.block(), w.tag())
	for {
		switch w = word(t.mem[at]); {
		case w.skip():
			at = x.skip(w, at)
		case w.lone():
			return x.end(x.lone(w, at, v))
		default:
			slot := a.slot(uint8(x.bits))
			if !w.kid(slot) {
				return x.end(x.leaf(w, at, slot, v))
			}
			x.say("inner", at, "slot %d leads to a run of %d words, %d bits further on", slot, 1<<w.tag(), stride+w.tag())
			x.bits += stride
			at = x.next(w.run(slot), w.tag())
		}
	}
}

// explainer follows an address.
type explainer struct {
	t     *Table
	a     Addr
	bits  int
	steps []Step
}

func (x *explainer) say(kind string, at uint32, format string, args ...any) {
	x.steps = append(x.steps, Step{x.bits, kind, int(at), fmt.Sprintf(format, args...)})
}

// next is where the address goes on in a run.
func (x *explainer) next(run uint32, e uint8) uint32 {
	i := x.a.window(uint8(x.bits)) >> (64 - e)
	x.bits += int(e)
	return run + uint32(i)
}

func (x *explainer) skip(w word, at uint32) uint32 {
	p := x.t.wayOf(w, 0)
	to, agrees := w.block()+skipWay, "agrees"
	if !p.covers(x.a) {
		to, agrees = w.block()+skipMiss, "does not agree"
	}
	x.say("skip", at, "the address %s with %v", agrees, p.netip())
	x.bits = int(p.bits)
	return to
}

func (x *explainer) lone(w word, at uint32, v *view) code {
	key := x.a.window(uint8(x.bits))
	c := v.loneCode(w, key)
	inside := "outside"
	if (key^uint64(w))>>w.tag() == 0 {
		inside = "inside"
	}
	x.say("lone", at, "the address is %s its only prefix, a /%d: %v", inside, x.bits+64-int(w.tag()), c)
	return c
}

func (x *explainer) leaf(w word, at uint32, slot uint64, v *view) code {
	n := w.leaf(slot)
	c := v.leaf(w, slot)
	x.say("inner", at, "slot %d has leaf %d of %d", slot, n, w.leaves())
	leaf, _ := x.t.leafAt(w, n)
	x.bits += stride
	x.say("leaf", leaf, "%v", c)
	return c
}

// end looks an address without a code up where the shortest prefixes are.
func (x *explainer) end(c code) ([]Step, GroupID) {
	if c == 0 {
		i := uint32(x.a.Hi >> (64 - shortBits))
		x.bits = 0
		c = x.t.shortCode(i)
		x.say("short", x.t.head+shortsAt+i/2, "%v", c)
	}
	if c == 0 {
		c = x.t.codeOf(prefix{})
		x.say("default", x.t.head+defaultAt, "%v", c)
	}
	return x.steps, c.group()
}

func (c code) String() string {
	if c == 0 {
		return "no group"
	}
	return fmt.Sprintf("group %d", c.group())
}
