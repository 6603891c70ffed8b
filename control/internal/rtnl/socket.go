package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// bufferSize is above the longest message there can be: an attribute has 64 KiB
// at most, and only one of a message's attributes can be nearly that long. The
// kernel also fills it as far as it goes (32 KiB) in each step of a dump.
const bufferSize = 128 << 10

const sizeofMessageHeader = 16 // struct nlmsghdr

// A socket reads datagrams of the kernel, many at a time, into one buffer.
//
// netlink.Conn does it with two system calls and a fresh buffer for each
// datagram, and keeps the message that ends a dump, with its flags, to itself.
//
// receive belongs to one goroutine; close may be called by any.
type socket struct {
	nl  *netlink.Conn
	raw syscall.RawConn
	buf []byte
}

func openSocket() (*socket, error) {
	nl, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	raw, err := nl.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open netlink socket: %w", err), nl.Close())
	}
	return &socket{nl: nl, raw: raw, buf: make([]byte, bufferSize)}, nil
}

func (s *socket) close() error { return s.nl.Close() }

// receive waits for a datagram, then reads what is there, up to limit datagrams,
// and gives each of the messages to each. The Data of a message is valid
// only until each returns. drained says that nothing was left to read.
//
// An error may come after messages.
func (s *socket) receive(limit int, each func(netlink.Message)) (drained bool, err error) {
	var failure error
	err = s.raw.Read(func(fd uintptr) bool {
		drained, failure = s.read(int(fd), limit, each)
		return !errors.Is(failure, errNothing)
	})
	if err == nil {
		err = failure
	}
	return drained, err
}

// tryReceive is receive without the wait.
func (s *socket) tryReceive(limit int, each func(netlink.Message)) (drained bool, err error) {
	var failure error
	err = s.raw.Control(func(fd uintptr) {
		drained, failure = s.read(int(fd), limit, each)
	})
	if err == nil && !errors.Is(failure, errNothing) {
		err = failure
	}
	return drained, err
}

// errNothing says that there was nothing of the kernel to read.
var errNothing = errors.New("nothing to read")

func (s *socket) read(fd, limit int, each func(netlink.Message)) (drained bool, err error) {
	heard := false
	for range limit {
		// MSG_TRUNC makes n the length of the datagram, whatever that of buf.
		n, from, err := unix.Recvfrom(fd, s.buf, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN && !heard:
			return true, errNothing
		case err == unix.EAGAIN:
			return true, nil
		case err != nil:
			return false, os.NewSyscallError("recvfrom", err)
		}
		if sa, ok := from.(*unix.SockaddrNetlink); !ok || sa.Pid != 0 {
			continue // another process: nothing that it says is the kernel's
		}
		heard = true
		if n > len(s.buf) {
			return false, malformed("%d bytes, more than the %d of the buffer", n, len(s.buf))
		}
		if err := splitMessages(s.buf[:n], each); err != nil {
			return false, err
		}
	}
	return false, nil
}

// splitMessages gives each message of a datagram to each.
func splitMessages(b []byte, each func(netlink.Message)) error {
	for len(b) >= sizeofMessageHeader {
		length := int(binary.NativeEndian.Uint32(b))
		if length < sizeofMessageHeader || length > len(b) {
			return malformed("message claims %d bytes of %d", length, len(b))
		}
		each(netlink.Message{
			Header: netlink.Header{
				Length:   uint32(length),
				Type:     netlink.HeaderType(binary.NativeEndian.Uint16(b[4:])),
				Flags:    netlink.HeaderFlags(binary.NativeEndian.Uint16(b[6:])),
				Sequence: binary.NativeEndian.Uint32(b[8:]),
				PID:      binary.NativeEndian.Uint32(b[12:]),
			},
			Data: b[sizeofMessageHeader:length],
		})
		b = b[min(align4(length), len(b)):]
	}
	return nil
}
