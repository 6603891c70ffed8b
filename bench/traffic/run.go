package traffic

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Window is how many packets a closed loop lets be outstanding. A veth holds
// 256 for its receiver; one window fits even if they all wait there, so none
// is lost however the forwarder stumbles, and it is several of the kernel's
// batches of 64, so a forwarder that keeps up never waits for the source.
const Window = 256

const (
	batch     = 64               // frames the kernel makes at a time
	repeat    = 1 << 15          // frames, or waits for one, in one system call
	tick      = time.Millisecond // between the bursts of a paced run
	patience  = time.Second      // without any arrival, outstanding packets are lost
	unlimited = math.MaxInt64    // as a window, a count or a duration
)

// Loop sends in a closed loop for a time: as fast as what is between source and
// sink goes, without overload.
func (f *Flood) Loop(ctx context.Context, d time.Duration) (Result, error) {
	return f.run(ctx, plan{window: Window, count: unlimited, duration: d})
}

// Send sends count packets in a closed loop.
func (f *Flood) Send(ctx context.Context, count int) (Result, error) {
	return f.run(ctx, plan{window: Window, count: uint64(count), duration: unlimited})
}

// Pace sends perSecond packets a second for a time, in bursts of a
// millisecond's worth: at more than 200,000 a second a burst no longer fits
// what a veth holds.
func (f *Flood) Pace(ctx context.Context, perSecond int, d time.Duration) (Result, error) {
	return f.run(ctx, plan{window: unlimited, count: unlimited, duration: d, perSecond: perSecond})
}

// Overload sends as fast as the source can for a time, whatever is lost.
func (f *Flood) Overload(ctx context.Context, d time.Duration) (Result, error) {
	return f.run(ctx, plan{window: unlimited, count: unlimited, duration: d})
}

// plan is what one run is to do; it ends with the first of count and duration.
type plan struct {
	window    uint64 // packets outstanding
	count     uint64 // packets
	duration  time.Duration
	perSecond int // packets; 0 is no pace
}

// due is how many packets are to be sent by then.
func (p plan) due(elapsed time.Duration) uint64 {
	if p.perSecond == 0 {
		return p.count
	}
	return min(p.count, uint64(elapsed.Seconds()*float64(p.perSecond)))
}

// run does one run and waits for its last packets. A run that is canceled
// ends early, without an error.
func (f *Flood) run(ctx context.Context, p plan) (Result, error) {
	before, err := f.Counted()
	if err != nil {
		return Result{}, err
	}
	base := f.sent
	// Packets of earlier runs that never came are not waited for.
	if err := errors.Join(
		f.objects.First.Set(base+1),
		f.objects.Window.Set(p.window),
		f.objects.Forgiven.Set(base-before.Arrived()),
		f.objects.Answered.Set(base),
	); err != nil {
		return Result{}, err
	}
	var result Result
	if err := f.config.From.NS.Do(func() error {
		return f.measure(&result, func(start time.Time) error { return f.send(ctx, p, start) })
	}); err != nil {
		return Result{}, err
	}
	result.Sent = f.sent - base
	result.Counts, err = f.settle(before, result.Sent)
	return result, err
}

// measure moves the calling thread, which is thrown away later, to the flood's
// processor, and takes the time and the processor time that send needs.
func (f *Flood) measure(result *Result, send func(start time.Time) error) error {
	var set unix.CPUSet
	set.Set(f.cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("move the flood to processor %d: %w", f.cpu, err)
	}
	before, err := readUsage()
	if err != nil {
		return err
	}
	start := time.Now()
	if err := send(start); err != nil {
		return err
	}
	result.Elapsed = time.Since(start)
	after, err := readUsage()
	if err != nil {
		return err
	}
	result.CPU = after.since(before, f.cpu)
	return nil
}

// send runs the source until the plan is fulfilled.
func (f *Flood) send(ctx context.Context, p plan, start time.Time) error {
	base, elapsed := f.sent, time.Duration(0)
	arrivals := stall{since: start}
	for elapsed < p.duration && f.sent-base < p.count && ctx.Err() == nil {
		due := base + min(p.due(elapsed), unlimited-base)
		if err := f.objects.Limit.Set(due); err != nil {
			return err
		}
		frames := uint32(min(repeat, max(1, due-f.sent)))
		if p.window != unlimited {
			frames = repeat // some of them will only wait
		}
		if err := f.generate(frames); err != nil {
			return err
		}
		if p.perSecond > 0 {
			time.Sleep(tick)
		}
		if p.window != unlimited {
			if err := arrivals.forgive(f); err != nil {
				return err
			}
		}
		elapsed = time.Since(start)
	}
	return nil
}

// generate runs the source program on so many frames and learns how many of
// them it sent.
func (f *Flood) generate(frames uint32) error {
	_, err := f.objects.Generate.Run(&ebpf.RunOptions{
		Data:      make([]byte, f.config.Size),
		Repeat:    frames,
		Flags:     unix.BPF_F_TEST_XDP_LIVE_FRAMES,
		BatchSize: batch,
	})
	if err != nil {
		return fmt.Errorf("run the flood's source (Linux 5.18): %w", err)
	}
	return f.objects.Sent.Get(&f.sent)
}

// stall notices that nothing arrives any more.
type stall struct {
	arrived uint64
	since   time.Time
}

// forgive stops waiting for what is outstanding once nothing has arrived for
// so long that it must be lost; otherwise lost packets would fill the window
// and end the flood.
func (s *stall) forgive(f *Flood) error {
	counts, err := f.Counted()
	if err != nil {
		return err
	}
	if arrived := counts.Arrived(); arrived != s.arrived {
		*s = stall{arrived, time.Now()}
		return nil
	}
	if time.Since(s.since) < patience {
		return nil
	}
	s.since = time.Now()
	return f.objects.Forgiven.Set(f.sent - s.arrived)
}

// settle waits for the rest of the packets sent and returns what arrived since
// before.
func (f *Flood) settle(before Counts, sent uint64) (Counts, error) {
	for last, since := uint64(0), time.Now(); ; time.Sleep(tick) {
		counts, err := f.Counted()
		if err != nil {
			return Counts{}, err
		}
		counts = counts.minus(before)
		if arrived := counts.Arrived(); arrived != last {
			last, since = arrived, time.Now()
		}
		if last == sent || time.Since(since) > patience {
			return counts, nil
		}
	}
}
