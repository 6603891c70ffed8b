package xdp

import "sync/atomic"

// MaxPieces is how many pieces a frame can have and still be sent: an skb takes
// one in its head and MAX_SKB_FRAGS, 17, behind it. The kernel takes a longer
// one off the TX ring and never completes it, so its chunks would be lost for
// good. Chunks of 4096 bytes reach 65535 bytes with 18 pieces.
const MaxPieces = 18

// wholeFrames says how many of descs belong to frames that end within them.
func wholeFrames(descs []Desc) int {
	n := len(descs)
	for n > 0 && descs[n-1].Options&DescContinued != 0 {
		n--
	}
	return n
}

// sendable says how many of descs belong to frames that end within them, up to
// the first frame that has more than MaxPieces, and whether there is one.
func sendable(descs []Desc) (n int, tooLong bool) {
	pieces := 0
	for i := range descs {
		if descs[i].Options&DescContinued == 0 {
			n, pieces = i+1, 0
		} else if pieces++; pieces == MaxPieces {
			return n, true
		}
	}
	return n, false
}

// sorter parts the frames received on one socket into those for the worker and
// those that have too many pieces.
type sorter struct {
	skipping bool          // the next piece belongs to a frame that is being dropped
	tooLong  atomic.Uint64 // frames dropped
}

// sort says how many of descs, the next on the RX ring, are for the worker. If
// a frame that can never be sent comes next, it says instead how many pieces
// of it have arrived and are to be dropped.
func (o *sorter) sort(descs []Desc) (keep, drop int) {
	if !o.skipping {
		n, tooLong := sendable(descs)
		if n > 0 || !tooLong {
			return n, 0
		}
		o.skipping = true
		o.tooLong.Add(1)
	}
	for o.skipping && drop < len(descs) {
		o.skipping = descs[drop].Options&DescContinued != 0
		drop++
	}
	return 0, drop
}
