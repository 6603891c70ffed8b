// Command fwd6 forwards IPv6 packets in userspace by the kernel's own routes.
//
// It exits with 0 when all went well, 1 when something failed and 2 when it
// was called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// execute runs one command line and returns the exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	begun := false
	root := newRoot()
	// Arguments and flags are checked before this runs: an error up to here
	// is one of usage.
	root.PersistentPreRun = func(*cobra.Command, []string) { begun = true }
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return 0
	}
	// Joined errors have a line each; whoever reads a log wants one.
	fmt.Fprintf(stderr, "fwd6: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	if !begun || errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "fwd6",
		Short: "forward IPv6 packets in userspace by the kernel's own routes",
		Long: `fwd6 takes IPv6 packets from network devices with AF_XDP and forwards them by
the routes, addresses and neighbors that it mirrors from the kernel.

There is nothing to configure but the devices: routes stay where they are, in
the kernel, set by hand or by a routing daemon. What fwd6 does not forward
itself, the kernel handles as before.`,
		Example:       "  fwd6 run --ports eth1,eth2\n  fwd6 status\n  fwd6 route get 2001:db8::1",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          subcommand,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("what to do? `fwd6 help` lists the commands")}
		},
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetUsageFunc(usage)
	root.SetHelpCommand(newHelp())
	root.AddCommand(newRun(), newStatus(), newStats(), newRoute(), newNeigh(), newDemo(), newVersion())
	return root
}

// usageError is an error of the caller, found only after a command began.
type usageError struct{ error }

// untilSignal ends ctx with the first SIGTERM or SIGINT, and calls then. The
// second one kills the process as if nobody had asked for signals.
func untilSignal(ctx context.Context, then func()) (_ context.Context, stop func()) {
	ctx, restore := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	forget := context.AfterFunc(ctx, func() {
		restore()
		then()
	})
	return ctx, func() {
		forget()
		restore()
	}
}
