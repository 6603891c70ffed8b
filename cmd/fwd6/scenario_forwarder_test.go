package main_test

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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fwd6/fwd6/control"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

const (
	readyWithin = 20 * time.Second
	endsWithin  = 2 * time.Second // what fwd6 promises after SIGTERM
)

// forwarder is a fwd6 process in R.
type forwarder struct {
	socket string
	client *control.Client

	cmd   *xdptest.Cmd
	ready chan struct{} // closed when it says so
	ended chan struct{} // closed when exit is known
	exit  error

	mu  sync.Mutex
	log []string
}

// launch starts `fwd6 run` with more arguments in a namespace, and does not
// wait. What is left of it ends with the test.
func launch(t testing.TB, ns *xdptest.Namespace, args ...string) *forwarder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{
		socket: filepath.Join(t.TempDir(), "fwd6.sock"),
		ready:  make(chan struct{}),
		ended:  make(chan struct{}),
	}
	f.client = control.NewClient(f.socket)
	f.cmd = ns.Command(self, append([]string{"run", "--socket", f.socket}, args...)...)
	f.cmd.Env = append(os.Environ(), "FWD6_TEST_RUN=1", "NOTIFY_SOCKET=")
	stderr, err := f.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go f.watch(stderr)
	t.Cleanup(func() { f.cleanUp(t) })
	return f
}

// start is launch, and waits until fwd6 forwards.
func start(t testing.TB, ns *xdptest.Namespace, args ...string) *forwarder {
	t.Helper()
	f := launch(t, ns, args...)
	select {
	case <-f.ready:
	case <-f.ended:
		t.Fatalf("fwd6 %v ended before it was ready: %v\n%s", args, f.exit, f.logged())
	case <-time.After(readyWithin):
		t.Fatalf("fwd6 %v is not ready after %v\n%s", args, readyWithin, f.logged())
	}
	return f
}

// watch reads the process's log to its end, then waits for the process.
func (f *forwarder) watch(stderr io.Reader) {
	said := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		f.mu.Lock()
		f.log = append(f.log, lines.Text())
		f.mu.Unlock()
		if !said && strings.Contains(lines.Text(), "ready") {
			said = true
			close(f.ready)
		}
	}
	f.exit = f.cmd.Wait()
	close(f.ended)
}

func (f *forwarder) logged() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log, "\n")
}

// awaitLog waits until a line contains all words, and returns it.
func (f *forwarder) awaitLog(within time.Duration, words ...string) (string, error) {
	var found string
	err := eventually(within, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, line := range f.log {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				found = line
				return nil
			}
		}
		return fmt.Errorf("no line in the log has %q", words)
	})
	return found, err
}

func (f *forwarder) signal(s syscall.Signal) { f.cmd.Process.Signal(s) }

// stop ends the process in order and says how long it took.
func (f *forwarder) stop() (time.Duration, error) {
	begun := time.Now()
	f.signal(syscall.SIGTERM)
	select {
	case <-f.ended:
		return time.Since(begun), f.exit
	case <-time.After(5 * time.Second):
		return time.Since(begun), errors.New("still running 5 s after SIGTERM")
	}
}

// kill ends the process as kill -9 does.
func (f *forwarder) kill() {
	f.signal(syscall.SIGKILL)
	<-f.ended
}

func (f *forwarder) alive() bool {
	select {
	case <-f.ended:
		return false
	default:
		return true
	}
}

// cleanUp ends the process if it runs, and fails the test for what it should
// never do.
func (f *forwarder) cleanUp(t testing.TB) {
	f.client.Close()
	if f.alive() {
		took, err := f.stop()
		if err != nil || took > endsWithin {
			t.Errorf("fwd6 ended after %v with %v, want within %v without error", took, err, endsWithin)
			f.kill()
		}
	}
	log := f.logged()
	if strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic:") || strings.Contains(log, "fatal error:") {
		t.Error("fwd6 crashed or raced")
	}
	if t.Failed() {
		t.Logf("log of %v:\n%s", f.cmd.Args[1:], log)
	}
}

// stats is what fwd6 has counted.
func (f *forwarder) stats() (dataplane.Stats, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return f.client.Stats(ctx)
}

// leftToKernel is how many steerable packets the XDP programs have left to the
// kernel because no worker was there to take them in time.
func (f *forwarder) leftToKernel() (n uint64, err error) {
	s, err := f.stats()
	for _, p := range s.Ports {
		n += p.Sorted[xdp.PassStale.String()] + p.Sorted[xdp.PassNoSocket.String()]
	}
	return n, err
}

// waited is how long the process's threads have been ready to run, but had no
// processor: it is not the program's fault what it was late for meanwhile.
func waited(pid int) (sum time.Duration) {
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, path := range paths {
		var ran, delayed time.Duration
		if line, err := os.ReadFile(path); err == nil { // an error: it has ended
			fmt.Sscan(string(line), &ran, &delayed)
			sum += delayed
		}
	}
	return sum
}

// eventually calls f until it returns nil, or returns its last error.
func eventually(within time.Duration, f func() error) error {
	for deadline := time.Now().Add(within); ; time.Sleep(2 * time.Millisecond) {
		err := f()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
