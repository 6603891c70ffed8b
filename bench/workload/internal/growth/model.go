// Package growth describes how a tree of prefixes branches, to the program
// that learns it from a real table and to the one that grows tables like it.
//
// A node of the binary tree is populated if a prefix lies at it or below. Of
// every populated node at one of the levels it is asked: does a prefix end
// here, does anything go deeper, on both sides or on one? How likely each
// answer is depends on the class of the /24 in which the node lies, on the level,
// and on the State: how the tree branched just
// above, because dense places stay dense, and how many prefixes cover the
// node, because nobody announces a thing five times.
package growth

// Base is the level at which growth begins; Levels is how many there are, up to
// /64. What is above and below is too rare to be learnt.
const (
	Base   = 24
	Levels = 64 - Base + 1
)

// Certain is the unit of Odds.
const Certain = 1 << 15

// Model is what is learnt.
type Model struct {
	Prefixes int         // in the table that was read
	Blocks   []Block     // where the populated /24s lie
	Long     map[int]int // prefixes longer than 64, by length

	// Short are prefixes shorter than Base, by length, in the class of the
	// fullest /24 that they cover: some cover thousands of others.
	Short [Classes]map[int]int

	Classes [Classes][Levels][States]Odds
}

// Block is a populated /16.
type Block struct {
	Bits     uint16
	Twenties int          // populated /20s in it
	Bases    [Classes]int // populated /24s in it
}

// Classes is how many kinds of /24s there are: one registry gives a /29 to
// every member and another has thousands of small networks side by side.
const Classes = 4

// Class is the kind of a /24 with so many prefixes.
func Class(prefixes int) int {
	class := 0
	for _, limit := range [Classes - 1]int{8, 64, 512} {
		if prefixes > limit {
			class++
		}
	}
	return class
}

// Odds are the likely answers at nodes that look alike, in units of 1/Certain.
type Odds [4]uint16

// Indices of Odds.
const (
	Route = iota // a prefix ends here
	End          // nothing is below it, if so
	Both         // both sides are populated, if anything goes deeper
	Left         // the left side is populated, if only one is
)

// States is how many states there are.
const States = (memory + 1) * (maxCover + 1)

const (
	memory   = 4 // levels looked back
	maxCover = 2 // more covering prefixes make no difference
)

// State is what a node's odds depend on besides its level.
type State struct {
	branched uint8 // one bit a level: both sides were populated
	cover    uint8 // covering prefixes
}

// Start is the state at Base.
var Start = State{branched: 0b0101}

// Index numbers the states from 0.
func (s State) Index() int {
	ones := 0
	for b := s.branched; b != 0; b &= b - 1 {
		ones++
	}
	return ones*(maxCover+1) + int(s.cover)
}

// Covered is the state behind a prefix.
func (s State) Covered() State {
	s.cover = min(s.cover+1, maxCover)
	return s
}

// Step is the state one level deeper.
func (s State) Step(both bool) State {
	s.branched = s.branched << 1 & (1<<memory - 1)
	if both {
		s.branched |= 1
	}
	return s
}
