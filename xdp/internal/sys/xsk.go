package sys

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// XSK is the descriptor of an AF_XDP socket.
type XSK int

// Flags of Bind.
const (
	BindShared     = unix.XDP_SHARED_UMEM
	BindCopy       = unix.XDP_COPY
	BindZeroCopy   = unix.XDP_ZEROCOPY
	BindNeedWakeup = unix.XDP_USE_NEED_WAKEUP
	BindSG         = unix.XDP_USE_SG
)

// OpenXSK makes a socket in the network namespace of the calling thread.
func OpenXSK() (XSK, error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open AF_XDP socket: %w", err)
	}
	return XSK(fd), nil
}

// Close gives the descriptor back. The queue stays bound until the mappings of
// its rings are gone too.
func (x XSK) Close() error {
	if err := unix.Close(int(x)); err != nil {
		return fmt.Errorf("close AF_XDP socket: %w", err)
	}
	return nil
}

// RegisterUMEM makes memory the UMEM of the socket, cut in chunks of chunkSize
// bytes. Other sockets share it by binding to this one.
func (x XSK) RegisterUMEM(memory []byte, chunkSize int) error {
	reg := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(&memory[0]))),
		Len:  uint64(len(memory)),
		Size: uint32(chunkSize),
	}
	// Kernels before 6.8 know the first 28 bytes; longer is taken as well, as
	// what they do not know is zero.
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(x), unix.SOL_XDP, unix.XDP_UMEM_REG,
		uintptr(unsafe.Pointer(&reg)), unsafe.Sizeof(reg), 0)
	if errno != 0 {
		return fmt.Errorf("register UMEM of %d bytes: %w", len(memory), errno)
	}
	return nil
}

// SetRingSizes makes the four rings, of size entries each.
func (x XSK) SetRingSizes(size int) error {
	for _, ring := range []struct {
		name   string
		option int
	}{
		{"fill", unix.XDP_UMEM_FILL_RING},
		{"completion", unix.XDP_UMEM_COMPLETION_RING},
		{"RX", unix.XDP_RX_RING},
		{"TX", unix.XDP_TX_RING},
	} {
		if err := unix.SetsockoptInt(int(x), unix.SOL_XDP, ring.option, size); err != nil {
			return fmt.Errorf("make %s ring of %d entries: %w", ring.name, size, err)
		}
	}
	return nil
}

// RaiseSendBuffer lets at least bytes be on their way at once. In copy mode
// every frame on its way counts as its skb's full size against SO_SNDBUF, and
// sending stops with EAGAIN beyond it. Without CAP_NET_ADMIN the limit
// net.core.wmem_max holds.
func (x XSK) RaiseSendBuffer(bytes int) {
	if unix.SetsockoptInt(int(x), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, bytes) != nil {
		_ = unix.SetsockoptInt(int(x), unix.SOL_SOCKET, unix.SO_SNDBUF, bytes)
	}
}

// Bind ties the socket to a queue of a device. With BindShared it takes the
// UMEM and the modes of the socket owner, and no other flag may be set.
func (x XSK) Bind(ifindex, queue int, flags uint16, owner XSK) error {
	sa := &unix.SockaddrXDP{Flags: flags, Ifindex: uint32(ifindex), QueueID: uint32(queue)}
	if flags&BindShared != 0 {
		sa.SharedUmemFD = uint32(owner)
	}
	return unix.Bind(int(x), sa)
}

// ZeroCopy says whether the socket is bound in zero-copy mode.
func (x XSK) ZeroCopy() (bool, error) {
	flags, err := unix.GetsockoptInt(int(x), unix.SOL_XDP, unix.XDP_OPTIONS)
	if err != nil {
		return false, fmt.Errorf("read options of AF_XDP socket: %w", err)
	}
	return flags&unix.XDP_OPTIONS_ZEROCOPY != 0, nil
}

// Statistics reads the kernel's counters. Any goroutine.
func (x XSK) Statistics() (unix.XDPStatistics, error) {
	var stats unix.XDPStatistics
	size := uint32(unsafe.Sizeof(stats))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(x), unix.SOL_XDP, unix.XDP_STATISTICS,
		uintptr(unsafe.Pointer(&stats)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return stats, fmt.Errorf("read statistics of AF_XDP socket: %w", errno)
	}
	return stats, nil
}

// Kind names one of the four rings.
type Kind int

const (
	FillRing Kind = iota
	CompletionRing
	RXRing
	TXRing
)

// MapRing maps a ring that SetRingSizes made with size entries. T is uint64
// for the fill and completion rings, a struct xdp_desc for the others.
func MapRing[T any](x XSK, kind Kind, size int) (*Ring[T], error) {
	var offsets unix.XDPMmapOffsets
	length := uint32(unsafe.Sizeof(offsets))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(x), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS,
		uintptr(unsafe.Pointer(&offsets)), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("read ring offsets: %w", errno)
	}
	if length != uint32(unsafe.Sizeof(offsets)) {
		return nil, fmt.Errorf("read ring offsets: %w: the kernel has no need-wakeup flag, it is older than 5.4", unix.EOPNOTSUPP)
	}
	var page int64
	var at unix.XDPRingOffset
	switch kind {
	case FillRing:
		page, at = unix.XDP_UMEM_PGOFF_FILL_RING, offsets.Fr
	case CompletionRing:
		page, at = unix.XDP_UMEM_PGOFF_COMPLETION_RING, offsets.Cr
	case RXRing:
		page, at = unix.XDP_PGOFF_RX_RING, offsets.Rx
	case TXRing:
		page, at = unix.XDP_PGOFF_TX_RING, offsets.Tx
	}
	var entry T
	bytes := int(at.Desc) + size*int(unsafe.Sizeof(entry))
	m, err := unix.Mmap(int(x), page, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map ring of %d bytes: %w", bytes, err)
	}
	return &Ring[T]{
		Producer: (*atomic.Uint32)(unsafe.Pointer(&m[at.Producer])),
		Consumer: (*atomic.Uint32)(unsafe.Pointer(&m[at.Consumer])),
		Flags:    (*atomic.Uint32)(unsafe.Pointer(&m[at.Flags])),
		Entries:  unsafe.Slice((*T)(unsafe.Pointer(&m[at.Desc])), size),
		mapping:  m,
	}, nil
}

// Unmap gives a mapped ring back. Nobody may touch it afterwards.
func (r *Ring[T]) Unmap() error {
	if r == nil || r.mapping == nil {
		return nil
	}
	m := r.mapping
	r.mapping, r.Entries = nil, nil
	if err := unix.Munmap(m); err != nil {
		return fmt.Errorf("unmap ring: %w", err)
	}
	return nil
}
