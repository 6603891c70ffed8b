package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fwd6/fwd6/control"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

const (
	readyWithin = 30 * time.Second // for a fwd6 to read R's table and forward
	endWithin   = 5 * time.Second  // for a fwd6 to end when told to; it promises two
	linesKept   = 10               // of what it logged last, for when it fails
)

// forwarder is a fwd6 that runs in R.
type forwarder struct {
	cmd    *xdptest.Cmd
	dir    string // of its socket
	socket string
	ready  chan struct{} // closed when it says so
	ended  chan error    // its exit, once
	log    []string      // the last lines; to be read after its end
}

// startForwarder starts a fwd6 in R and waits until it forwards.
func (s *stage) startForwarder(ctx context.Context, column Column) (*forwarder, error) {
	binary := s.config.Binary
	if binary == "" {
		var err error
		if binary, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the running program: %w", err)
		}
	}
	dir, err := os.MkdirTemp("", "fwd6-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a place for a socket: %w", err)
	}
	f := &forwarder{
		dir: dir, socket: filepath.Join(dir, "fwd6.sock"),
		ready: make(chan struct{}), ended: make(chan error, 1),
	}
	start := time.Now()
	if err := f.start(s.lab.R, binary, column.Args); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	select {
	case <-f.ready:
		s.out.line(column.Name, fmt.Sprintf("%s: ready after %.1f s", strings.Join(column.Args, " "), time.Since(start).Seconds()))
		return f, nil
	case err := <-f.ended:
		return nil, errors.Join(fmt.Errorf("fwd6 ended before it was ready: %s", f.lastWords()), err, os.RemoveAll(dir))
	case <-time.After(readyWithin):
		return nil, errors.Join(fmt.Errorf("fwd6 is not ready after %v", readyWithin), f.stop())
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), f.stop())
	}
}

// start starts the process and watches what it says.
func (f *forwarder) start(ns *xdptest.Namespace, binary string, args []string) error {
	f.cmd = ns.Command(binary, append(slices.Clone(args), "--socket", f.socket)...)
	f.cmd.SysProcAttr.Setpgid = true // Ctrl-C is for the demo, which then ends it in order
	stderr, err := f.cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("start fwd6: %w", err)
	}
	if err := f.cmd.Start(); err != nil {
		return fmt.Errorf("start fwd6: %w", err)
	}
	go f.watch(stderr)
	return nil
}

// watch reads the process's log to its end, and then waits for the process.
func (f *forwarder) watch(stderr io.Reader) {
	said := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if !said && strings.Contains(lines.Text(), "ready") {
			said = true
			close(f.ready)
		}
		f.log = append(f.log[max(0, len(f.log)-linesKept+1):], lines.Text())
	}
	f.ended <- f.cmd.Wait()
}

// stop ends the process, in order if it can be, and removes its socket. That it
// has ended already is an error, too.
func (f *forwarder) stop() error {
	return errors.Join(f.end(), os.RemoveAll(f.dir))
}

func (f *forwarder) end() error {
	select {
	case err := <-f.ended:
		return errors.Join(fmt.Errorf("fwd6 ended by itself: %s", f.lastWords()), err)
	default:
	}
	err := f.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil // it has just ended, as is seen below
	}
	select {
	case ended := <-f.ended:
		err = errors.Join(err, ended)
	case <-time.After(endWithin):
		err = errors.Join(fmt.Errorf("still running %v after SIGTERM", endWithin), err, f.cmd.Process.Kill())
		<-f.ended //nolint:errcheck // it was killed, as was asked
	}
	if err != nil {
		return fmt.Errorf("end fwd6: %w: %s", err, f.lastWords())
	}
	return nil
}

// lastWords is what the process logged last. It must have ended.
func (f *forwarder) lastWords() string { return strings.Join(f.log, "; ") }

// counts is what a fwd6 says of its packets.
type counts struct {
	forwarded uint64
	returned  uint64 // handed to the kernel by the worker

	// stale is how many never came to the worker, because it gave no sign of
	// life for ten milliseconds: mostly something else had its processor.
	stale uint64
}

// counts asks fwd6.
func (f *forwarder) counts(ctx context.Context) (c counts, err error) {
	client := control.NewClient(f.socket)
	defer client.Close()
	stats, err := client.Stats(ctx)
	if err != nil {
		return c, err
	}
	c.forwarded = stats.Reasons[dataplane.Forward]
	for r, n := range stats.Reasons {
		if dataplane.Reason(r).Punted() {
			c.returned += n
		}
	}
	for _, port := range stats.Ports {
		c.stale += port.Sorted[xdp.PassStale.String()]
	}
	return c, nil
}
