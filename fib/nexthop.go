package fib

import (
	"errors"
	"fmt"
	"slices"
)

// NextHopID names a next hop: an index into the adjacencies that the data
// plane keeps. fib never looks behind it.
type NextHopID uint32

// Leg is one next hop of a group and its share of the flows.
type Leg struct {
	NextHop NextHopID
	Weight  uint32 // at least 1
}

const (
	// MaxLegs is how many legs a group can have.
	MaxLegs = 1024

	// maxBuckets bounds a group to 16 KiB, whatever its weights.
	maxBuckets = 4096

	// fairness is the part of a leg's due that its share may be off by before
	// more buckets are tried: one in this many.
	fairness = 64
)

// ErrBadGroup says that no group can be made of such legs.
var ErrBadGroup = errors.New("bad next-hop group")

// Group is a next-hop group that many prefixes share. It never changes once
// made, and any goroutine may use it; a change is a new Group under the same ID.
type Group struct {
	legs    []Leg
	buckets []NextHopID // a power of two; the flow hash picks one
}

// NewGroup makes a group of legs, which it copies. Equal legs always give equal
// buckets, in which each leg has one run, in the order given.
//
// Each leg is due its weight's part of the flows, and gets a whole number of
// buckets, at least one. There are as few buckets, a power of two, as bring
// every share within 1/64 of what the leg is due, but at most 4096. So:
//
//   - If every leg is due 1/64 of the flows or more, no share is off by more
//     than 1/64 of what its leg is due: three equal legs get 32.8 to 33.6%.
//   - With any weights, no share is off by len(legs)/4096 of all flows: a leg of
//     negligible weight gets 1/4096 of them, and the heaviest make room for it.
//
// The error matches ErrBadGroup: no legs, more than MaxLegs, or a weight of 0.
func NewGroup(legs []Leg) (*Group, error) {
	if len(legs) == 0 || len(legs) > MaxLegs {
		return nil, fmt.Errorf("%w: %d legs, want 1 to %d", ErrBadGroup, len(legs), MaxLegs)
	}
	for i, l := range legs {
		if l.Weight == 0 {
			return nil, fmt.Errorf("%w: leg %d of %d, next hop %d: weight 0, want at least 1", ErrBadGroup, i+1, len(legs), l.NextHop)
		}
	}
	counts, total := assign(legs)
	g := &Group{legs: slices.Clone(legs), buckets: make([]NextHopID, 0, total)}
	for i, n := range counts {
		for range n {
			g.buckets = append(g.buckets, legs[i].NextHop)
		}
	}
	return g, nil
}

// Legs returns a copy of what the group was made of.
func (g *Group) Legs() []Leg { return slices.Clone(g.legs) }

// Single says that every flow takes the same next hop, so that the caller need
// not hash. Any goroutine.
func (g *Group) Single() bool { return len(g.buckets) == 1 }

// Select picks the next hop of the flow with this hash, whose low bits must be
// well mixed. Any goroutine.
func (g *Group) Select(hash uint32) NextHopID {
	return g.buckets[hash&uint32(len(g.buckets)-1)]
}
