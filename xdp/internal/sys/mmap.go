package sys

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hugePage is the size of the pages that a UMEM is made of where the machine
// has them: with pages of 4 KiB nearly every frame is a TLB miss.
const hugePage = 2 << 20

// MapUMEM returns size bytes of zeroed memory, all of it backed by pages
// already, from reserved huge pages if there are enough, else from transparent
// ones where the kernel finds them. Unmap gives it back.
func MapUMEM(size int) ([]byte, error) {
	rounded := (size + hugePage - 1) &^ (hugePage - 1)
	const flags = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	m, err := unix.Mmap(-1, 0, rounded, unix.PROT_READ|unix.PROT_WRITE,
		flags|unix.MAP_HUGETLB|unix.MAP_HUGE_2MB|unix.MAP_POPULATE)
	if err == nil {
		return m[:size], nil
	}
	m, err = unix.Mmap(-1, 0, rounded, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of memory: %w", rounded, err)
	}
	// The advice has to come before the pages do, so no MAP_POPULATE here. A
	// kernel built without huge pages refuses it, and no harm is done.
	_ = unix.Madvise(m, unix.MADV_HUGEPAGE)
	if err := populate(m); err != nil {
		_ = unix.Munmap(m)
		return nil, fmt.Errorf("back %d bytes with memory: %w", rounded, err)
	}
	return m[:size], nil
}

// populate faults every page in.
func populate(m []byte) error {
	err := unix.Madvise(m, unix.MADV_POPULATE_WRITE)
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	for i := 0; i < len(m); i += os.Getpagesize() { // kernel before 5.14
		m[i] = 0
	}
	return nil
}

// Unmap gives back memory of MapUMEM. Nobody may touch it afterwards.
func Unmap(memory []byte) error {
	if memory == nil {
		return nil
	}
	if err := unix.Munmap(memory[:cap(memory)]); err != nil {
		return fmt.Errorf("unmap %d bytes of memory: %w", cap(memory), err)
	}
	return nil
}
