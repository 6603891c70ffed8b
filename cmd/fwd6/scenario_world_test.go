package main_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// world is a lab with a sender and a capture at the far end of each of R's
// ports: whatever R emits is seen, and R sees only what is sent on purpose.
type world struct {
	*xdptest.Lab
	hosts    []*xdptest.Port // far ends of R's ports, in R's order
	senders  map[string]*xdptest.Sender
	captures map[string]*xdptest.Capture

	fwd6    *forwarder    // nil: R's kernel forwards alone
	ports   []string      // of R, that fwd6 has
	gone    *xdptest.Port // of R, deleted
	count   uint32        // sentinels sent so far
	objects int           // routes seen that lead to a next-hop object

	slowest struct { // of the changes that were followed
		name string
		took time.Duration
	}
}

// followed notes how long after a change packets were sent that fwd6 did right.
func (w *world) followed(name string, took time.Duration) {
	if took >= w.slowest.took {
		w.slowest.name, w.slowest.took = name, took
	}
}

// newWorld makes a lab in which R's answers do not depend on chance or time:
// no flow labels of its own, no rate limits. With static neighbors it looks for
// no others, so none is reported as missing seconds later.
func newWorld(t testing.TB, config xdptest.Config) *world {
	t.Helper()
	w := &world{
		Lab:      xdptest.NewLabWith(t, config),
		senders:  map[string]*xdptest.Sender{},
		captures: map[string]*xdptest.Capture{},
	}
	for _, s := range []struct{ key, value string }{
		{"ipv6/auto_flowlabels", "0"},
		{"ipv6/icmp/ratelimit", "0"},
		{"ipv6/icmp/ratemask", "100"}, // nothing that exists
		{"ipv4/icmp_msgs_per_sec", "1000000"},
		{"ipv4/icmp_msgs_burst", "1000000"},
	} {
		if err := w.R.Sysctl(s.key, s.value); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(w.closeAll)
	for _, p := range append([]*xdptest.Port{w.R0, w.R1}, w.Extra...) {
		if err := w.watch(p.Peer); err != nil {
			t.Fatal(err)
		}
		if !config.StaticNeighbors {
			continue
		}
		if err := errors.Join(
			w.R.Sysctl("ipv6/neigh/"+p.Name+"/mcast_solicit", "0"),
			p.AddNeighbor(hostBehind[p.Peer.Name], p.Peer.MAC),
		); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// watch opens a sender and a capture at a host's port.
func (w *world) watch(p *xdptest.Port) (err error) {
	if w.senders[p.Name], err = p.Sender(); err != nil {
		return err
	}
	if w.captures[p.Name], err = p.Capture(fromR); err != nil {
		return err
	}
	w.hosts = append(w.hosts, p)
	return nil
}

// unwatch closes them, for a port that goes.
func (w *world) unwatch(p *xdptest.Port) error {
	w.hosts = slices.DeleteFunc(w.hosts, func(h *xdptest.Port) bool { return h == p })
	return errors.Join(w.senders[p.Name].Close(), w.captures[p.Name].Close())
}

func (w *world) closeAll() {
	for len(w.hosts) > 0 {
		w.unwatch(w.hosts[0])
	}
}

// fromR is true for redirects, which answer a packet, and for all else but what
// R says by itself.
func fromR(frame []byte) bool { return isRedirect(frame) || xdptest.NotNoise(frame) }

func isRedirect(frame []byte) bool {
	return len(frame) > ethernetLen+ip6Len && frame[20] == icmp6 && frame[54] == 137
}

// router finds a port of R by its name.
func (w *world) router(name string) *xdptest.Port {
	for _, p := range w.hosts {
		if p.Peer.Name == name {
			return p.Peer
		}
	}
	panic("no port " + name)
}

// host finds a port of A or B by its name.
func (w *world) host(name string) *xdptest.Port { return w.router(peers[name]).Peer }

// start has fwd6 forward in R through the given ports.
func (w *world) start(t testing.TB, ports []string, args ...string) {
	t.Helper()
	w.ports = ports
	w.fwd6 = start(t, w.R, append([]string{"--ports", strings.Join(ports, ",")}, args...)...)
}

// followWithin is how soon fwd6 does what the kernel does after a change.
const followWithin = 100 * time.Millisecond

// output is what came out of R, by the host's port at which it arrived; sorted,
// because what the kernel answers and what fwd6 forwards may overtake each
// other.
type output map[string][]string

// arriveWithin bounds the wait for a packet that should come.
const arriveWithin = 2 * time.Second

// collect takes what arrives at the hosts' ports until enough says so, or for so
// long.
func (w *world) collect(got output, within time.Duration, enough func() bool) error {
	for deadline := time.Now().Add(within); ; time.Sleep(200 * time.Microsecond) {
		for _, p := range w.hosts {
			frames, err := w.captures[p.Name].Take(0, 0)
			if err != nil {
				return err
			}
			for _, f := range frames {
				got[p.Name] = append(got[p.Name], string(withoutID(f.Data)))
			}
		}
		if enough() || time.Now().After(deadline) {
			return nil
		}
	}
}

// withoutID clears what the kernel makes up in ICMPv4 errors: identification,
// and with it the checksum. IPv6 has neither.
func withoutID(frame []byte) []byte {
	if len(frame) >= ethernetLen+20 && binary.BigEndian.Uint16(frame[12:]) == etherIPv4 && frame[23] == 1 {
		clear(frame[18:20])
		clear(frame[24:26])
	}
	return frame
}

// A sentinel is a packet of next header experiment that goes from a host to
// another. Whatever R has done for packets before it is done when it arrives,
// but for what fwd6 has handed to the kernel.
var sentinelMark = []byte("sentinel")

func isSentinel(frame string) bool {
	return len(frame) == ethernetLen+ip6Len+len(sentinelMark)+4 && frame[20] == experiment &&
		frame[ethernetLen+ip6Len:ethernetLen+ip6Len+len(sentinelMark)] == string(sentinelMark)
}

// flush sends a sentinel from each host's port to each other and collects until
// they are there.
func (w *world) flush(got output) error {
	w.count++
	payload := binary.BigEndian.AppendUint32(slices.Clone(sentinelMark), w.count)
	missing := 0
	for _, from := range w.hosts {
		for _, to := range w.hosts {
			if from == to {
				continue
			}
			p := packet{src: hostBehind[from.Name], dst: hostBehind[to.Name], next: experiment, payload: payload}
			if err := w.senders[from.Name].Send(fromHost(from.Name, p.bytes())); err != nil {
				return err
			}
			missing++
		}
	}
	err := w.collect(got, arriveWithin, func() bool {
		for port, frames := range got {
			got[port] = slices.DeleteFunc(frames, func(f string) bool {
				if isSentinel(f) && bytes.HasSuffix([]byte(f), payload) {
					missing--
					return true
				}
				return false
			})
		}
		return missing <= 0
	})
	if err == nil && missing > 0 {
		err = fmt.Errorf("%d sentinels are missing", missing)
	}
	return err
}

// send sends the step's frames into R and collects what comes out until it is
// as much as is wanted, or for so long.
func (w *world) send(s *step, got, want output, within time.Duration) error {
	for _, f := range s.frames {
		if err := w.senders[s.in].Send(f); err != nil {
			return err
		}
	}
	return w.collect(got, within, func() bool {
		for port, frames := range want {
			if len(got[port]) < len(frames) {
				return false
			}
		}
		return true
	})
}

// settle collects the rest, wanted or not.
func (w *world) settle(s *step, got output) error {
	err := error(nil)
	if s.settle > 0 {
		time.Sleep(s.settle)
		err = w.collect(got, 0, func() bool { return true })
	} else {
		err = w.flush(got)
	}
	for port := range got {
		slices.Sort(got[port])
	}
	return err
}

// withoutRedirects leaves out what the kernel sends by chance: it sends some
// six redirects to a neighbor, then one a second, whatever it is told.
func (o output) withoutRedirects() output {
	for port, frames := range o {
		o[port] = slices.DeleteFunc(frames, func(f string) bool { return isRedirect([]byte(f)) })
	}
	return o
}

// difference says how got differs from want, or is empty.
func difference(got, want output) string {
	var b strings.Builder
	for _, port := range []string{"a0", "b0", "b1", "b2"} {
		missing, extra := slices.Clone(want[port]), []string(nil)
		for _, f := range got[port] {
			if i := slices.Index(missing, f); i >= 0 {
				missing = slices.Delete(missing, i, i+1)
			} else {
				extra = append(extra, f)
			}
		}
		for kind, list := range map[string][]string{"missing": missing, "extra": extra} {
			for i, f := range list {
				if i == 3 {
					fmt.Fprintf(&b, "\n  %s: %s: %d more", port, kind, len(list)-i)
					break
				}
				fmt.Fprintf(&b, "\n  %s: %s: %s", port, kind, describe([]byte(f)))
			}
		}
	}
	return b.String()
}
