package main_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomSteps and randomFrames are how much TestRandomFrames sends.
const (
	randomSteps  = 150
	randomFrames = 20
)

// Frames of all kinds with a few bytes, and their length, left to chance.
func TestRandomFrames(t *testing.T) {
	seed := testSeed(t)
	var pool [][]byte
	for _, s := range slices.Concat(hopLimits(), extensions(), payloads(), lengths(), links(), addresses()) {
		if s.in == "" {
			pool = append(pool, s.frames...)
		}
	}
	var steps []step
	for i := range randomSteps {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		st := step{name: fmt.Sprintf("step %d of seed %d", i, seed)}
		for range randomFrames {
			st.frames = append(st.frames, mutate(slices.Clone(pool[random.IntN(len(pool))]), random))
		}
		steps = append(steps, st)
	}
	differential(t, scenario{config: threeLinks, prepare: plainRoutes, ports: threePorts, steps: steps}, variants)
}

// mutate changes a frame in one to four ways, mostly in its headers.
func mutate(frame []byte, random *rand.Rand) []byte {
	for range 1 + random.IntN(4) {
		header := random.IntN(min(len(frame), ethernetLen+ip6Len+24))
		switch random.IntN(6) {
		case 0: // one bit
			frame[header] ^= 1 << random.IntN(8)
		case 1: // one byte
			frame[header] = byte(random.Uint32())
		case 2: // a field of the IPv6 header that decides: version, length, next header, hop limit
			if at := ethernetLen + []int{0, 4, 5, 6, 7}[random.IntN(5)]; at < len(frame) {
				frame[at] = []byte{0, 1, 2, 43, 44, 58, 59, 60, 64, 255}[random.IntN(10)]
			}
		case 3: // shorter
			frame = frame[:max(ethernetLen, len(frame)-random.IntN(40))]
		case 4: // longer
			frame = append(frame, pattern(random.IntN(min(60, ethernetLen+1500-min(len(frame), ethernetLen+1499))+1))...)
		case 5: // another place for a piece of it
			if n := min(16, len(frame)-header); n > 0 {
				copy(frame[random.IntN(len(frame)-n+1):], slices.Clone(frame[header:header+n]))
			}
		}
	}
	return frame[:min(len(frame), ethernetLen+1500)]
}
