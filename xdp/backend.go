package xdp

// Desc describes one piece of a frame: where it lies in its UMEM and how long
// it is. It has the layout of struct xdp_desc in linux/if_xdp.h.
type Desc struct {
	Addr    uint64 // bytes from the start of the UMEM
	Len     uint32 // bytes
	Options uint32 // DescContinued or 0
}

// DescContinued marks a descriptor whose frame goes on in the next one
// (XDP_PKT_CONTD). Only frames longer than a chunk have it.
const DescContinued = 1

// Backend is one worker's sockets: one for each of its (port, queue) pairs,
// numbered from 0 in the order in which they were opened.
//
// All methods but Stats belong to the worker that owns the backend. A frame
// given by Receive belongs to the worker until it hands it on with Transmit or
// Free; both keep the pieces of a frame together. Frames may be changed in
// place and made shorter or longer, within their chunks.
//
// Receive, Transmit, Free and Flush do not allocate, lock or sleep.
type Backend interface {
	// Memory is the UMEM that holds the frames received on socket s. It is
	// valid until Close.
	Memory(s int) []byte

	// Receive moves up to len(descs) descriptors from the RX ring of socket s
	// to descs and returns how many. It never splits a frame: when the last
	// pieces of a frame do not fit or have not arrived, the frame stays. There
	// must be room for MaxPieces; a frame with more is dropped and counted.
	Receive(s int, descs []Desc) int

	// Transmit puts frames received on socket from onto the TX ring of socket
	// s and returns how many descriptors it took, always whole frames. The
	// rest still belong to the caller (the ring is full, or the port is gone).
	// No piece may be empty.
	Transmit(s, from int, descs []Desc) int

	// Free gives frames received on socket from back for receiving.
	Free(from int, descs []Desc)

	// Flush makes what was transmitted visible to the kernel, wakes it where
	// it asks for that, takes completed frames back and refills the fill
	// ring, for every socket. It reports an error, which matches ErrGone, once
	// for every socket that it finds beyond use; the others work on. A port
	// that is down is no error: its frames go out when it is up again.
	Flush() error

	// Wait sleeps until a socket has something to do or the time is over. It
	// may end early. What was transmitted must have been flushed before.
	Wait(milliseconds int) error

	// FD is the descriptor of socket s, for the XSKMAP.
	FD(s int) int

	// ZeroCopy says whether the driver of socket s writes the UMEM itself.
	ZeroCopy(s int) bool

	// CopyCause says why BindAuto settled for copy mode, for the log. It is nil
	// where it did not.
	CopyCause() error

	// Stats reads the kernel's counters of socket s. Any goroutine.
	Stats(s int) (SocketStats, error)

	// Close unbinds every socket and frees all memory. The kernel lets the
	// queues go some 10 ms later; opening them again waits for that.
	Close() error
}

// SocketStats are the kernel's counters of one socket
// (struct xdp_statistics in linux/if_xdp.h).
type SocketStats struct {
	RxDropped     uint64 // for any reason, mostly: longer than a chunk
	RxInvalid     uint64
	TxInvalid     uint64
	RxRingFull    uint64
	FillRingEmpty uint64
	TxRingEmpty   uint64
}

// Queue is a (port, queue) pair to open a socket on.
type Queue struct {
	Ifindex int
	Port    string // for messages
	Queue   int
}

// BindMode says whether a socket is to use zero-copy.
type BindMode uint8

const (
	BindAuto     BindMode = iota // zero-copy where every socket can, else copy
	BindZeroCopy                 // zero-copy or an error
	BindCopy
)

// SocketConfig is what both backends need to know.
type SocketConfig struct {
	Bind        BindMode
	RingSize    int  // entries of each ring, a power of two
	ChunkSize   int  // bytes: 2048 or 4096
	MultiBuffer bool // frames may span chunks (XDP_USE_SG, kernel 6.6)
}
