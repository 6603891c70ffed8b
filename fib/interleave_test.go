package fib_test

import (
	"math/rand/v2"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

// A walker is a reader that stops after every word it loads, for as long as the
// test likes: so it comes upon the trie as it is between any two stores of the
// writer, which a reader that runs by itself does once in a million.
type walker struct {
	reader *fib.Reader
	walk   *fib.Walk
	addr   int   // which of the history's
	first  int64 // updates made when it entered
}

// crowd is walkers beside a writer.
type crowd struct {
	t           *testing.T
	rng         *rand.Rand
	h           *history
	tab         *fib.Table
	walkers     []walker
	begun, made int64
	done, late  int // lookups; those that overlapped an update
}

// step takes some of the walkers on, one by a few words.
func (c *crowd) step() {
	for range c.rng.IntN(4) {
		c.advance(&c.walkers[c.rng.IntN(len(c.walkers))])
	}
	w := &c.walkers[c.rng.IntN(len(c.walkers))]
	for range c.rng.IntN(16) {
		c.advance(w)
	}
}

// all takes every walker a word on.
func (c *crowd) all() {
	for i := range c.walkers {
		c.advance(&c.walkers[i])
	}
}

func (c *crowd) advance(w *walker) {
	if w.walk == nil {
		w.addr, w.first = c.rng.IntN(len(c.h.addrs)), c.made
		w.reader.Enter()
		w.walk = c.tab.Walk(c.h.addrs[w.addr])
		return
	}
	got, ok := w.walk.Next()
	if !ok {
		return
	}
	w.reader.Leave()
	w.walk = nil
	c.done++
	if c.begun > w.first {
		c.late++
	}
	if !c.h.right(w.addr, got, w.first, c.begun) {
		c.t.Fatalf("Lookup(%v) = %d, never right between updates %d and %d of %v",
			c.h.addrs[w.addr].Netip(), got, w.first, c.begun, c.h.ops[max(0, w.first-1):c.begun])
	}
}

// TestInterleaved stops readers and the writer at every store and load.
func TestInterleaved(t *testing.T) {
	updates := 600
	if long() {
		updates = 20_000
	}
	for i, kind := range populations {
		rng := rand.New(rand.NewPCG(uint64(i), 13))
		h := newHistory(rng, kind.make(rng, 40), updates)
		m := newModel(leastWords)
		c := &crowd{t: t, rng: rng, h: h, tab: m.table}
		for range 12 {
			c.walkers = append(c.walkers, walker{reader: m.table.NewReader()})
		}
		restore := fib.Between(c.step, c.all)
		t.Cleanup(restore) // if it fails
		for k, o := range h.ops {
			if k < updates/2 && k%16 == 0 && !m.table.Stats().Tidying {
				m.table.Squeeze() // so that all is made anew, unless the update needs nothing
			}
			c.begun = int64(k + 1)
			o.apply(t, m.table)
			c.made = int64(k + 1)
			c.step()
		}
		restore()
		for _, w := range c.walkers {
			w.reader.Leave()
			w.reader.Close()
		}
		if err := m.table.Check(); err != nil {
			t.Errorf("%s: %v", kind.name, err)
		}
		if s := m.table.Stats(); m.table.StuckReaders() > 0 || s.RetiredWords > 0 {
			t.Errorf("%s: %d times stuck, %d words retired; want none", kind.name, m.table.StuckReaders(), s.RetiredWords)
		}
		t.Logf("%s: %d lookups, %d of them during updates", kind.name, c.done, c.late)
		m.close()
	}
}
