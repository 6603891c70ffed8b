package workload

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"github.com/fwd6/fwd6/bench/workload/internal/growth"
)

//go:embed model.json
var modelText []byte

// model is what was learnt from a real table.
var model = sync.OnceValue(func() *growth.Model {
	m := new(growth.Model)
	if err := json.Unmarshal(modelText, m); err != nil {
		panic(fmt.Sprintf("read the model of the Internet's table: %v", err)) // it is part of the program
	}
	return m
})

// Table makes n different prefixes that resemble the Internet's, sorted by
// address, then length. The same n and seed give the same table, on every
// machine and with every release of Go.
//
// A table of fewer prefixes than the Internet has is a part of it, in whole
// /24s: as dense where it is populated. A larger one is several laid over one
// another, so it is denser everywhere.
func Table(n int, seed uint64) []netip.Prefix {
	g := &grower{model: model(), seen: make(map[key]bool, n), want: n}
	for layer := uint64(0); len(g.table) < n; layer++ {
		g.rand = rand.New(rand.NewPCG(seed, layer))
		g.layer()
	}
	slices.SortFunc(g.table, netip.Prefix.Compare)
	return g.table
}

// grower collects prefixes until it has as many as are wanted.
type grower struct {
	model *growth.Model
	rand  *rand.Rand
	table []netip.Prefix
	seen  map[key]bool
	want  int
}

// key is a prefix in a form that hashes fast.
type key struct {
	high, low uint64
	length    uint8
}

// layer grows one Internet, or what is still wanted of it.
func (g *grower) layer() {
	seeds := g.seeds()
	var population [growth.Classes]int
	for _, seed := range seeds {
		population[seed.class]++
	}
	for _, seed := range seeds {
		if len(g.table) == g.want {
			return
		}
		for length, count := range inOrder(g.model.Short[seed.class]) {
			if g.rand.IntN(population[seed.class]) < count {
				g.add(seed.bits, 0, length)
			}
		}
		g.grow(seed.bits, growth.Base, &g.model.Classes[seed.class], growth.Start)
	}
}

// seed is a populated /24 and its kind.
type seed struct {
	bits  uint64
	class int
}

// seeds picks the populated /24s, in random order: as many of each kind in
// every /16 as the Internet has there, spread over as many /20s.
func (g *grower) seeds() []seed {
	var all []seed
	for _, block := range g.model.Blocks {
		places := g.places(block)
		for class, count := range block.Bases {
			for _, bits := range places[:count] {
				all = append(all, seed{bits, class})
			}
			places = places[count:]
		}
	}
	g.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// places picks as many /24s as are populated in a block, one for each of its
// populated /20s, the rest anywhere in these, and shuffles them.
func (g *grower) places(block growth.Block) []uint64 {
	var picked, rest []uint64
	for _, twenty := range g.rand.Perm(16)[:block.Twenties] {
		for i, slot := range g.rand.Perm(16) {
			bits := uint64(block.Bits)<<48 | uint64(twenty)<<44 | uint64(slot)<<40
			if i == 0 {
				picked = append(picked, bits)
			} else {
				rest = append(rest, bits)
			}
		}
	}
	g.shuffle(rest)
	count := 0
	for _, n := range block.Bases {
		count += n
	}
	picked = append(picked, rest[:count-len(picked)]...)
	g.shuffle(picked)
	return picked
}

func (g *grower) shuffle(s []uint64) {
	g.rand.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// levels are the odds in one class.
type levels = [growth.Levels][growth.States]growth.Odds

// grow populates a node of the tree and what is below it.
func (g *grower) grow(bits uint64, level int, levels *levels, s growth.State) {
	odds := &levels[level-growth.Base][s.Index()]
	if level == 64 || g.happens(odds[growth.Route]) {
		g.add(bits, 0, level)
		g.addLong(bits)
		if level == 64 || g.happens(odds[growth.End]) {
			return
		}
		s = s.Covered()
		odds = &levels[level-growth.Base][s.Index()]
	}
	right := bits | 1<<(63-level)
	switch {
	case g.happens(odds[growth.Both]):
		g.grow(bits, level+1, levels, s.Step(true))
		g.grow(right, level+1, levels, s.Step(true))
	case g.happens(odds[growth.Left]):
		g.grow(bits, level+1, levels, s.Step(false))
	default:
		g.grow(right, level+1, levels, s.Step(false))
	}
}

// addLong adds, rarely, a prefix longer than /64 below one that was added.
func (g *grower) addLong(bits uint64) {
	for length, count := range inOrder(g.model.Long) {
		if g.rand.IntN(g.model.Prefixes) < count {
			g.add(bits, g.rand.Uint64(), length)
		}
	}
}

func (g *grower) happens(odds uint16) bool { return g.rand.Uint32N(growth.Certain) < uint32(odds) }

// add adds a prefix unless it is there or the table is full.
func (g *grower) add(high, low uint64, length int) {
	k := key{high, low, uint8(length)}
	if length <= 64 {
		k.high, k.low = high&^(1<<(64-length)-1), 0
	} else {
		k.low &^= 1<<(128-length) - 1
	}
	if len(g.table) == g.want || g.seen[k] {
		return
	}
	g.seen[k] = true
	g.table = append(g.table, netip.PrefixFrom(address(k.high, k.low), length))
}

func address(high, low uint64) netip.Addr {
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], high)
	binary.BigEndian.PutUint64(a[8:], low)
	return netip.AddrFrom16(a)
}

// inOrder yields a map in the order of its keys.
func inOrder(m map[int]int) func(func(int, int) bool) {
	return func(yield func(int, int) bool) {
		for length := range 129 {
			if count := m[length]; count > 0 && !yield(length, count) {
				return
			}
		}
	}
}
