package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/bench/traffic"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// brief is a demonstration that is over soon.
func brief(columns ...Column) (Config, *bytes.Buffer) {
	out := new(bytes.Buffer)
	return Config{Routes: 2000, Flood: 300 * time.Millisecond, Columns: columns, Out: out}, out
}

func TestKernelColumn(t *testing.T) {
	xdptest.Privileged(t)
	config, out := brief(Columns()[0])
	if err := Run(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2,000 routes", "100 of 100 answered", "checksum right", "packets per second", "forwarded by the kernel",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demonstration does not show %q:\n%s", want, out)
		}
	}
}

// TestBothColumns shows the real thing, in small.
func TestBothColumns(t *testing.T) {
	xdptest.Privileged(t)
	config, out := brief(Columns()...)
	config.Binary = filepath.Join(t.TempDir(), "fwd6")
	if message, err := exec.Command("go", "build", "-o", config.Binary, "github.com/fwd6/fwd6/cmd/fwd6").CombinedOutput(); err != nil {
		t.Fatalf("build fwd6: %v: %s", err, message)
	}
	if err := Run(t.Context(), config); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	byKernel := regexp.MustCompile(`forwarded by the kernel +[1-9][0-9,]* +0\n`)
	if strings.Contains(out.String(), "Meanwhile the kernel forwarded") {
		byKernel = regexp.MustCompile(`forwarded by the kernel +[1-9]`) // and some by the kernel, as it says
	}
	byFwd6 := regexp.MustCompile(`forwarded by fwd6 +- +[1-9][0-9,]*\n`)
	if !byKernel.Match(out.Bytes()) || !byFwd6.Match(out.Bytes()) {
		t.Errorf("the table does not say who forwarded:\n%s", out)
	}
}

// standIn is a column whose process does what a shell script says. It is no
// forwarder, so the kernel forwards.
func standIn(script string) (Config, *bytes.Buffer) {
	config, out := brief(Column{Name: "stand-in", Args: []string{"-c", script}})
	config.Binary = "/bin/sh"
	return config, out
}

func TestForwarderFails(t *testing.T) {
	xdptest.Privileged(t)
	for _, tt := range []struct{ name, script, want string }{
		{"ends at once", "echo no such port >&2; exit 3", "before it was ready: no such port\nexit status 3"},
		{"does not answer", "echo ready >&2; exec sleep 60", "connect "},
		{"dies on the way", "echo ready >&2; exec sleep 0.1", "ended by itself: ready"},
		{"fails at the end", "trap 'exit 4' TERM; echo ready >&2; while :; do sleep 0.1; done", "exit status 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tmp := t.TempDir()
			t.Setenv("TMPDIR", tmp)
			config, _ := standIn(tt.script)
			err := Run(t.Context(), config)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "stand-in") {
				t.Errorf("Run = %v, want an error of the stand-in with %q", err, tt.want)
			}
			if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	config, _ := standIn("")
	config.Binary = "/no/such/program"
	if err := Run(t.Context(), config); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Run without a program = %v, want %v", err, os.ErrNotExist)
	}
}

// Whatever the demonstration is doing when it is interrupted, it ends soon and
// its process has ended before it.
func TestInterrupted(t *testing.T) {
	xdptest.Privileged(t)
	for _, after := range []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond} {
		pidFile := filepath.Join(t.TempDir(), "pid")
		config, _ := standIn("echo $$ > " + pidFile + "; echo ready >&2; exec sleep 60")
		config.Flood = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), after)
		start := time.Now()
		err := Run(ctx, config)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > after+8*time.Second {
			t.Errorf("interrupted after %v: %v after %v", after, err, time.Since(start))
		}
		pid, err := os.ReadFile(pidFile)
		if err != nil {
			continue // interrupted before the process began
		}
		if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid))); err == nil {
			t.Errorf("interrupted after %v: process %s is still there", after, pid)
		}
	}
}

func TestVerdict(t *testing.T) {
	carried := traffic.Result{Sent: 1000, Counts: traffic.Counts{Good: 1000}}
	good := result{name: "x", ping: pings{sent: 5, answered: 5}, loop: carried, overload: carried, kernel: 2010}
	fwd6 := good
	fwd6.byFwd6, fwd6.fwd6, fwd6.kernel = true, counts{forwarded: 2010}, 0
	for _, tt := range []struct {
		name  string
		from  result
		spoil func(*result)
		want  string
	}{
		{"kernel good", good, func(*result) {}, ""},
		{"fwd6 good", fwd6, func(*result) {}, ""},
		{"loss when overloaded", good, func(r *result) { r.overload.Sent++ }, ""},
		{"ping lost", good, func(r *result) { r.ping.answered-- }, "1 of 5 pings"},
		{"packet lost", good, func(r *result) { r.loop.Sent++ }, "1 of 1001 packets"},
		{"packet wrong", good, func(r *result) { r.loop.WrongMAC++ }, "1 wrong MAC"},
		{"packet wrong when overloaded", good, func(r *result) { r.overload.Repeated++ }, "1 repeated"},
		{"nothing carried", good, func(r *result) { r.loop = traffic.Result{} }, "carried nothing"},
		{"the kernel did not do it", good, func(r *result) { r.kernel = 1999 }, "the kernel says"},
		{"fwd6 did not do it", fwd6, func(r *result) { r.fwd6.forwarded = 1999 }, "fwd6 says"},
		{"the kernel did some of it", fwd6, func(r *result) { r.kernel = 1 }, "the kernel forwarded 1"},
		{"handed over", fwd6, func(r *result) { r.kernel, r.fwd6.returned = 1, 1 }, "the kernel forwarded 1"},
		{"worker was away", fwd6, func(r *result) { r.kernel, r.fwd6.stale, r.fwd6.forwarded = 20, 20, 1990 }, ""},
	} {
		r := tt.from
		tt.spoil(&r)
		err := r.verdict()
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: verdict = %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 12345678: "12,345,678"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %s, want %s", n, got, want)
		}
	}
}
