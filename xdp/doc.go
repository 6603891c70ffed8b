// Package xdp moves frames between AF_XDP sockets and the worker owning them.
//
// A frame is a fixed-size piece of UMEM, named by its offset. It always has
// exactly one owner:
//
//	free ─Refill▶ fill ring ─kernel▶ RX ring ─Receive▶ worker
//	  ▲                                                   │
//	  └─Reap─ completion ring ◀kernel─ TX ring ◀Transmit──┘
//
// # The four rings
//
// A socket has four rings, each a power of two of entries in memory that it
// shares with the kernel, with one index for each end. Whoever writes entries
// advances the producer index, whoever reads them the consumer index; both run
// free and wrap at 2^32. Nobody writes the other's index, so there is no lock:
// entries are written before the index that shows them, and read before the
// index that gives their places back.
//
//	ring        entries      producer  consumer  means
//	fill        address      worker    kernel    receive into this frame
//	RX          descriptor   kernel    worker    this was received
//	TX          descriptor   worker    kernel    send this
//	completion  address      kernel    worker    this was sent
//
// A descriptor is an address and a length. The address of what was received
// lies 256 bytes into its chunk; what is sent may lie anywhere in one. A frame
// longer than a chunk takes several descriptors, of which all but the last have
// DescContinued; they stay together on every ring.
//
// Each end reads the other's index only when what it last knew of it does not
// suffice, because the line it lies in belongs to another core.
//
// # System calls
//
// The kernel looks at a ring by itself, or sets the ring's need-wakeup flag and
// waits to be told. In copy mode it always waits to be told to send: the call
// copies frames out and hands them to the driver, 32 at a time. All of this
// happens in Flush, once a round, so its cost is shared by a round's packets.
//
// # Who owns what
//
// All sockets of a worker are one Backend, in the hands of that worker alone.
// There are two:
//
//   - Shared (OpenShared) has one UMEM and one stack of free frames for all of
//     its sockets. Forwarding passes descriptors on; nothing is copied.
//   - The one of OpenAsavie has a UMEM for each socket and copies a frame once
//     from one to the other, on github.com/asavie/xdp.
//
// Frames are enough for all rings of all sockets to be full at once, so a ring
// that is stuck, because its port is down, starves no other.
//
// The rings are the seam for tests: package xdptest makes a Shared over rings
// in plain memory and holds the kernel's ends.
//
// # Steering
//
// A program on each port (Steering, Program) sorts what arrives: to the sockets
// what may be forwarded, to the kernel everything else. An Injector hands
// frames that were received here back to the kernel.
package xdp
