package fib_test

import (
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

// FuzzTable runs a sequence of steps on a table and on the oracle. Four bytes
// make one: what to do and the group, the prefix's length, which bit of its
// address differs from a fixed pattern, and which pattern. In the end it checks
// all, by every variant, takes all out and checks again.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 128, 0, 0, 3, 0, 0, 0})                       // ::/0 and ::/128, then ::/0 goes
	f.Add([]byte{0, 48, 47, 2, 0, 48, 46, 2, 0, 44, 0, 2, 3, 48, 47, 2})      // neighbors and a cover
	f.Add([]byte{0, 64, 63, 1, 0, 65, 64, 1, 0, 68, 67, 1, 3, 64, 63, 1})     // across the halves
	f.Add([]byte{0, 128, 127, 3, 0, 128, 126, 3, 0, 127, 0, 3, 3, 127, 0, 3}) // the last bits
	f.Add([]byte{0, 128, 127, 2, 4, 128, 126, 2, 0, 100, 90, 2, 5, 9, 0, 0})  // one wide, and tidied
	f.Add([]byte{0, 64, 63, 1, 6, 0, 0, 0, 0, 64, 60, 1, 7, 65, 64, 1})       // built, batches
	f.Fuzz(func(t *testing.T, data []byte) {
		var steps []step
		var ps []netip.Prefix
		for ; len(data) >= 4 && len(steps) < 256; data = data[4:] {
			p := fuzzPrefix(data[1], data[2], data[3])
			ps = append(ps, p)
			s := step{prefix: p, group: fib.GroupID(data[0]), n: 1 + int(data[1])}
			switch data[0] % 8 {
			case 0, 1, 2:
				s.kind = stepAdd
			case 3:
				s.kind = stepRemove
			case 4:
				s.kind = stepAdd
				if data[2]&7 == 0 {
					s.group = fib.MaxGroups - 1 - s.group
				}
			case 5:
				s.kind = kindOf(data[2], stepTidy, stepTidied)
			case 6:
				s.kind = kindOf(data[2], stepBuild, stepCheck)
			case 7:
				s.kind = kindOf(data[2], stepBatch, stepAsk, stepWalk)
			}
			steps = append(steps, s)
		}
		for _, p := range ps {
			steps = append(steps, step{kind: stepAsk, prefix: p}, step{kind: stepBatch, prefix: p, n: 70})
		}
		for i := range ps { // and down to nothing
			steps = append(steps, step{kind: stepRemove, prefix: ps[len(ps)-1-i]})
			if i%8 == 0 {
				steps = append(steps, step{kind: stepCheck})
			}
		}
		runSteps(t, leastWords, "fuzzed", steps)
	})
}

func kindOf(b byte, from ...stepKind) stepKind { return from[int(b)%len(from)] }

func fuzzPrefix(length, bit, pattern byte) netip.Prefix {
	fill := [...]byte{0x00, 0xff, 0x20, 0x5a}[pattern%4]
	var b [16]byte
	for i := range b {
		b[i] = fill
	}
	b[bit/8%16] ^= 0x80 >> (bit % 8)
	b[pattern/8%16] ^= pattern // a second bit or a few
	return netip.PrefixFrom(netip.AddrFrom16(b), int(length)%129).Masked()
}
