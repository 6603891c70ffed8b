package dataplane

import (
	"math/bits"

	"github.com/fwd6/fwd6/dataplane/wire"
)

// flowHash hashes what the kernel hashes under fib_multipath_hash_policy 0:
// both addresses, the flow label and the next header (RFC 6438 §3; the case in
// rt6_multipath_hash, net/ipv6/route.c). All packets of a flow get one value,
// so they take one leg of a group and stay in order. ICMPv6 errors, which the
// kernel has follow the flow that they quote, are hashed as any other packet.
//
// It needs 64-bit multiplication and shifts only, so that an XDP program can
// compute the same value.
func flowHash(h *wire.Headers) uint32 {
	const k1, k2 = 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f // odd, well mixed
	x := uint64(h.FlowLabel()) | uint64(h.NextHeader())<<32
	srcHi, srcLo := h.Src()
	dstHi, dstLo := h.Dst()
	for _, word := range [...]uint64{srcHi, srcLo, dstHi, dstLo} {
		x = bits.RotateLeft64((x^word)*k1, 31)
	}
	x *= k2
	return uint32(x ^ x>>32)
}
