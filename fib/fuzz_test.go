package fib_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/fib/internal/oracle"
)

// FuzzTable runs a sequence of operations on a table and on the oracle. Four
// bytes make one: what to do and the group, the prefix's length, which bit of
// its address differs from a fixed pattern, and which pattern.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 128, 0, 0, 3, 0, 0, 0})                       // ::/0 and ::/128, then ::/0 goes
	f.Add([]byte{0, 48, 47, 2, 0, 48, 46, 2, 0, 44, 0, 2, 3, 48, 47, 2})      // neighbors and a cover
	f.Add([]byte{0, 64, 63, 1, 0, 65, 64, 1, 0, 68, 67, 1, 3, 64, 63, 1})     // across the halves
	f.Add([]byte{0, 128, 127, 3, 0, 128, 126, 3, 0, 127, 0, 3, 3, 127, 0, 3}) // the last bits
	f.Fuzz(func(t *testing.T, data []byte) {
		tab, want := fib.New(), new(oracle.Table[fib.GroupID])
		var ps []netip.Prefix
		for ; len(data) >= 4 && len(ps) < 64; data = data[4:] {
			p := fuzzPrefix(data[1], data[2], data[3])
			ps = append(ps, p)
			switch data[0] % 4 {
			case 0, 1, 2:
				if err := tab.Add(p, fib.GroupID(data[0])); err != nil {
					t.Fatal(err)
				}
				want.Add(p, fib.GroupID(data[0]))
			case 3:
				if got, w := tab.Remove(p), want.Remove(p); got != w {
					t.Fatalf("Remove(%v) = %v, want %v", p, got, w)
				}
			}
			if tab.Len() != want.Len() {
				t.Fatalf("after %v: Len = %d, want %d", p, tab.Len(), want.Len())
			}
		}
		check(t, tab, want, ps)
		checkCovered(t, tab, want, ps)
		for i, p := range slices.Backward(ps) { // and down to nothing
			tab.Remove(p)
			want.Remove(p)
			if i%8 == 0 {
				check(t, tab, want, ps)
			}
		}
		if err := tab.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func fuzzPrefix(length, bit, pattern byte) netip.Prefix {
	fill := [...]byte{0x00, 0xff, 0x20, 0x5a}[pattern%4]
	var b [16]byte
	for i := range b {
		b[i] = fill
	}
	b[bit/8%16] ^= 0x80 >> (bit % 8)
	return netip.PrefixFrom(netip.AddrFrom16(b), int(length)%129).Masked()
}
