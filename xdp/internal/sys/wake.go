package sys

import "golang.org/x/sys/unix"

// Wake is what the kernel answers when it is told to look at a ring.
type Wake uint8

const (
	WakeDone    Wake = iota // it has looked, or will
	WakeAgain               // it stopped early: more is left, or it has no room now
	WakeDropped             // it stopped at a frame that the device dropped; more may be left
	WakeDown                // the port is down
	WakeGone                // the socket is beyond use: its device is gone
)

// WakeTransmit tells the kernel to look at the TX ring. In copy mode the call
// itself sends: 32 descriptors, then EAGAIN if there are more.
//
// It is a raw system call. It never sleeps (MSG_DONTWAIT) and ends after some
// 30 µs at most; announcing each to the scheduler would cost more than the call
// of an idle socket, and a worker that came back late would have to wait for
// the processor it gave up.
func (x XSK) WakeTransmit() Wake {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(x), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return wakeOf(errno)
}

// WakeReceive tells the kernel to look at the fill ring. A raw system call, as
// WakeTransmit.
func (x XSK) WakeReceive() Wake {
	_, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(x), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return wakeOf(errno)
}

// wakeOf sorts the errors of xsk_sendmsg and xsk_recvmsg in net/xdp/xsk.c.
func wakeOf(errno unix.Errno) Wake {
	switch errno {
	case 0:
		return WakeDone
	case unix.ENETDOWN:
		return WakeDown
	case unix.ENXIO, unix.EBADF:
		// Not bound any more: the device went away, or moved to another
		// network namespace.
		return WakeGone
	case unix.EBUSY:
		// Completed but not sent, for example because there is no carrier.
		return WakeDropped
	default:
		// EAGAIN: the batch is over, SO_SNDBUF or the completion ring is full,
		// or the driver is busy. ENOBUFS, ENOMEM: no skb now. EINTR, and
		// whatever a driver's wake-up may answer: the frames are still on the
		// ring.
		return WakeAgain
	}
}
