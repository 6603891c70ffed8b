package fib

import (
	"fmt"
	"syscall"
	"unsafe"
)

// Memory is what a trie lives in: 64-bit words, which the trie alone writes. It
// may be shared with readers outside of the program.
type Memory []uint64

// hugePage is what the processor can translate at a time where the kernel gives
// it to us.
const hugePage = 2 << 20

// MapMemory asks the kernel for anonymous memory of so many words, of which
// only what is used takes room. Give it back by Unmap.
func MapMemory(words int) (Memory, error) {
	if words <= 0 || words > maxWords {
		return nil, fmt.Errorf("map memory for the FIB: %d words, want 1 to %d", words, maxWords)
	}
	raw, err := syscall.Mmap(-1, 0, words*8, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("map %d MiB of memory for the FIB: %w", words*8>>20, err)
	}
	// A kernel without huge pages is slower, no more.
	_ = syscall.Madvise(raw, syscall.MADV_HUGEPAGE)
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(raw))), words), nil
}

// Unmap gives m back. Nobody may use it any more.
func (m Memory) Unmap() error {
	if err := syscall.Munmap(m.bytes(0, len(m))); err != nil {
		return fmt.Errorf("unmap the FIB's memory: %w", err)
	}
	return nil
}

// forget lets the kernel have the pages of words from to to, which read as zero
// when they are next used. Memory that the kernel cannot take back stays.
func (m Memory) forget(from, to int) {
	const page = 4096 / 8
	from, to = (from+page-1)/page*page, to/page*page
	if from < to {
		_ = syscall.Madvise(m.bytes(from, to), syscall.MADV_DONTNEED)
	}
}

func (m Memory) bytes(from, to int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(m[from:to]))), (to-from)*8)
}
