package sys

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// PollSet waits for any of several sockets. One goroutine at a time.
type PollSet struct {
	fds     []unix.PollFd
	timeout unix.Timespec
}

// NewPollSet makes a set of sockets that are watched for received frames.
func NewPollSet(fds []int) *PollSet {
	p := &PollSet{fds: make([]unix.PollFd, len(fds))}
	for i, fd := range fds {
		p.fds[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	return p
}

// WatchTransmit says whether socket i is watched for room on its TX ring too.
// A TX ring that is not stuck always has room: watching it would end every
// wait at once.
func (p *PollSet) WatchTransmit(i int, watch bool) {
	p.fds[i].Events = unix.POLLIN
	if watch {
		p.fds[i].Events |= unix.POLLOUT
	}
}

// Wait sleeps until a socket is ready or the milliseconds are over. A signal
// ends it early, without an error.
//
// It is an ordinary system call: the scheduler knows that the goroutine is in
// the kernel and goes on with the others.
func (p *PollSet) Wait(milliseconds int) error {
	p.timeout = unix.NsecToTimespec(int64(milliseconds) * int64(time.Millisecond))
	_, err := unix.Ppoll(p.fds, &p.timeout, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("poll %d sockets: %w", len(p.fds), err)
	}
	return nil
}
