package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

var (
	// ErrInterrupted matches the error of a dump that the kernel could not
	// tell consistently, however often it was repeated.
	ErrInterrupted = errors.New("interrupted by changes")
	// ErrNotExist matches the error of a request about what is not there.
	ErrNotExist = errors.New("does not exist")
)

const (
	// answerTime is how long a request waits for each part of its answer. The
	// kernel answers while it is asked; the limit keeps a bug from becoming a
	// hang.
	answerTime = 10 * time.Second
	// maxDumps is how often an interrupted dump is begun anew.
	maxDumps = 10
	// readLimit is how many datagrams one read of an answer takes at most.
	readLimit = 16
)

// Conn asks the kernel. It belongs to the network namespace of the thread that
// called Dial.
//
// A Conn serves one goroutine at a time, callbacks included: a callback must
// not use the Conn that called it. Close may be called by any goroutine and
// ends a request under way.
type Conn struct{ s *socket }

// Dial opens a connection for requests. Reading needs no privilege;
// UseNeighbor needs CAP_NET_ADMIN.
func Dial() (*Conn, error) {
	s, err := openSocket()
	if err != nil {
		return nil, err
	}
	// Kernels before 4.20 do not have them all. The answers are the same, but
	// for filters, which the dumps that ask for one apply themselves too.
	for _, o := range []netlink.ConnOption{netlink.GetStrictCheck, netlink.ExtendedAcknowledge, netlink.CapAcknowledge} {
		if err := s.nl.SetOption(o, true); err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
			return nil, errors.Join(fmt.Errorf("set option of netlink socket: %w", err), s.close())
		}
	}
	return &Conn{s: s}, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.s.close() }

// Link asks for one link. The error matches ErrNotExist if there is none.
func (c *Conn) Link(ifindex int) (*Link, error) {
	what := fmt.Sprintf("get link %d", ifindex)
	request := netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request | netlink.Acknowledge},
		Data:   linkRequest(ifindex),
	}
	var link *Link
	err := c.exchange(what, request, func(m netlink.Message) error {
		e, err := Decode(m)
		if l, ok := e.Object.(*Link); ok && err == nil {
			link = l
		}
		return err
	})
	if err == nil && link == nil {
		err = fmt.Errorf("%s: the answer holds no link", what)
	}
	return link, err
}

// exchange sends a request that asks for an acknowledgement or a dump, and gives
// each message of the answer to each, the NLMSG_DONE of a dump included. If each
// fails it is not called again, but the answer is read to its end.
func (c *Conn) exchange(what string, request netlink.Message, each func(netlink.Message) error) error {
	sent, err := c.s.nl.Send(request)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	var failure error
	done := false
	answer := func(m netlink.Message) {
		// Anything else is what is left of a request that was given up.
		if m.Header.Sequence != sent.Header.Sequence || done {
			return
		}
		var err error
		if m.Header.Type == netlink.Error || m.Header.Type == netlink.Done {
			done = true
			err = acknowledgement(m)
		}
		if err == nil && failure == nil && m.Header.Type != netlink.Error {
			err = each(m)
		}
		if failure == nil {
			failure = err
		}
	}
	if err := c.await(what, &done, answer); err != nil {
		return err
	}
	if failure != nil {
		return fmt.Errorf("%s: %w", what, failure)
	}
	return nil
}

// exchangeBatch sends requests in one datagram and gives what each of them is
// answered to answer: a message, or the error that it failed with. Only the last
// is acknowledged, so that of the others only questions and failures answer.
func (c *Conn) exchangeBatch(what string, requests []netlink.Message, answer func(at int, m netlink.Message, err error)) error {
	if len(requests) == 0 {
		return nil
	}
	requests[len(requests)-1].Header.Flags |= netlink.Acknowledge
	sent, err := c.s.nl.SendMessages(requests)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	first := sent[0].Header.Sequence
	done := false
	return c.await(what, &done, func(m netlink.Message) {
		at := int(m.Header.Sequence - first)
		if at < 0 || at >= len(requests) || done {
			return // left of a request that was given up
		}
		if m.Header.Type != netlink.Error {
			answer(at, m, nil)
			return
		}
		done = at == len(requests)-1
		if err := acknowledgement(m); err != nil {
			answer(at, m, err)
		}
	})
}

// await receives until done.
func (c *Conn) await(what string, done *bool, answer func(netlink.Message)) error {
	for !*done {
		if err := c.s.nl.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		_, err := c.s.receive(readLimit, answer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("%s: no answer from the kernel in %v", what, answerTime)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// acknowledgement returns the error that an NLMSG_ERROR or NLMSG_DONE carries,
// with the kernel's own words where it gives some.
func acknowledgement(m netlink.Message) error {
	if len(m.Data) < 4 {
		if m.Header.Type == netlink.Done {
			return nil
		}
		return malformed("acknowledgement of %d bytes", len(m.Data))
	}
	errno := -int32(binary.NativeEndian.Uint32(m.Data))
	if errno == 0 {
		return nil
	}
	err := error(unix.Errno(errno))
	if errno == int32(unix.ENODEV) || errno == int32(unix.ENOENT) {
		err = fmt.Errorf("%w: %w", ErrNotExist, err)
	}
	if text := acknowledgementText(m); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// acknowledgementText finds NLMSGERR_ATTR_MSG.
func acknowledgementText(m netlink.Message) string {
	if m.Header.Flags&netlink.AcknowledgeTLVs == 0 {
		return ""
	}
	at := 4 // after the error number
	if m.Header.Type == netlink.Error {
		// The request's header follows, and its content unless that was cut.
		if len(m.Data) < at+sizeofMessageHeader {
			return ""
		}
		length := sizeofMessageHeader
		if m.Header.Flags&netlink.Capped == 0 {
			length = align4(int(binary.NativeEndian.Uint32(m.Data[at:])))
		}
		at += length
	}
	if at < 0 || at > len(m.Data) {
		return ""
	}
	a := attrs{rest: m.Data[at:]}
	for a.next() {
		if a.typ == unix.NLMSGERR_ATTR_MSG {
			return a.str()
		}
	}
	return ""
}
