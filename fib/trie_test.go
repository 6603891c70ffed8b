package fib

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"testing"
	"unsafe"

	"github.com/fwd6/fwd6/fib/internal/oracle"
)

// Does not compile unless Bytes counts with the true sizes.
var (
	_ [nodeBytes]byte = [unsafe.Sizeof(node{})]byte{}
	_ [leafBytes]byte = [unsafe.Sizeof(leaf{})]byte{}
)

// The shape of the trie follows from its contents alone, so updates can never
// leave anything behind.
func TestShape(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 7))
		ps := oracle.RandomPrefixes(rng, 300)
		churned, fresh := New(), New()
		for _, p := range ps {
			mustAdd(t, churned, p, 1)
		}
		for i, p := range ps {
			if i%3 == 0 {
				mustAdd(t, fresh, p, 1)
			} else if !churned.Remove(p) {
				t.Fatalf("seed %d: Remove(%v) = false, want true", seed, p)
			}
		}
		if !reflect.DeepEqual(churned.root.Load(), fresh.root.Load()) {
			t.Errorf("seed %d: added and removed: %d bytes; only added: %d, in the same shape", seed, churned.Bytes(), fresh.Bytes())
		}
		for _, p := range ps {
			churned.Remove(p)
		}
		if !reflect.DeepEqual(churned.root.Load(), new(node)) {
			t.Errorf("seed %d: emptied: %d bytes, want those of an empty table", seed, churned.Bytes())
		}
	}
}

// A chain of host routes must not take a node for every few bits.
func TestPathCompression(t *testing.T) {
	tab := New()
	mustAdd(t, tab, netip.MustParsePrefix("2001:db8::1/128"), 1)
	if got, want := tab.Bytes(), nodeBytes+leafBytes; got != want {
		t.Errorf("one /128: %d bytes, want %d: the root and a leaf", got, want)
	}
	mustAdd(t, tab, netip.MustParsePrefix("2001:db8::2/128"), 2)
	if got, want := tab.Bytes(), 2*nodeBytes+8+2*4; got != want {
		t.Errorf("two /128: %d bytes, want %d: the root and a node with both", got, want)
	}
}

// TestBytes holds Bytes against what the heap says, and both against the goal,
// for a table like the Internet's: /32s, some with runs of /48 inside.
func TestBytes(t *testing.T) {
	const n, goal = 40000, 60
	rng := rand.New(rand.NewPCG(8, 8))
	ps := make([]netip.Prefix, 0, n)
	for len(ps) < n {
		hi := 0x2a00<<48 | uint64(rng.IntN(1<<10))<<38 | uint64(rng.IntN(8))<<35
		ps = append(ps, prefix{Addr{Hi: hi}, 32}.netip())
		if rng.IntN(3) > 0 {
			continue
		}
		first := rng.Uint64N(1 << 15)
		for i := range rng.Uint64N(24) {
			ps = append(ps, prefix{Addr{Hi: hi | (first+i)<<16}, 48}.netip())
		}
	}
	before := heap()
	tab := New()
	for _, p := range ps {
		mustAdd(t, tab, p, 1)
	}
	used := heap() - before
	runtime.KeepAlive(ps)
	if got := tab.Bytes(); got > used || got < used*8/10 {
		t.Errorf("Bytes = %d, want 80%% to 100%% of the heap's %d", got, used)
	}
	if got := used / tab.Len(); got > goal {
		t.Errorf("%d bytes a route, want at most %d", got, goal)
	}
	t.Logf("%d routes: Bytes = %d, heap %d, %d a route", tab.Len(), tab.Bytes(), used, used/tab.Len())
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func mustAdd(t testing.TB, tab *Table, p netip.Prefix, g GroupID) {
	t.Helper()
	if err := tab.Add(p, g); err != nil {
		t.Fatal(err)
	}
}
