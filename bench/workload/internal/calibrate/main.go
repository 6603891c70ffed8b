// Command calibrate reads a table of IPv6 prefixes, anything that
// workload.ReadFile takes, and writes what workload.Table needs to grow tables like it:
// frequencies alone, no prefix.
//
//	go run ./internal/calibrate -table FILE > model.json
package main

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"slices"
	"strings"

	"github.com/fwd6/fwd6/bench/workload"
	"github.com/fwd6/fwd6/bench/workload/internal/growth"
)

func main() {
	file := flag.String("table", "", "file with one prefix a line, or an MRT dump; perhaps compressed")
	flag.Parse()
	prefixes, err := workload.ReadFile(*file)
	if err != nil {
		log.Fatal(err)
	}
	text, err := json.Marshal(count(prefixes).model())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.ReplaceAll(string(text), "]],[[", "]],\n[[")) // a level a line
}

// counts is what is learnt from a table.
type counts struct {
	blocks map[uint16]*growth.Block
	short  [growth.Classes][growth.Base]int // prefixes shorter than /24, by class and length
	long   [129]int                         // prefixes by length, longer than /64
	total  int
	nodes  [growth.Classes][growth.Levels][growth.States]node
}

// node counts the places in the tree that look alike to growth.
type node struct{ all, routes, ends, deeper, both, left int }

func count(prefixes []netip.Prefix) *counts {
	c := &counts{blocks: make(map[uint16]*growth.Block), total: len(prefixes)}
	var short []netip.Prefix
	groups := make(map[uint64][]netip.Prefix) // by first 24 bits
	twenties := make(map[uint64]bool)
	for _, p := range prefixes {
		high := high64(p)
		switch {
		case p.Bits() < growth.Base:
			short = append(short, p)
			continue
		case p.Bits() > 64:
			c.long[p.Bits()]++
			continue
		}
		block := c.blocks[uint16(high>>48)]
		if block == nil {
			block = &growth.Block{Bits: uint16(high >> 48)}
			c.blocks[uint16(high>>48)] = block
		}
		if !twenties[high>>44] {
			twenties[high>>44] = true
			block.Twenties++
		}
		groups[high>>40] = append(groups[high>>40], p)
	}
	for base, group := range groups {
		class := growth.Class(len(group))
		c.blocks[uint16(base>>8)].Bases[class]++
		c.walk(&c.nodes[class], group, growth.Base, growth.Start)
	}
	for _, p := range short {
		fullest := 0
		for _, group := range groups {
			if p.Contains(group[0].Addr()) {
				fullest = max(fullest, growth.Class(len(group)))
			}
		}
		c.short[fullest][p.Bits()]++
	}
	return c
}

// walk counts, in nodes, the node at a level under which exactly these prefixes lie, and
// all below it.
func (c *counts) walk(nodes *[growth.Levels][growth.States]node, prefixes []netip.Prefix, level int, s growth.State) {
	n := &nodes[level-growth.Base][s.Index()]
	n.all++
	if prefixes[0].Bits() == level {
		n.routes++
		prefixes = prefixes[1:]
		s = s.Covered()
		if len(prefixes) == 0 {
			n.ends++
			return
		}
	}
	n = &nodes[level-growth.Base][s.Index()]
	n.deeper++
	right := slices.IndexFunc(prefixes, func(p netip.Prefix) bool { return high64(p)>>(63-level)&1 == 1 })
	switch right {
	case -1:
		n.left++
		c.walk(nodes, prefixes, level+1, s.Step(false))
	case 0:
		c.walk(nodes, prefixes, level+1, s.Step(false))
	default:
		n.both++
		c.walk(nodes, prefixes[:right], level+1, s.Step(true))
		c.walk(nodes, prefixes[right:], level+1, s.Step(true))
	}
}

func (c *counts) model() *growth.Model {
	m := &growth.Model{Prefixes: c.total, Long: lengths(c.long[:])}
	for _, block := range c.blocks {
		m.Blocks = append(m.Blocks, *block)
	}
	slices.SortFunc(m.Blocks, func(a, b growth.Block) int { return cmp.Compare(a.Bits, b.Bits) })
	for class := range c.nodes {
		m.Short[class] = lengths(c.short[class][:])
		for level := range c.nodes[class] {
			m.Classes[class][level] = odds(&c.nodes[class][level])
		}
	}
	return m
}

// odds turns what was counted at a level into shares.
func odds(nodes *[growth.States]node) (all [growth.States]growth.Odds) {
	pool := pool(nodes)
	for i, n := range nodes {
		if n.all < enough {
			n.all, n.routes, n.ends = pool.all, pool.routes, pool.ends
		}
		if n.deeper < enough {
			n.deeper, n.both, n.left = pool.deeper, pool.both, pool.left
		}
		all[i] = growth.Odds{
			growth.Route: share(n.routes, n.all),
			growth.End:   share(n.ends, n.routes),
			growth.Both:  share(n.both, n.deeper),
			growth.Left:  share(n.left, n.deeper-n.both),
		}
	}
	return all
}

// enough nodes that look alike say something about others; of fewer, what is
// known of all nodes of their level says more.
const enough = 20

func pool(nodes *[growth.States]node) (pool node) {
	for _, n := range nodes {
		pool.all += n.all
		pool.routes += n.routes
		pool.ends += n.ends
		pool.deeper += n.deeper
		pool.both += n.both
		pool.left += n.left
	}
	return pool
}

func lengths(counts []int) map[int]int {
	m := make(map[int]int)
	for length, n := range counts {
		if n > 0 {
			m[length] = n
		}
	}
	return m
}

// share is part of whole in the unit of growth.Odds.
func share(part, whole int) uint16 {
	if whole == 0 {
		return 0
	}
	return uint16((part*growth.Certain + whole/2) / whole)
}

func high64(p netip.Prefix) uint64 {
	a := p.Addr().As16()
	return binary.BigEndian.Uint64(a[:])
}
