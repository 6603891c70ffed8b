package fib

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// GroupID names a next-hop group. It is the value that a prefix leads to.
type GroupID uint32

// NoRoute is the group of an address that no prefix covers. It is always in
// use, and leads to NextHopID 0, which the caller keeps for "no route".
const NoRoute GroupID = 0

// MaxGroups is how many groups there can be, NoRoute included.
const MaxGroups = 1 << 18

// ErrGroupsFull says that no group is left; the caller decides what the
// prefixes for it do instead.
var ErrGroupsFull = errors.New("next-hop groups are used up")

// noRoute is what NoRoute leads to, and any ID that is not in use.
var noRoute = &Group{legs: []Leg{{NextHop: 0, Weight: 1}}, buckets: []NextHopID{0}}

// Groups maps a GroupID to its Group. Make one with NewGroups.
//
// Get may be called by any goroutine and never blocks. The other methods
// belong to one writer: the controller.
//
// An ID goes round: free, in use (Add), in quarantine (Remove), free (Release).
// While it is in quarantine, Get still answers with the group that it had, so
// that a worker that looked up the ID before the prefix left it finishes its
// batch as if the change had come one batch later.
type Groups struct {
	slots      []atomic.Pointer[Group] // MaxGroups of them, 2 MiB; nil if free
	inUse      []bool                  // MaxGroups; not even in quarantine
	next       GroupID                 // the lowest ID never used
	free       []GroupID
	quarantine []GroupID // oldest first
}

// NewGroups returns a Groups in which only NoRoute is in use.
func NewGroups() *Groups {
	s := &Groups{
		slots: make([]atomic.Pointer[Group], MaxGroups),
		inUse: make([]bool, MaxGroups),
		next:  NoRoute + 1,
	}
	s.slots[NoRoute].Store(noRoute)
	return s
}

// Get returns the group of id, which must be less than MaxGroups; never nil. An
// ID that is not in use has the group of NoRoute.
func (s *Groups) Get(id GroupID) *Group {
	if g := s.slots[id].Load(); g != nil {
		return g
	}
	return noRoute
}

// Add puts g under an ID that no reader can hold, and returns it. The error
// matches ErrGroupsFull; removed groups that wait for Release count as used.
func (s *Groups) Add(g *Group) (GroupID, error) {
	id := s.next
	switch n := len(s.free); {
	case n > 0:
		id, s.free = s.free[n-1], s.free[:n-1]
	case id < MaxGroups:
		s.next++
	default:
		return NoRoute, fmt.Errorf("add next-hop group: %w: %d in use, %d wait for release, of %d",
			ErrGroupsFull, s.Len(), len(s.quarantine), MaxGroups-1)
	}
	s.inUse[id] = true
	s.slots[id].Store(g)
	return id, nil
}

// Set replaces the group of id, which must be in use and not NoRoute. It is one
// store: every prefix that leads to id follows, each reader with its next Get.
func (s *Groups) Set(id GroupID, g *Group) {
	s.mustUse("set", id)
	s.slots[id].Store(g)
}

// Remove ends the use of id, which no prefix may lead to any more; it must be in
// use and not NoRoute. The ID goes into quarantine; see Release.
func (s *Groups) Remove(id GroupID) {
	s.mustUse("remove", id)
	s.inUse[id] = false
	s.quarantine = append(s.quarantine, id)
}

// Quarantined returns how many removed IDs wait for Release.
func (s *Groups) Quarantined() int { return len(s.quarantine) }

// Release frees the n IDs that were removed first. The writer may call it with
// what Quarantined returned, once every reader has passed a point since then at
// which it held no GroupID: for a worker, the end of a batch. Until then the
// next hops of a removed group must keep their meaning, too.
func (s *Groups) Release(n int) {
	for _, id := range s.quarantine[:n] {
		s.slots[id].Store(nil)
	}
	s.free = append(s.free, s.quarantine[:n]...)
	s.quarantine = append(s.quarantine[:0], s.quarantine[n:]...)
}

// Len returns how many groups are in use, without NoRoute and without those in
// quarantine.
func (s *Groups) Len() int {
	return int(s.next-1) - len(s.free) - len(s.quarantine)
}

// mustUse panics unless id is in use: going on would sooner or later give two
// groups one ID, and send packets astray.
func (s *Groups) mustUse(verb string, id GroupID) {
	if !s.inUse[id] {
		panic(fmt.Sprintf("fib: %s next-hop group %d: not in use", verb, id))
	}
}
