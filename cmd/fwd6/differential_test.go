package main_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// The kernel is the reference: what a scenario's packets bring out of each port
// of a router whose kernel forwards, the same packets must bring out of an
// identical router with fwd6, byte for byte.

// scenario is packets, and the router that they are sent through.
type scenario struct {
	config  xdptest.Config
	prepare func(*world) error // routes, neighbors; before fwd6 is started
	ports   []string           // of fwd6; r0 and r1 if none
	steps   []step

	redirects bool // are compared, too: few enough are sent
}

// step sends frames by one host's port.
type step struct {
	name    string
	do      func(*world) error // before the frames are sent
	in      string             // "a0" if empty
	frames  [][]byte
	transit bool          // fwd6 forwards all of them without the kernel
	settle  time.Duration // wait so long for the end rather than for sentinels
	check   func(*world) error
}

// variants are the command lines under which everything must be the same.
//
// With FWD6_TEST_SELF=1 the kernel is compared with itself instead, which shows
// whether a scenario leaves something to chance.
var variants = map[string][]string{
	"shared": {"--backend", "shared"},
	"asavie": {"--backend", "asavie"},
}

// differential runs the scenario with the kernel, then with each variant of
// fwd6 as a subtest.
func differential(t *testing.T, s scenario, variants map[string][]string) {
	t.Helper()
	reference := s.run(t, s.world(t), nil)
	if t.Failed() {
		return
	}
	if os.Getenv("FWD6_TEST_SELF") == "1" {
		variants = map[string][]string{"kernel": nil}
	}
	for _, name := range slices.Sorted(maps.Keys(variants)) {
		t.Run(name, func(t *testing.T) {
			w := s.world(t)
			if args := variants[name]; args != nil {
				w.start(t, s.portsOrBoth(), args...)
			}
			s.run(t, w, reference)
		})
	}
}

func (s *scenario) portsOrBoth() []string {
	if s.ports == nil {
		return []string{"r0", "r1"}
	}
	return s.ports
}

// world is a router prepared for the scenario.
func (s *scenario) world(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, s.config)
	if s.prepare != nil {
		if err := s.prepare(w); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// enoughFailed is after how many wrong steps a scenario ends: they take long.
const enoughFailed = 10

// run does each step and compares it with the reference, if there is one.
func (s *scenario) run(t *testing.T, w *world, reference []output) (all []output) {
	t.Helper()
	failed := 0
	for i := range s.steps {
		st := &s.steps[i]
		if st.in == "" {
			st.in = "a0"
		}
		var want output
		if reference != nil {
			want = reference[i]
		}
		got, err := w.step(st, want)
		if err != nil {
			t.Errorf("%s: %v", st.name, err)
			failed++
		}
		if !s.redirects {
			got = got.withoutRedirects()
		}
		if reference != nil {
			if d := difference(got, want); d != "" {
				t.Errorf("%s: differs from the kernel:%s", st.name, d)
				failed++
			}
		}
		all = append(all, got)
		if failed >= enoughFailed {
			t.Fatalf("stopping after %d of %d steps", i+1, len(s.steps))
		}
	}
	return all
}

// step does one step.
func (w *world) step(s *step, want output) (output, error) {
	if s.do != nil {
		if err := s.do(w); err != nil {
			return nil, err
		}
		if w.fwd6 != nil {
			time.Sleep(followWithin)
		}
	}
	before, err := w.kernelInstead(s)
	if err != nil {
		return nil, err
	}
	got := output{}
	if err := w.send(s, got, want); err != nil {
		return nil, err
	}
	after, err := w.kernelInstead(s)
	if err == nil && after > before {
		err = fmt.Errorf("the kernel forwarded %d packets that were fwd6's", after-before)
	}
	err = errors.Join(err, w.settle(s, got))
	if s.check != nil {
		err = errors.Join(err, s.check(w))
	}
	return got, err
}

// kernelInstead is how many packets the kernel has forwarded although fwd6 was
// there to do it: all but those that came while its workers were not let run.
func (w *world) kernelInstead(s *step) (int64, error) {
	if w.fwd6 == nil || !s.transit {
		return 0, nil
	}
	forwarded, err1 := w.kernelForwarded()
	left, err2 := w.fwd6.leftToKernel()
	return int64(forwarded) - int64(left), errors.Join(err1, err2)
}
