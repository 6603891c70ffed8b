package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// The test binary, with this variable in its environment, is a forwarder that
// never ends by itself.
func init() {
	if os.Getenv("FWD6_TEST_HANG") == "" {
		return
	}
	untilSignal(context.Background(), func() {
		ending(slog.New(slog.DiscardHandler))
		fmt.Println("ending")
	})
	fmt.Println("up")
	select {}
}

// However much hangs, fwd6 ends: soon after a signal, at once after two.
func TestEndsWithinTwoSeconds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		signals int
		within  time.Duration
		killed  bool // by the signal itself
	}{
		{"one signal", 1, 2 * time.Second, false},
		{"two signals", 2, time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "FWD6_TEST_HANG=1", "NOTIFY_SOCKET=")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			lines.Scan() // up
			begun := time.Now()
			for range tt.signals {
				cmd.Process.Signal(syscall.SIGTERM)
				lines.Scan() // ending, then nothing
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) {
				t.Fatalf("the process ended with %v, want an exit status", err)
			}
			took, status := time.Since(begun), exit.Sys().(syscall.WaitStatus)
			if took > tt.within || status.Signaled() != tt.killed || !tt.killed && exit.ExitCode() != 1 {
				t.Errorf("ended after %v with %v, want within %v, killed: %v", took, exit, tt.within, tt.killed)
			}
		})
	}
}
