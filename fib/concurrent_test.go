package fib_test

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/fib/internal/oracle"
)

// history is a sequence of updates and, for a few addresses, the right answer
// after each of them: answers[k] once k updates are made.
type history struct {
	ops     []op
	addrs   []fib.Addr
	answers [][]fib.GroupID
}

type op struct {
	prefix netip.Prefix
	group  fib.GroupID
	remove bool
	tidy   int // budget of a step of Tidy after it
}

func (o op) apply(t *testing.T, tab *fib.Table) {
	if o.remove {
		tab.Remove(o.prefix)
	} else if err := tab.Add(o.prefix, o.group); err != nil {
		t.Error(err)
	}
	if o.tidy > 0 {
		tab.Tidy(o.tidy)
	}
}

// newHistory has prefixes of ps come, change and go; a few are so short that the
// trie does not have them. Every group is given only once, so an answer tells
// which update it comes from. In the middle they become too many for 16 bits.
func newHistory(rng *rand.Rand, ps []netip.Prefix, updates int) *history {
	ps = append(slices.Clone(ps), prefixOf(fib.Addr{}, 0))
	h := new(history)
	var edges []netip.Addr
	for _, p := range ps[:12] {
		edges = append(edges, oracle.Edges(p)...)
		for range 2 { // what covers the prefix, and what covers that
			ps = append(ps, netip.PrefixFrom(p.Addr(), rng.IntN(1+min(p.Bits(), 14))).Masked())
		}
	}
	for _, a := range edges {
		h.addrs = append(h.addrs, fib.AddrFrom(a))
	}
	var tab oracle.Table[fib.GroupID]
	record := func() {
		var answers []fib.GroupID
		for _, a := range edges {
			r, _ := tab.Lookup(a)
			answers = append(answers, r.Value)
		}
		h.answers = append(h.answers, answers)
	}
	record()
	for k := range updates {
		o := op{prefix: ps[rng.IntN(len(ps))], group: fib.GroupID(k + 1)}
		if k > updates/2 {
			o.group += 1 << 16
		}
		if rng.IntN(4) == 0 {
			o.tidy = 1 + rng.IntN(40)
		}
		if _, ok := tab.Get(o.prefix); ok && rng.IntN(3) > 0 {
			o.remove = true
			tab.Remove(o.prefix)
		} else {
			tab.Add(o.prefix, o.group)
		}
		h.ops = append(h.ops, o)
		record()
	}
	return h
}

// right says whether got was the answer for address i at some moment between
// update first, which was surely made, and update last, which was perhaps begun.
func (h *history) right(i int, got fib.GroupID, first, last int64) bool {
	return slices.ContainsFunc(h.answers[first:last+1], func(a []fib.GroupID) bool { return a[i] == got })
}

// TestReadersDuringUpdates checks of every lookup beside a writer that its
// answer was right at some moment between its start and its end, by every variant
// and for batches of every size.
func TestReadersDuringUpdates(t *testing.T) {
	updates, seed := 5000, uint64(0)
	if testing.Short() {
		updates = 2000
	}
	for variant := range fib.EachVariant(t) {
		rng := rand.New(rand.NewPCG(seed, 9))
		h, tab := newHistory(rng, oracle.RandomPrefixes(rng, 24), updates), fib.New()
		var begun, made, overlapped, batches atomic.Int64
		observe := func(r *fib.Reader, ask func()) (first, last int64) {
			first = made.Load()
			r.Enter()
			ask()
			r.Leave()
			if last = begun.Load(); last > first {
				overlapped.Add(1)
			}
			if batches.Add(1)%16 == 0 {
				runtime.Gosched() // on one processor, the writer would come too late
			}
			return first, last
		}
		verify := func(i int, got fib.GroupID, first, last int64) {
			if !h.right(i, got, first, last) {
				t.Errorf("%s, seed %d: Lookup(%v) = %d, never right between updates %d and %d",
					variant, seed, h.addrs[i].Netip(), got, first, last)
			}
		}
		running := func() bool { return made.Load() < int64(updates) && !t.Failed() }

		var wg sync.WaitGroup
		for reader := range uint64(2) {
			wg.Go(func() {
				r := tab.NewReader()
				defer r.Close()
				rng := rand.New(rand.NewPCG(seed, reader))
				addrs, out := make([]fib.Addr, 256), make([]fib.GroupID, 256)
				for running() {
					n, from := 1+rng.IntN(256), rng.IntN(len(h.addrs))
					for i := range addrs[:n] {
						addrs[i] = h.addrs[(from+i)%len(h.addrs)]
					}
					first, last := observe(r, func() { tab.LookupBatch(addrs[:n], out) })
					for i, got := range out[:n] {
						verify((from+i)%len(h.addrs), got, first, last)
					}
				}
			})
		}
		wg.Go(func() {
			r := tab.NewReader()
			defer r.Close()
			for i := 0; running(); i = (i + 1) % len(h.addrs) {
				var got fib.GroupID
				first, last := observe(r, func() { got = tab.Lookup(h.addrs[i]) })
				verify(i, got, first, last)
			}
		})
		for k, o := range h.ops {
			begun.Store(int64(k + 1))
			o.apply(t, tab)
			made.Store(int64(k + 1))
			for batches.Load() < int64(k/4) && !t.Failed() {
				runtime.Gosched()
			}
		}
		wg.Wait()
		if err := tab.Check(); err != nil {
			t.Errorf("%s, seed %d: %v", variant, seed, err)
		}
		t.Logf("%s, seed %d: %d updates; %d of %d lookups or batches overlapped one", variant, seed, updates, overlapped.Load(), batches.Load())
		seed++
	}
}

