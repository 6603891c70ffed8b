package rtnl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// ErrOverflow matches the error of Receive when the kernel had more to tell than
// the socket could hold: Events are missing, so everything must be dumped anew.
var ErrOverflow = errors.New("netlink receive buffer overflowed")

// subscribeBuffer, in bytes, holds about 26,000 route changes: each takes some
// 1,300 bytes of it, and the kernel doubles what is asked for.
const subscribeBuffer = 16 << 20

// receiveBatch is how many datagrams one Receive takes at most.
const receiveBatch = 4096

var groups = []uint32{
	unix.RTNLGRP_LINK,
	unix.RTNLGRP_NEIGH,
	unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV6_ROUTE,
	unix.RTNLGRP_IPV6_RULE,
	unix.RTNLGRP_NEXTHOP,
	unix.RTNLGRP_IPV6_NETCONF,
}

// Subscription tells what changes, in the order in which the kernel tells it. It
// belongs to the network namespace of the thread that called Subscribe.
//
// Receive serves one goroutine at a time. Close and Undecoded may be called by
// any; Close ends a Receive under way.
type Subscription struct {
	s         *socket
	batch     []Event // of the last Receive
	limit     int     // datagrams that the buffer can hold at the very most
	undecoded atomic.Uint64
}

// Subscribe joins the multicast groups for links, neighbors, next hops, and
// IPv6 addresses, routes, rules and settings. What happens from then on is
// told, so subscribe first and dump then.
func Subscribe() (*Subscription, error) { return subscribe(subscribeBuffer) }

func subscribe(bytes int) (*Subscription, error) {
	s, err := openSocket()
	if err != nil {
		return nil, err
	}
	// SetReadBuffer tries SO_RCVBUFFORCE, then SO_RCVBUF, which the kernel cuts
	// to net.core.rmem_max without a word.
	if err := s.nl.SetReadBuffer(bytes); err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe: set receive buffer of %d bytes: %w", bytes, err), s.close())
	}
	actual, err := s.nl.ReadBuffer()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe: %w", err), s.close())
	}
	for _, g := range groups {
		// A kernel that does not know a group (RTNLGRP_NEXTHOP came with 5.3)
		// does not have its objects either.
		if err := s.nl.JoinGroup(g); err != nil && !errors.Is(err, unix.EINVAL) {
			return nil, errors.Join(fmt.Errorf("subscribe to group %d: %w", g, err), s.close())
		}
	}
	const smallest = 256 // bytes, less than the kernel accounts for any message
	return &Subscription{s: s, limit: max(actual/smallest, receiveBatch)}, nil
}

// Close closes the subscription.
func (s *Subscription) Close() error { return s.s.close() }

// Undecoded returns how many messages could not be decoded so far.
func (s *Subscription) Undecoded() uint64 { return s.undecoded.Load() }

// Receive waits until there is something to tell or ctx is done, and returns it:
// at most some thousand Events at a time. The slice is valid until the next
// Receive; the Objects are the caller's.
//
// Events and an error may come together, the Events being valid whatever the
// error:
//   - one that matches ErrOverflow: Events are missing after those returned. The
//     subscription goes on; everything that changes after Receive has returned
//     is told again, so a dump begun then closes the gap.
//   - one that matches ErrMalformed: messages were left out, being undecodable.
//     The subscription goes on.
//   - ctx.Err(): nothing is lost.
//   - any other: the socket is of no more use, for instance closed.
func (s *Subscription) Receive(ctx context.Context) ([]Event, error) {
	release, err := s.watch(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	clear(s.batch) // do not keep alive what the caller has dropped
	s.batch = s.batch[:0]
	var bad undecoded
	_, err = s.s.receive(receiveBatch, func(m netlink.Message) { s.take(m, &bad) })
	overflow := errors.Is(err, unix.ENOBUFS)
	if overflow {
		err = s.drain(&bad)
	}
	if errors.Is(err, ErrMalformed) {
		s.undecoded.Add(1)
		bad.add(err)
		err = nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// The socket's clock may be a moment ahead of ctx's.
		if err = ctx.Err(); err == nil {
			err = context.DeadlineExceeded
		}
	}
	if overflow {
		err = errors.Join(ErrOverflow, err)
	}
	return s.batch, errors.Join(err, bad.err("receive"))
}

// drain reads until nothing is left. While something is, the kernel drops all
// that it would add, and does not say so again.
func (s *Subscription) drain(bad *undecoded) error {
	for n := 0; n < s.limit; n++ {
		empty, err := s.s.tryReceive(1, func(m netlink.Message) { s.take(m, bad) })
		switch {
		case empty:
			return nil
		case errors.Is(err, unix.ENOBUFS): // again, while we were reading
			n = 0
		case errors.Is(err, ErrMalformed):
			s.undecoded.Add(1)
			bad.add(err)
		case err != nil:
			return err
		}
	}
	return nil // more than fits was read, so it was empty at one time
}

// take decodes a message and appends it to the batch.
func (s *Subscription) take(m netlink.Message, bad *undecoded) {
	if m.Header.Type < unix.RTM_BASE {
		return // of netlink itself: NLMSG_NOOP and the like
	}
	e, err := Decode(m)
	if err != nil {
		s.undecoded.Add(1)
		bad.add(err)
		return
	}
	s.batch = append(s.batch, e)
}

// watch makes ctx end a wait for the socket. release undoes it.
func (s *Subscription) watch(ctx context.Context) (release func(), err error) {
	deadline, _ := ctx.Deadline() // the zero time is none
	if err := s.s.nl.SetReadDeadline(deadline); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	if ctx.Done() == nil {
		return func() {}, nil
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		// It fails only on a closed socket, which has no wait to end.
		_ = s.s.nl.SetReadDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-ended // or it would cut the next Receive short
		}
	}, nil
}
