package fib_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

// TestFull adds until the memory is full, takes some out, and goes on, with Tidy
// in between. What was taken in stays right; what is refused changes nothing; and
// unless a reader is stuck, there are always answers.
func TestFull(t *testing.T) {
	rounds := 1
	if long() {
		rounds = 20
	}
	for round := range rounds {
		for i, kind := range populations {
			if kind.name == "short" || kind.name == "runs of /48" {
				continue // there are too few
			}
			rng := rand.New(rand.NewPCG(uint64(round), 11+uint64(i)))
			f := filler{kind: kind, rng: rng, ps: kind.make(rng, 20_000), m: newModel(leastWords)}
			f.wide, f.stuck = (round+i)%2 == 1, (round+i)%4 >= 2
			f.fill(t, fmt.Sprintf("round %d, %s, wide %v, stuck %v", round, kind.name, f.wide, f.stuck))
			f.m.close()
		}
	}
}

// filler fills a model's table. It keeps the steps, to shrink them.
type filler struct {
	kind  population
	rng   *rand.Rand
	ps    []netip.Prefix
	wide  bool
	stuck bool // now and then, a reader is
	busy  bool // it is
	m     *model
	steps []step
	lost  int // steps after which there were no answers
}

func (f *filler) fill(t *testing.T, name string) {
	for range 2 {
		until := f.m.full + 10
		for range f.ps {
			if t.Failed() || f.m.full >= until && !f.busy || !f.do(t, name, f.next()) {
				break
			}
		}
		t.Logf("%s: %d prefixes, %d refused, %d words used, %d times lost", name, f.m.table.Len(), f.m.full, f.m.table.Stats().UsedWords, f.lost)
		f.do(t, name, step{kind: stepCheck})
		f.do(t, name, step{kind: stepLeave})
		f.do(t, name, step{kind: stepTidied, n: 100})
		f.do(t, name, step{kind: stepCheck})
		all := f.m.want.All()
		f.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, r := range all[:len(all)/3] {
			f.do(t, name, step{kind: stepRemove, prefix: r.Prefix})
		}
		f.do(t, name, step{kind: stepCheck})
	}
	for _, r := range f.m.want.All() {
		f.do(t, name, step{kind: stepRemove, prefix: r.Prefix})
	}
	f.do(t, name, step{kind: stepCheck})
}

func (f *filler) next() step {
	if f.stuck && f.rng.IntN(500) == 0 {
		return step{kind: pick(f.rng, stepEnter, stepLeave)}
	}
	p := pick(f.rng, f.ps...)
	kind := f.rng.IntN(64)
	if f.busy && kind >= 32 { // removals cannot be refused
		kind = 1
	}
	switch kind {
	case 0:
		return step{kind: stepTidy, n: 1 + f.rng.IntN(64)}
	case 1, 2, 3, 4:
		return step{kind: stepRemove, prefix: p}
	}
	g := fib.GroupID(f.rng.IntN(1000))
	if f.wide && f.rng.IntN(100) == 0 {
		g += 1 << 16
	}
	return step{kind: stepAdd, prefix: p, group: g}
}

// do does a step; if it fails, so does the test.
func (f *filler) do(t *testing.T, name string, s step) bool {
	t.Helper()
	f.steps = append(f.steps, s)
	err := f.m.try(s)
	if f.m.table.Lost() {
		f.lost++
	}
	switch s.kind {
	case stepEnter, stepLeave:
		f.busy = s.kind == stepEnter
	case stepAdd, stepRemove, stepTidy, stepTidied: // each of which ends that
		if err == nil && f.m.table.Lost() && !f.busy {
			err = errors.New("lost, with no reader in the way")
		}
	}
	if err != nil {
		t.Errorf("%s: step %d, %v, %d prefixes: %v", name, len(f.steps), s, f.m.table.Len(), err)
		return false
	}
	return true
}

// TestFullUnchanged: what Add or Build refuses leaves no trace.
func TestFullUnchanged(t *testing.T) {
	m := newModel(leastWords)
	defer m.close()
	rng := rand.New(rand.NewPCG(1, 12))
	host := func() netip.Prefix {
		return prefixOf(fib.Addr{Hi: rng.Uint64(), Lo: rng.Uint64()}, 128)
	}
	for m.full < 10 {
		if err := m.do(step{kind: stepAdd, prefix: host(), group: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.check(); err != nil {
		t.Fatal(err)
	}
	many := func(yield func(netip.Prefix, fib.GroupID) bool) {
		for i := range uint64(1 << 16) {
			if !yield(prefixOf(fib.Addr{Hi: i << 40}, 128), 1) {
				return
			}
		}
	}
	if err := m.table.Build(many); err == nil {
		t.Error("Build of a table with prefixes: want an error")
	}
	for _, r := range m.want.All() {
		if err := m.do(step{kind: stepRemove, prefix: r.Prefix}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.table.Build(many); !errors.Is(err, fib.ErrFull) {
		t.Errorf("Build of too many = %v, want ErrFull", err)
	}
	if err := m.check(); err != nil {
		t.Error(err)
	}
	if err := m.do(step{kind: stepAdd, prefix: host(), group: 1}); err != nil || m.full > 10 {
		t.Errorf("Add after all were removed: %v", err)
	}
}