// beside runs read in a loop, as two readers, until write returns.
func beside(tab *fib.Table, write, read func()) {
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			r := tab.NewReader()
			defer r.Close()
			for !done.Load() {
				r.Enter()
				read()
				r.Leave()
			}
		})
	}
	write()
	done.Store(true)
	wg.Wait()
}

// TestMakeBeforeBreak hands an address over between a long and a short prefix,
// always adding one before it removes the other. A reader that put together
// what it saw of the upper trie before the one and of the lower trie after the
// other would find no route, which was never so.
func TestMakeBeforeBreak(t *testing.T) {
	for _, tt := range []struct{ short, long string }{
		{"::/0", "2001:db8::1/128"},
		{"2001::/16", "2001:db8:0:1::/64"},
		{"2001:db8::/45", "2001:db8::/46"},
	} {
		short, long := netip.MustParsePrefix(tt.short), netip.MustParsePrefix(tt.long)
		tab := fib.New()
		// Neighbors, so that a few nodes lie between the two.
		for bits := short.Bits() + 3; bits <= 126; bits += 3 {
			p := netip.PrefixFrom(oracle.Last(netip.PrefixFrom(long.Addr(), bits)).Next(), bits+2)
			if err := tab.Add(p, 9); err != nil {
				t.Fatal(err)
			}
		}
		add := func(p netip.Prefix, g fib.GroupID) {
			if err := tab.Add(p, g); err != nil {
				t.Error(err)
			}
		}
		a := fib.AddrFrom(long.Addr())
		add(long, 2)
		write := func() {
			for range 1000 {
				add(short, 1)
				tab.Remove(long)
				add(long, 2)
				tab.Remove(short)
			}
		}
		beside(tab, write, func() {
			if g := tab.Lookup(a); g != 1 && g != 2 {
				t.Errorf("%s and %s: group %d, want 1 or 2", tt.short, tt.long, g)
			}
		})
	}
}

// TestCoveringPrefix changes a prefix with thousands of others inside it. Each
// address between those goes from one group to the next and to no other; those
// inside never change; and what the writer has been told is done, all see.
func TestCoveringPrefix(t *testing.T) {
	const inside, rounds = 4096, 1500
	cover := netip.MustParsePrefix("2001:db8::/32")
	tab := fib.New()
	var gaps, routed []fib.Addr
	for i := range uint64(inside) {
		a := fib.Addr{Hi: 0x20010db8<<32 | i<<20}
		if err := tab.Add(netip.PrefixFrom(a.Netip(), 48), fib.MaxGroups-1); err != nil {
			t.Fatal(err)
		}
		if i%64 == 0 {
			routed = append(routed, a)
			gaps = append(gaps, fib.Addr{Hi: a.Hi | 1<<16, Lo: 1})
		}
	}
	var begun, made atomic.Uint32
	write := func() {
		for g := uint32(1); g <= rounds; g++ {
			begun.Store(g)
			if err := tab.Add(cover, fib.GroupID(g)); err != nil {
				t.Error(err)
			}
			made.Store(g)
		}
	}
	beside(tab, write, func() {
		out := make([]fib.GroupID, len(gaps))
		first := made.Load()
		tab.LookupBatch(gaps, out)
		last := begun.Load()
		for i, g := range out {
			if uint32(g) < first || uint32(g) > last {
				t.Errorf("Lookup(%v) = %d, want %d to %d", gaps[i].Netip(), g, first, last)
			}
		}
		tab.LookupBatch(routed, out)
		for i, g := range out {
			if g != fib.MaxGroups-1 {
				t.Errorf("Lookup(%v) = %d, want the /48's own group", routed[i].Netip(), g)
			}
		}
	})
}
