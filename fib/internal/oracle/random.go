package oracle

import (
	"math/rand/v2"
	"net/netip"
)

// RandomPrefixes returns n different prefixes of all lengths, /0 to /128, of
// which most cover, adjoin or lie inside others: nesting is where
// longest-prefix match goes wrong.
func RandomPrefixes(rng *rand.Rand, n int) []netip.Prefix {
	ps := make([]netip.Prefix, 0, n)
	seen := make(map[netip.Prefix]bool)
	for len(ps) < n {
		p := randomPrefix(rng)
		if len(ps) > 0 && rng.IntN(8) > 0 {
			p = relative(rng, ps[rng.IntN(len(ps))])
		}
		if !seen[p] {
			seen[p] = true
			ps = append(ps, p)
		}
	}
	return ps
}

func randomPrefix(rng *rand.Rand) netip.Prefix {
	var b [16]byte
	return prefixAt(scramble(rng, b, 0), rng.IntN(129))
}

// relative returns a prefix that covers p, lies inside it, or branches off from
// it at some bit.
func relative(rng *rand.Rand, p netip.Prefix) netip.Prefix {
	b, bits := p.Addr().As16(), p.Bits()
	switch rng.IntN(4) {
	case 0: // covers
		return prefixAt(b, rng.IntN(bits+1))
	case 1: // well inside
		return prefixAt(scramble(rng, b, bits), bits+rng.IntN(129-bits))
	case 2: // just inside
		return prefixAt(scramble(rng, b, bits), min(bits+1+rng.IntN(5), 128))
	}
	if bits == 0 {
		return p
	}
	at := bits - 1 - rng.IntN(min(bits, 6)) // branches off
	b[at/8] ^= 0x80 >> (at % 8)
	return prefixAt(b, min(bits+rng.IntN(3), 128))
}

// scramble makes the bits of b from bit on random.
func scramble(rng *rand.Rand, b [16]byte, from int) [16]byte {
	for bit := from; bit < 128; bit++ {
		if rng.IntN(2) == 1 {
			b[bit/8] ^= 0x80 >> (bit % 8)
		}
	}
	return b
}

func prefixAt(b [16]byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16(b), bits).Masked()
}

// Edges returns the addresses at which p could be got wrong: its first, its
// last, and those just before and just beyond.
func Edges(p netip.Prefix) []netip.Addr {
	first, last := p.Masked().Addr(), Last(p)
	edges := []netip.Addr{first, last}
	if a := first.Prev(); a.IsValid() {
		edges = append(edges, a)
	}
	if a := last.Next(); a.IsValid() {
		edges = append(edges, a)
	}
	return edges
}

// Last returns the last address of p.
func Last(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	for bit := p.Bits(); bit < 128; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom16(b)
}
