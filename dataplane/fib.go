package dataplane

import (
	"sync/atomic"
	"unsafe"

	"github.com/fwd6/fwd6/fib"
)

// PortID numbers the ports of a Forwarder in the order of its configuration.
// It stays with the port's name when the device comes and goes.
type PortID uint16

// Adjacency is all that rewriting needs to know about one next hop. It fills
// one cache line, so that a resolved packet costs one miss here.
//
// A published Adjacency never changes but for used.
type Adjacency struct {
	Rewrite [14]byte // Ethernet header, ready to copy
	Port    PortID   // egress
	MTU     uint32   // bytes of IPv6 packet, without Ethernet
	Reason  Reason   // Forward, or why packets for it cannot be forwarded
	used    uint32   // 1 once a packet went this way: atomic, set by any worker
	_       [36]byte
}

// Does not compile unless the comment above is true.
var _ [64]byte = [unsafe.Sizeof(Adjacency{})]byte{}

// markUsed notes that a packet went this way. It writes only when the note is
// not there yet, so that the line stays shared between workers.
func (a *Adjacency) markUsed() {
	if atomic.LoadUint32(&a.used) == 0 {
		atomic.StoreUint32(&a.used, 1)
	}
}

// MaxAdjacencies is how many adjacencies there can be.
const MaxAdjacencies = 1 << 18

// NoRouteAdjacency is what the group fib.NoRoute leads to.
const NoRouteAdjacency fib.NextHopID = 0

// Adjacencies maps a NextHopID to its Adjacency.
//
// Get may be called by any goroutine and never blocks. Set and TakeUsed belong
// to the controller, which also decides which IDs are in use.
type Adjacencies struct {
	slots []atomic.Pointer[Adjacency]
}

func newAdjacencies() *Adjacencies {
	a := &Adjacencies{slots: make([]atomic.Pointer[Adjacency], MaxAdjacencies)}
	none := &Adjacency{Reason: PuntNoRoute}
	for i := range a.slots {
		a.slots[i].Store(none)
	}
	return a
}

// Get returns the adjacency as it is now. An ID that was never set gives one
// that hands its packets to the kernel for want of a route.
func (a *Adjacencies) Get(id fib.NextHopID) *Adjacency {
	return a.slots[id&(MaxAdjacencies-1)].Load()
}

// Set publishes adj by one store: every group, and so every prefix, that leads
// to id follows.
func (a *Adjacencies) Set(id fib.NextHopID, adj Adjacency) {
	adj.used = atomic.LoadUint32(&a.Get(id).used)
	a.slots[id&(MaxAdjacencies-1)].Store(&adj)
}

// TakeUsed says whether packets went to id since the last call.
func (a *Adjacencies) TakeUsed(id fib.NextHopID) bool {
	return atomic.SwapUint32(&a.Get(id).used, 0) != 0
}

// FIB is all that decides where a packet goes: prefix → group → adjacency.
// The controller writes it, the workers read it.
type FIB struct {
	Routes      *fib.Table
	Groups      *fib.Groups
	Adjacencies *Adjacencies
}
