package fib_test

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/fwd6/fwd6/fib"
)

// TestLookupAtTheEnd has a node at the very end of the memory, behind which
// nothing may be read.
func TestLookupAtTheEnd(t *testing.T) {
	const bytes, page = leastWords * 8, 4096
	raw, err := syscall.Mmap(-1, 0, bytes+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Munmap(raw) }()
	if err := syscall.Mprotect(raw[bytes:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	for _, wide := range []bool{false, true} {
		clear(raw[:bytes])
		tab, err := fib.NewIn(unsafe.Slice((*uint64)(unsafe.Pointer(&raw[0])), leastWords))
		if err != nil {
			t.Fatal(err)
		}
		tab.FillUp(wide)
		// One inner word without kids, so that its leaves are all that there is.
		first, second := prefixOf(fib.Addr{Hi: 0x2000 << 48}, 14), prefixOf(fib.Addr{Hi: 0x2008 << 48}, 13)
		tab.Put(first, 1)
		tab.Put(second, 2)
		addrs, out := make([]fib.Addr, 64), make([]fib.GroupID, 64)
		for i := range addrs {
			addrs[i] = fib.Addr{Hi: 0x2000<<48 + uint64(i)<<46}
		}
		for variant := range fib.EachVariant(t) {
			tab.LookupBatch(addrs, out) // a fault ends the process
			for i, a := range addrs {
				if want := tab.Lookup(a); out[i] != want {
					t.Errorf("%s, wide %v: Lookup(%v) = %d, want %d", variant, wide, a.Netip(), out[i], want)
				}
			}
		}
	}
}
