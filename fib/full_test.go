package fib_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

// leastWords is the smallest memory that NewIn takes.
const leastWords = 1 << 17

// TestFull adds until the memory is full, takes some out, and goes on. All that
// was taken in stays right, and nothing panics.
func TestFull(t *testing.T) {
	rounds := 2
	if testing.Short() {
		rounds = 1
	}
	if long() {
		rounds = 40
	}
	for round := range uint64(rounds) {
		for _, kind := range populations {
			rng := rand.New(rand.NewPCG(round, 11))
			ps := kind.make(rng, 60_000)
			groups := pick(rng, 3, 1000, 65535)
			wide := rng.IntN(2) == 0
			var steps []step
			for i, p := range ps {
				g := fib.GroupID(rng.IntN(groups))
				if wide && i == 1000 {
					g = fib.MaxGroups - 1
				}
				steps = append(steps, step{kind: stepAdd, prefix: p, group: g})
				switch rng.IntN(64) {
				case 0:
					steps = append(steps, step{kind: stepTidy, n: 1 + rng.IntN(64)})
				case 1, 2, 3, 4:
					steps = append(steps, step{kind: stepRemove, prefix: ps[rng.IntN(i+1)]})
				case 5:
					if i%10 == 0 {
						steps = append(steps, step{kind: stepBatch, n: 200})
					}
				}
			}
			name := fmt.Sprintf("round %d, %s", round, kind.name)
			full := runSteps(t, leastWords, name, steps)
			t.Logf("%s: wide %v, %d refused", name, wide, full)
		}
	}
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
