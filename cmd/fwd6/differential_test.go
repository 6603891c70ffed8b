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

	check     func(*testing.T, *world) // after the steps with fwd6
	redirects bool                     // are compared, too: few enough are sent
}

// step sends frames by one host's port.
type step struct {
	name    string
	do      func(*world) error // before the frames are sent
	in      string             // "a0" if empty
	frames  [][]byte
	transit bool          // fwd6 forwards all of them without the kernel
	settle  time.Duration // wait so long for the end rather than for sentinels

	// within is how soon fwd6 must do what the kernel does after do. If it is
	// not zero, the frames are sent again and again until it does; else once,
	// after followWithin.
	within time.Duration
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
			if w.fwd6 != nil && s.check != nil {
				s.check(t, w)
			}
			if w.slowest.name != "" {
				t.Logf("changes were followed within %v, the slowest: %s", w.slowest.took.Round(time.Millisecond), w.slowest.name)
			}
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
		got, err := s.step(w, st, want)
		if err != nil {
			t.Errorf("%s: %v", st.name, err)
			failed++
		}
		all = append(all, got)
		if failed >= enoughFailed {
			t.Fatalf("stopping after %d of %d steps", i+1, len(s.steps))
		}
	}
	return all
}

// soon is how long to wait for packets while what fwd6 does may be old yet.
const soon = 10 * time.Millisecond

// step does one step, and says what came out and whether it is what is wanted.
func (s *scenario) step(w *world, st *step, want output) (output, error) {
	if st.do != nil {
		if err := st.do(w); err != nil {
			return nil, err
		}
	}
	if w.fwd6 == nil {
		return s.reference(w, st, want)
	}
	changed, waitedBefore := time.Now(), w.waited()
	if st.do != nil && st.within == 0 {
		time.Sleep(followWithin)
	}
	for {
		begun := time.Since(changed)
		patience := arriveWithin
		if begun+soon < 10*st.within {
			patience = soon
		}
		got, err := s.attempt(w, st, want, patience)
		switch {
		case err != nil && patience == soon:
			continue // not yet
		case err == nil && st.within > 0:
			w.followed(st.name, begun)
			if waited := w.waited() - waitedBefore; begun > st.within+waited {
				err = fmt.Errorf("followed after %v only, want %v; waited for a processor for %v", begun, st.within, waited)
			}
		}
		return got, err
	}
}

// reference does a step by the kernel alone. After a change that fwd6 is to
// follow, the kernel itself may do a part later (a new address is local some
// time after it was added): then it is given time until nothing changes any more.
func (s *scenario) reference(w *world, st *step, want output) (got output, err error) {
	got, err = s.attempt(w, st, want, arriveWithin)
	for st.do != nil && st.within > 0 {
		time.Sleep(5 * time.Millisecond)
		again, err := s.attempt(w, st, want, arriveWithin)
		if err != nil || difference(again, got) == "" {
			return again, err
		}
		got = again
	}
	return got, err
}

// waited is how long this process and fwd6 had no processor to run on.
func (w *world) waited() time.Duration {
	return waited(os.Getpid()) + waited(w.fwd6.cmd.Process.Pid)
}

// attempt sends the frames and judges what comes out, waiting so long for it.
func (s *scenario) attempt(w *world, st *step, want output, within time.Duration) (output, error) {
	before, err := w.kernelInstead(st)
	if err != nil {
		return nil, err
	}
	got := output{}
	if err := w.send(st, got, want, within); err != nil {
		return nil, err
	}
	after, err := w.kernelInstead(st)
	if err == nil && after > before {
		err = fmt.Errorf("the kernel forwarded %d packets that were fwd6's", after-before)
	}
	err = errors.Join(err, w.settle(st, got))
	if !s.redirects {
		got = got.withoutRedirects()
	}
	if want != nil {
		if d := difference(got, want); d != "" {
			err = errors.Join(err, errors.New("differs from the kernel:"+d))
		}
	}
	return got, err
}

// kernelInstead is how many packets the kernel has forwarded although fwd6 was
// there to do it: all but those that came while its workers were not let run.
func (w *world) kernelInstead(st *step) (int64, error) {
	if w.fwd6 == nil || !st.transit {
		return 0, nil
	}
	forwarded, err1 := w.kernelForwarded()
	left, err2 := w.fwd6.leftToKernel()
	return int64(forwarded) - int64(left), errors.Join(err1, err2)
}
