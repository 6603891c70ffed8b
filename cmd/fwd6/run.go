package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fwd6/fwd6/control"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
)

// endWithin is how long a forwarder may take to end after a signal. Whatever
// hangs then is left to the kernel, which detaches what a dead process held.
const endWithin = 1800 * time.Millisecond

// runOptions are the options of `fwd6 run`.
type runOptions struct {
	ports                            []string
	backend, xdpMode, bind, logLevel *choice
	workers, fibMemory               int
	socket                           string
}

func newRun() *cobra.Command {
	o := runOptions{
		backend:  newChoice(dataplane.Backends[0], dataplane.Backends...),
		xdpMode:  newChoice(dataplane.XDPModes[0], dataplane.XDPModes...),
		bind:     newChoice(dataplane.BindModes[0], dataplane.BindModes...),
		logLevel: newChoice("info", "debug", "info", "warn", "error"),
	}
	cmd := &cobra.Command{
		Use:     "run --ports DEV[,DEV...]",
		Short:   "forward through the given devices until told to stop",
		Long:    runHelp,
		Example: "  fwd6 run --ports eth1,eth2\n  fwd6 run --ports eth1,eth2 --xdp-mode native --bind-mode zerocopy --workers 4",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), &o, cmd.ErrOrStderr()) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.ports, "ports", nil, "devices to forward through, as `DEV[,DEV...]`")
	flags.Var(o.backend, "backend", "sockets: shared passes frames between ports in one memory, asavie copies them once")
	flags.Var(o.xdpMode, "xdp-mode", "where the XDP program runs: in the driver, in the kernel's generic code, or the better that works")
	flags.Var(o.bind, "bind-mode", "whether the NIC writes frames straight to fwd6's memory, the kernel copies them, or the better that works")
	flags.IntVar(&o.workers, "workers", 0, "how many threads forward, `N`; 0: one for each queue that all ports have, as far as there are processors")
	flags.IntVar(&o.fibMemory, "fib-memory", control.DefaultFIB, "address space that the routes may take, in `MiB`; it becomes memory as they need it, 10 to 25 bytes each, in one half of it; the other is for moving into")
	flags.StringVar(&o.socket, "socket", control.DefaultSocket, "`PATH` of the socket to answer status, stats, route and neigh on")
	flags.Var(o.logLevel, "log-level", "the least important lines to log")
	return cmd
}

const runHelp = `Run forwards IPv6 between the given devices until SIGTERM or SIGINT.

Each device gets an XDP program, which hands transit IPv6 to fwd6 and leaves
all else to the kernel: IPv4, ARP, LLDP, LACP, VLAN-tagged frames, multicast,
link-local addresses, hop-by-hop options, and every address of this host, so
that logging in over such a device goes on. The devices keep their addresses,
routes and neighbors; change them as ever, fwd6 follows.

Packets that fwd6 forwards itself are not seen by netfilter (nftables,
ip6tables), tc, xfrm (IPsec) and tcpdump, nor counted by the kernel's routing.
Packets that it hands to the kernel (no route, hop limit, too big, next hop
unknown, a device that is no port) are, as if they had just arrived.

To undo it, stop fwd6: the program goes with the process, also if it is
killed, and the kernel forwards again.`

// check finds what flags alone cannot: it returns a usageError.
func (o *runOptions) check() error {
	if len(o.ports) == 0 {
		return usageError{errors.New("--ports is missing: name the devices to forward through, as in --ports eth1,eth2")}
	}
	for i, port := range o.ports {
		if port == "" || strings.ContainsAny(port, "/ \t") {
			return usageError{fmt.Errorf("--ports: %q is no name of a device", port)}
		}
		if slices.Contains(o.ports[:i], port) {
			return usageError{fmt.Errorf("--ports: %s is named twice", port)}
		}
	}
	if o.workers < 0 {
		return usageError{fmt.Errorf("--workers %d: a number from 0 on, please", o.workers)}
	}
	if o.fibMemory < leastFIB || o.fibMemory > mostFIB {
		return usageError{fmt.Errorf("--fib-memory %d: a number of MiB from %d to %d, please", o.fibMemory, leastFIB, mostFIB)}
	}
	return nil
}

// What a table can be given, in MiB.
const (
	leastFIB = 1
	mostFIB  = 512
)

func run(ctx context.Context, o *runOptions, stderr io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel.value)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	if missing := xdp.MissingPrivileges(); len(missing) > 0 {
		return fmt.Errorf("run needs privileges that it does not have: %s: start it as root", strings.Join(missing, ", "))
	}
	ctx, stop := untilSignal(ctx, func() { ending(log) })
	defer stop()
	if err := control.Run(ctx, o.config(log)); err != nil {
		return err
	}
	log.Info("ended: the kernel forwards")
	return nil
}

// config is what the options ask control for.
func (o *runOptions) config(log *slog.Logger) control.Config {
	return control.Config{
		Ports:   o.ports,
		Backend: o.backend.value,
		XDPMode: o.xdpMode.value,
		Bind:    o.bind.value,
		Workers: o.workers,
		Socket:  o.socket,
		FIB:     o.fibMemory,
		Version: version(),
		Log:     log,
		Ready: func() {
			log.Info("ready", "ports", strings.Join(o.ports, ","), "socket", o.socket)
			if err := notify("READY=1"); err != nil {
				log.Warn(err.Error())
			}
		},
	}
}

// ending tells the service manager, and sees that the process does end.
func ending(log *slog.Logger) {
	if err := notify("STOPPING=1"); err != nil {
		log.Warn(err.Error())
	}
	time.AfterFunc(endWithin, func() {
		log.Error("ending takes too long: the kernel will clean up", "waited", endWithin)
		os.Exit(1)
	})
}
