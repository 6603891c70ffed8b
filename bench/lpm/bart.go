package lpm

import (
	"errors"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"

	"github.com/fwd6/fwd6/fib"
)

// bartPeer is a table of github.com/gaissmai/bart. Because it has readers, it
// changes as bart wants it then: a copy of what changes, published by one store.
type bartPeer[T any] struct {
	ops     bartOps[T]
	current atomic.Pointer[T]
	bytes   int
}

// bartOps are the functions of one kind of table. The loops are written out for
// each kind, so that their lookups are direct calls.
type bartOps[T any] struct {
	insert        func(*T, netip.Prefix, fib.GroupID)
	insertPersist func(*T, netip.Prefix, fib.GroupID) *T
	deletePersist func(*T, netip.Prefix) *T
	serial        func(*T, []netip.Addr, []fib.GroupID)
	independent   func(*T, []netip.Addr, []fib.GroupID)
}

type (
	bartTable = bart.Table[fib.GroupID]
	bartFast  = bart.Fast[fib.GroupID]
)

var tableOps = bartOps[bartTable]{
	(*bartTable).Insert, (*bartTable).InsertPersist, (*bartTable).DeletePersist,
	func(t *bartTable, addrs []netip.Addr, out []fib.GroupID) {
		var last fib.GroupID
		zero := never
		for i := range out {
			last, _ = t.Lookup(addrs[i+int(last&zero)])
			out[i] = last
		}
	},
	func(t *bartTable, addrs []netip.Addr, out []fib.GroupID) {
		for i, a := range addrs {
			out[i], _ = t.Lookup(a)
		}
	},
}

var fastOps = bartOps[bartFast]{
	(*bartFast).Insert, (*bartFast).InsertPersist, (*bartFast).DeletePersist,
	func(t *bartFast, addrs []netip.Addr, out []fib.GroupID) {
		var last fib.GroupID
		zero := never
		for i := range out {
			last, _ = t.Lookup(addrs[i+int(last&zero)])
			out[i] = last
		}
	},
	func(t *bartFast, addrs []netip.Addr, out []fib.GroupID) {
		for i, a := range addrs {
			out[i], _ = t.Lookup(a)
		}
	},
}

func newBart[T any](ops bartOps[T]) *bartPeer[T] {
	b := &bartPeer[T]{ops: ops}
	b.current.Store(new(T))
	return b
}

func (b *bartPeer[T]) Build(routes []Route) (time.Duration, error) {
	before := heap()
	start := time.Now()
	t := b.current.Load()
	for _, r := range routes {
		b.ops.insert(t, r.Prefix, r.Group)
	}
	elapsed := time.Since(start)
	b.bytes = max(0, heap()-before)
	return elapsed, nil
}

// heap is how much of the heap is in use, in bytes.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func (b *bartPeer[T]) Set(r Route) (time.Duration, error) {
	return timed(func() error {
		b.current.Store(b.ops.insertPersist(b.current.Load(), r.Prefix, r.Group))
		return nil
	})
}

func (b *bartPeer[T]) Remove(p netip.Prefix) (time.Duration, error) {
	return timed(func() error {
		b.current.Store(b.ops.deletePersist(b.current.Load(), p))
		return nil
	})
}

func (b *bartPeer[T]) Bytes() int   { return b.bytes }
func (b *bartPeer[T]) Close() error { return nil }

func (b *bartPeer[T]) NewReader() (Reader, error) { return bartReader[T]{b}, nil }

type bartReader[T any] struct{ peer *bartPeer[T] }

func (r bartReader[T]) Close() error { return nil }

func (r bartReader[T]) Lookup(mode Mode, d Destinations, out []fib.GroupID) (time.Duration, error) {
	lookup := r.peer.ops.independent
	switch mode {
	case Serial:
		lookup = r.peer.ops.serial
	case Independent:
	default:
		return 0, errors.ErrUnsupported
	}
	start := time.Now()
	lookup(r.peer.current.Load(), d.Netip, out)
	return time.Since(start), nil
}
