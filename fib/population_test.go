package fib_test

import (
	"math/rand/v2"
	"net/netip"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/fib/internal/oracle"
)

// A population is a kind of prefixes that are hard on the trie for one reason.
// It returns n prefixes; some may be equal.
type population struct {
	name string
	make func(rng *rand.Rand, n int) []netip.Prefix
}

var populations = []population{
	{"nested", func(rng *rand.Rand, n int) []netip.Prefix { return oracle.RandomPrefixes(rng, n) }},
	{"one path", each(func(rng *rand.Rand) netip.Prefix {
		return prefixOf(flipped(rng, pattern(rng, 1), 6), rng.IntN(129))
	})},
	{"runs of /48", each(func(rng *rand.Rand) netip.Prefix {
		a := fib.Addr{Hi: 0x20010db8<<32 | uint64(rng.IntN(1<<10))<<16}
		return prefixOf(a, pick(rng, 48, 48, 48, 48, 47, 44, 40, 36, 32, 29, 20, 16))
	})},
	{"cluster in a /108", each(func(rng *rand.Rand) netip.Prefix {
		a := fib.Addr{Hi: 0x20010db8_00000001, Lo: 0xabcd<<48 | rng.Uint64N(1<<(1+rng.IntN(20)))}
		return prefixOf(a, 64+rng.IntN(65))
	})},
	{"hosts in a /108", each(func(rng *rand.Rand) netip.Prefix {
		return prefixOf(fib.Addr{Hi: 0x20010db8_00000001, Lo: rng.Uint64N(1 << 20)}, 128)
	})},
	{"a bit apart", each(aBitApart)},
	{"skips", each(alongSkips)},
	{"covers", each(func(rng *rand.Rand) netip.Prefix {
		a := fib.Addr{Hi: 0x20010db8<<32 | rng.Uint64N(1<<24)}
		return prefixOf(a, pick(rng, 64, 64, 64, 64, 56, 48, 47, 41, 40, 33, 32, 13, 12, 11, 8, 1, 0))
	})},
	{"scattered", each(func(rng *rand.Rand) netip.Prefix {
		return prefixOf(fib.Addr{Hi: rng.Uint64(), Lo: rng.Uint64()}, pick(rng, 13, 16, 20, 24, 32, 48, 64, 128))
	})},
	{"short", each(func(rng *rand.Rand) netip.Prefix {
		return prefixOf(fib.Addr{Hi: uint64(rng.IntN(64)) << 50}, rng.IntN(17))
	})},
}

func each(one func(*rand.Rand) netip.Prefix) func(*rand.Rand, int) []netip.Prefix {
	return func(rng *rand.Rand, n int) []netip.Prefix {
		ps := make([]netip.Prefix, n)
		for i := range ps {
			ps[i] = one(rng)
		}
		return ps
	}
}

func prefixOf(a fib.Addr, bits int) netip.Prefix {
	return netip.PrefixFrom(a.Netip(), bits).Masked()
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// pattern is one of few addresses, so that prefixes meet.
func pattern(rng *rand.Rand, few int) fib.Addr {
	return []fib.Addr{
		{Hi: 0x20010db8_5555aaaa, Lo: 0x12345678_9abcdef0},
		{},
		{Hi: 1<<64 - 1, Lo: 1<<64 - 1},
		{Hi: 0xfd000000_00000000, Lo: 1},
	}[rng.IntN(few)]
}

// flipped turns at most so many bits of a.
func flipped(rng *rand.Rand, a fib.Addr, most int) fib.Addr {
	for range rng.IntN(most + 1) {
		a = flip(a, rng.IntN(128))
	}
	return a
}

func flip(a fib.Addr, bit int) fib.Addr {
	if bit < 64 {
		a.Hi ^= 1 << (63 - bit)
	} else {
		a.Lo ^= 1 << (127 - bit)
	}
	return a
}

// depths is where words of the trie begin and end, and halves of addresses.
var depths = []int{4, 12, 16, 20, 28, 44, 48, 60, 63, 64, 65, 68, 76, 108, 124, 125, 126, 127, 128}

func aBitApart(rng *rand.Rand) netip.Prefix {
	depth := func() int { return min(128, max(0, pick(rng, depths...)+rng.IntN(3)-1)) }
	a, bits := pattern(rng, 3), depth()
	for range rng.IntN(3) {
		a = flip(a, min(127, depth()))
	}
	return prefixOf(a, bits)
}

// alongSkips has clusters far down a path, and others that leave the path
// anywhere, or cover all that follows.
func alongSkips(rng *rand.Rand) netip.Prefix {
	a := pattern(rng, 2)
	switch rng.IntN(4) {
	case 0, 1: // in a cluster
		depth := pick(rng, 40, 59, 60, 61, 70, 100, 120)
		b := a
		for i := range 8 {
			if rng.IntN(2) == 0 {
				b = flip(b, depth+i)
			}
		}
		return prefixOf(b, depth+rng.IntN(129-depth))
	case 2: // on the path
		return prefixOf(a, rng.IntN(129))
	}
	bit := rng.IntN(128) // off the path
	return prefixOf(flip(a, bit), bit+1+rng.IntN(128-bit))
}
