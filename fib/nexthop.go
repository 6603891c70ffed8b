package fib

import (
	"errors"
	"sync/atomic"
)

// NextHopID names a next hop: an index into the adjacencies that the data
// plane keeps. fib never looks behind it.
type NextHopID uint32

// GroupID names a next-hop group. It is the value that a prefix leads to.
type GroupID uint32

// NoRoute is the group of an address that no prefix covers.
const NoRoute GroupID = 0

// MaxGroups is how many groups there can be, NoRoute included.
const MaxGroups = 1 << 18

// ErrGroupsFull says that no group is left; the caller decides what the
// prefixes for it do instead.
var ErrGroupsFull = errors.New("next-hop groups are used up")

// Leg is one next hop of a group and its share of the flows.
type Leg struct {
	NextHop NextHopID
	Weight  uint32 // at least 1
}

// Group is a next-hop group that many prefixes share. It never changes once
// published; a change is a new Group under the same ID.
type Group struct {
	buckets []NextHopID // a power of two; the flow hash picks one
}

// Select picks the next hop of the flow with this hash. Any goroutine.
func (g *Group) Select(hash uint32) NextHopID {
	return g.buckets[hash&uint32(len(g.buckets)-1)]
}

// Groups maps a GroupID to its Group.
//
// Get may be called by any goroutine and never blocks. The other methods
// belong to one writer: the controller.
type Groups struct {
	slots [MaxGroups]atomic.Pointer[Group]
	free  []GroupID
	next  GroupID
}
