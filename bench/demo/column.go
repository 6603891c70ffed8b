package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fwd6/fwd6/bench/traffic"
)

// result is what one column showed.
type result struct {
	name     string
	byFwd6   bool
	ping     pings
	transfer transfer
	loop     traffic.Result // at the forwarder's own speed
	overload traffic.Result // at the source's
	kernel   uint64         // packets that R's kernel forwarded
	fwd6     counts         // what fwd6 says of itself
}

// show lets one forwarder carry all traffic.
func (s *stage) show(ctx context.Context, column Column) (r result, err error) {
	r.name, r.byFwd6 = column.Name, column.Args != nil
	pid := 0
	var f *forwarder
	if r.byFwd6 {
		if f, err = s.startForwarder(ctx, column); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, f.stop()) }()
		pid = f.cmd.Process.Pid
	} else {
		s.out.line(column.Name, "forwards as ever")
	}
	kernelBefore, err := kernelForwarded(s.lab.R)
	if err != nil {
		return r, err
	}
	if err := s.send(ctx, &r, pid); err != nil {
		return r, err
	}
	kernelAfter, err := kernelForwarded(s.lab.R)
	if err != nil {
		return r, err
	}
	r.kernel = kernelAfter - kernelBefore
	if f != nil {
		r.fwd6, err = f.counts(ctx)
	}
	return r, err
}

// send sends all kinds of traffic, one after the other. Pid is the forwarder's
// process, or 0.
func (s *stage) send(ctx context.Context, r *result, pid int) (err error) {
	flood, err := traffic.Open(s.flood)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, flood.Close()) }()
	if err := flood.Beside(pid); err != nil {
		return err
	}

	if r.ping, err = ping(ctx, s.lab.A, s.lab.B0.Addr); err != nil {
		return err
	}
	s.out.line("", fmt.Sprintf("pings: %d of %d answered", r.ping.answered, r.ping.sent))

	if r.transfer, err = transferTCP(ctx, s.lab.A, s.lab.B, s.lab.B0.Addr); err != nil {
		return err
	}
	s.out.line("", fmt.Sprintf("TCP: %d MiB in %.2f s, checksum right", r.transfer.bytes>>20, r.transfer.took.Seconds()))

	if r.loop, err = flood.Loop(ctx, s.config.Flood); err != nil {
		return err
	}
	s.out.line("", fmt.Sprintf("flood: %s frames of %d bytes to random destinations in %.1f s, %s lost",
		thousands(r.loop.Sent), traffic.MinSize, r.loop.Elapsed.Seconds(), thousands(r.loop.Lost())))

	if r.overload, err = flood.Overload(ctx, min(time.Second, s.config.Flood)); err != nil {
		return err
	}
	s.out.line("", fmt.Sprintf("overload: %s offered in %.1f s, %s carried",
		thousands(r.overload.Sent), r.overload.Elapsed.Seconds(), thousands(r.overload.Good)))
	return ctx.Err()
}

// verdict is an error that says all that was lost or wrong, or nil.
func (r *result) verdict() error {
	var errs []error
	complain := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(r.name+": "+format, args...))
	}
	if lost := r.ping.sent - r.ping.answered; lost > 0 {
		complain("%d of %d pings lost", lost, r.ping.sent)
	}
	if lost := r.loop.Lost(); lost > 0 {
		complain("%d of %d packets of the flood lost", lost, r.loop.Sent)
	}
	if wrong := r.loop.Wrong() + r.overload.Wrong(); wrong > 0 {
		complain("%d packets came out wrong: %v; overloaded: %v", wrong, r.loop.Counts, r.overload.Counts)
	}
	if r.loop.Good == 0 {
		complain("the flood carried nothing")
	}
	carried := r.loop.Good + r.overload.Good
	switch {
	case !r.byFwd6 && r.kernel < carried:
		complain("the kernel says that it forwarded %d packets, but %d came out", r.kernel, carried)
	case r.byFwd6 && r.fwd6.forwarded+r.kernel < carried:
		complain("fwd6 says that it forwarded %d packets, and the kernel %d, but %d came out", r.fwd6.forwarded, r.kernel, carried)
	case r.byFwd6 && r.kernel > r.fwd6.stale:
		complain("the kernel forwarded %d packets; fwd6 handed it %d, and was away for %d", r.kernel, r.fwd6.returned, r.fwd6.stale)
	}
	return errors.Join(errs...)
}
