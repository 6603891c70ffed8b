package sys

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ProgXDPHasFrags is the load flag of programs that see frames in pieces.
const ProgXDPHasFrags = unix.BPF_F_XDP_HAS_FRAGS

// ProgXDPDevBound is the load flag of programs that run on one device only and
// may ask its driver about a frame.
const ProgXDPDevBound = unix.BPF_F_XDP_DEV_BOUND_ONLY

// Words is the value of a mmapable BPF array map, as the 64-bit words that the
// kernel's programs see.
//
// At may be used by any goroutine; nothing that it returned after Close.
type Words struct {
	mem   []byte
	words []atomic.Uint64
}

// MapWords maps the first n words of the array map with descriptor fd. The map
// stays until Close, whatever becomes of fd.
func MapWords(fd, n int) (*Words, error) {
	page := os.Getpagesize()
	size := (n*8 + page - 1) / page * page
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap BPF map: %w", err)
	}
	// The mapping begins on a page, so every word is aligned.
	first := (*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(mem)))
	return &Words{mem: mem, words: unsafe.Slice(first, n)}, nil
}

// At is word i. BPF reads and writes it with plain 64-bit loads and stores,
// which never tear.
func (w *Words) At(i int) *atomic.Uint64 { return &w.words[i] }

// Bytes is the same memory as bytes.
func (w *Words) Bytes() []byte { return w.mem[:len(w.words)*8] }

// Close unmaps the words. Twice is fine.
func (w *Words) Close() error {
	if w.mem == nil {
		return nil
	}
	mem := w.mem
	w.mem, w.words = nil, nil
	return unix.Munmap(mem)
}

// TestRun is a prepared BPF_PROG_TEST_RUN of a SCHED_CLS program, to be run
// many times without allocating. One goroutine at a time.
type TestRun struct {
	attr testRunAttr
	skb  skbuff
}

// testRunAttr is the part of union bpf_attr (linux/bpf.h) for this command.
type testRunAttr struct {
	progFD      uint32
	retval      uint32
	dataSizeIn  uint32
	dataSizeOut uint32
	dataIn      unsafe.Pointer
	dataOut     unsafe.Pointer
	repeat      uint32
	duration    uint32
	ctxSizeIn   uint32
	ctxSizeOut  uint32
	ctxIn       unsafe.Pointer
	ctxOut      unsafe.Pointer
	flags       uint32
	cpu         uint32
	batchSize   uint32
	_           uint32
}

// skbuff is the beginning of struct __sk_buff (linux/bpf.h); the kernel takes
// what is missing as zero.
type skbuff struct {
	_  [12]uint32
	cb [5]uint32
}

// Pointers are 64 bits wide in bpf_attr.
var (
	_ [80]byte = [unsafe.Sizeof(testRunAttr{})]byte{}
	_ [68]byte = [unsafe.Sizeof(skbuff{})]byte{}
)

// NewTestRun prepares running the program with descriptor prog, which must
// stay open.
func NewTestRun(prog int) *TestRun {
	r := new(TestRun)
	r.attr.progFD = uint32(prog)
	r.attr.ctxSizeIn = uint32(unsafe.Sizeof(r.skb))
	r.attr.ctxIn = unsafe.Pointer(&r.skb)
	return r
}

// Run runs the program once, in the network namespace of the calling thread,
// on a socket buffer holding data (14 to about 3500 bytes), with its control
// block set to cb, and returns what the program returned.
func (r *TestRun) Run(data []byte, cb [5]uint32) (int32, error) {
	r.skb.cb = cb
	r.attr.dataIn = unsafe.Pointer(unsafe.SliceData(data))
	r.attr.dataSizeIn = uint32(len(data))
	r.attr.dataSizeOut, r.attr.ctxSizeOut = 0, 0 // the last run wrote there
	_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_TEST_RUN,
		uintptr(unsafe.Pointer(&r.attr)), unsafe.Sizeof(r.attr))
	r.attr.dataIn = nil
	runtime.KeepAlive(data)
	if errno != 0 {
		return 0, os.NewSyscallError("bpf(BPF_PROG_TEST_RUN)", errno)
	}
	return int32(r.attr.retval), nil
}
