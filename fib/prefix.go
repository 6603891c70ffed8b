package fib

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
)

var (
	// ErrInvalidPrefix says that a prefix is the zero netip.Prefix or has an
	// impossible length.
	ErrInvalidPrefix = errors.New("invalid prefix")

	// ErrNotIPv6 says that a prefix is IPv4.
	ErrNotIPv6 = errors.New("not an IPv6 prefix (IPv4 prefixes have no place in the FIB)")
)

// prefix is a netip.Prefix as the trie wants it: addr is zero beyond bits.
type prefix struct {
	addr Addr
	bits uint8
}

// prefixFrom masks and converts p.
func prefixFrom(p netip.Prefix) (prefix, error) {
	if !p.IsValid() {
		return prefix{}, ErrInvalidPrefix
	}
	p = p.Masked()
	if !p.Addr().Is6() {
		return prefix{}, fmt.Errorf("%v: %w", p, ErrNotIPv6)
	}
	return prefix{AddrFrom(p.Addr()), uint8(p.Bits())}, nil
}

func (p prefix) netip() netip.Prefix {
	return netip.PrefixFrom(p.addr.Netip(), int(p.bits))
}

// covers says whether the first p.bits bits of a are those of p.
func (p prefix) covers(a Addr) bool {
	// A shift by 64 or more gives 0 in Go, which is what /0 and /64 want.
	if p.bits <= 64 {
		return (a.Hi^p.addr.Hi)>>(64-p.bits) == 0
	}
	return a.Hi == p.addr.Hi && (a.Lo^p.addr.Lo)>>(128-p.bits) == 0
}

// mask returns the first n bits of a, the rest zero.
func (a Addr) mask(n uint8) Addr {
	if n <= 64 {
		return Addr{Hi: a.Hi &^ (^uint64(0) >> n)}
	}
	return Addr{a.Hi, a.Lo &^ (^uint64(0) >> (n - 64))}
}

// common returns how many leading bits a and b share.
func (a Addr) common(b Addr) uint8 {
	if d := a.Hi ^ b.Hi; d != 0 {
		return uint8(bits.LeadingZeros64(d))
	}
	return 64 + uint8(bits.LeadingZeros64(a.Lo^b.Lo))
}
