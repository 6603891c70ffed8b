package fib_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/fib/internal/oracle"
)

// A step is one operation of a sequence on a table and on the oracle. It names
// all that it does, so that a part of a sequence means the same by itself.
type step struct {
	kind   stepKind
	prefix netip.Prefix
	group  fib.GroupID
	n      int // Tidy's budget; addresses of a batch
}

type stepKind int

const (
	stepAdd stepKind = iota
	stepRemove
	stepTidy
	stepTidied // Tidy until there is nothing left to do
	stepBuild  // go on with a table built of what is there
	stepBatch
	stepAsk   // Get, LookupPrefix, Covering
	stepWalk  // Covered
	stepCheck // All, and that no word is lost
	stepEnter // a reader enters, and stays
	stepLeave
)

func (s step) String() string {
	switch s.kind {
	case stepAdd:
		return fmt.Sprintf("Add(%v, %d)", s.prefix, s.group)
	case stepRemove:
		return fmt.Sprintf("Remove(%v)", s.prefix)
	case stepTidy:
		return fmt.Sprintf("Tidy(%d)", s.n)
	case stepTidied:
		return "Tidy to the end"
	case stepBuild:
		return "Build of the same"
	case stepBatch:
		return fmt.Sprintf("LookupBatch of %d around %v", s.n, s.prefix)
	case stepAsk:
		return fmt.Sprintf("Get, LookupPrefix, Covering of %v", s.prefix)
	case stepWalk:
		return fmt.Sprintf("Covered(%v)", s.prefix)
	case stepEnter:
		return "Enter"
	case stepLeave:
		return "Leave"
	}
	return "check"
}

// model is a table and what it should be. The table's memory goes with close.
type model struct {
	words  int
	mem    fib.Memory
	table  *fib.Table
	reader *fib.Reader
	want   oracle.Lengths[fib.GroupID]
	last   []netip.Prefix // that steps were about, for batches
	full   int            // prefixes refused
}

const (
	modelWords = 1 << 20
	leastWords = 1 << 17 // that NewIn takes
)

func newModel(words int) *model {
	m := &model{words: words}
	m.fresh()
	return m
}

func (m *model) fresh() {
	m.close()
	mem, err := fib.MapMemory(m.words)
	if err != nil {
		panic(err)
	}
	table, err := fib.NewIn(mem)
	if err != nil {
		panic(err)
	}
	m.mem, m.table, m.reader = mem, table, table.NewReader()
}

func (m *model) close() {
	if m.mem != nil {
		_ = m.mem.Unmap()
	}
}

// do does one step and compares what it touched.
func (m *model) do(s step) error {
	if s.prefix.IsValid() {
		m.last = append(m.last, s.prefix)
		m.last = m.last[max(0, len(m.last)-64):]
	}
	switch s.kind {
	case stepAdd:
		switch err := m.table.Add(s.prefix, s.group); {
		case errors.Is(err, fib.ErrFull), errors.Is(err, fib.ErrBusy):
			m.full++
		case err != nil:
			return err
		default:
			m.want.Add(s.prefix, s.group)
		}
		return m.edges(s.prefix)
	case stepRemove:
		if got, want := m.table.Remove(s.prefix), m.want.Remove(s.prefix); got != want {
			return fmt.Errorf("Remove = %v, want %v", got, want)
		}
		return m.edges(s.prefix)
	case stepTidy:
		m.table.Tidy(s.n)
	case stepTidied:
		for !m.table.Tidy(s.n) {
		}
	case stepBuild:
		return m.build()
	case stepBatch:
		return m.batch(s.n)
	case stepAsk:
		return m.ask(s.prefix)
	case stepWalk:
		if got, want := collect(m.table.Covered(s.prefix)), m.want.Covered(s.prefix); !slices.Equal(got, want) {
			return fmt.Errorf("Covered = %v, want %v", got, want)
		}
	case stepCheck:
		return m.check()
	case stepEnter:
		m.reader.Enter()
	case stepLeave:
		m.reader.Leave()
	}
	return nil
}

// build goes on with a new table. A full one may be too full to be built.
func (m *model) build() error {
	m.fresh()
	err := m.table.Build(func(yield func(netip.Prefix, fib.GroupID) bool) {
		for _, r := range m.want.All() {
			if !yield(r.Prefix, r.Value) {
				return
			}
		}
	})
	if errors.Is(err, fib.ErrFull) {
		m.full++
		if m.table.Len() != 0 {
			return fmt.Errorf("refused to build, but has %d prefixes", m.table.Len())
		}
		m.want = oracle.Lengths[fib.GroupID]{}
		err = nil
	}
	return errors.Join(err, m.check())
}

// edges looks up where p could be got wrong.
func (m *model) edges(p netip.Prefix) error {
	for _, a := range oracle.Edges(p) {
		want, _ := m.want.Lookup(a)
		if m.table.Lost() {
			want.Value = fib.NoRoute
		}
		if got := m.table.Lookup(fib.AddrFrom(a)); got != want.Value {
			return fmt.Errorf("Lookup(%v) = %d, want %d of %v", a, got, want.Value, want.Prefix)
		}
	}
	return nil
}

// batch looks up n addresses around the last prefixes by every variant.
func (m *model) batch(n int) error {
	addrs, want := make([]fib.Addr, 0, n), make([]fib.GroupID, 0, n)
	for i := len(m.last) - 1; i >= 0 && len(addrs) < n; i-- {
		for _, a := range oracle.Edges(m.last[i]) {
			if len(addrs) < n {
				r, _ := m.want.Lookup(a)
				if m.table.Lost() {
					r.Value = fib.NoRoute
				}
				addrs, want = append(addrs, fib.AddrFrom(a)), append(want, r.Value)
			}
		}
	}
	before := fib.Variant()
	defer func() { _ = fib.Use(before) }()
	got := make([]fib.GroupID, len(addrs)+1)
	for _, name := range fib.Variants() {
		if err := fib.Use(name); err != nil {
			return err
		}
		for i := range got {
			got[i] = 1<<32 - 1
		}
		m.table.LookupBatch(addrs, got)
		for i, g := range append(want, 1<<32-1) { // the last stays as it was
			if got[i] != g {
				return fmt.Errorf("%s: answer %d of %d, of %v: %d, want %d",
					name, i, len(addrs), addrs[min(i, len(addrs)-1)].Netip(), got[i], g)
			}
		}
	}
	return nil
}

func (m *model) ask(p netip.Prefix) error {
	want, wantOK := m.want.Get(p)
	if got, ok := m.table.Get(p); got != want || ok != wantOK {
		return fmt.Errorf("Get = %d, %v, want %d, %v", got, ok, want, wantOK)
	}
	covering := slices.Collect(m.want.Covering(p))
	if got := collect(m.table.Covering(p)); !slices.Equal(got, covering) {
		return fmt.Errorf("Covering = %v, want %v", got, covering)
	}
	for _, a := range oracle.Edges(p) {
		want, wantOK := m.want.Lookup(a)
		if q, g, ok := m.table.LookupPrefix(fib.AddrFrom(a)); q != want.Prefix || g != want.Value || ok != wantOK {
			return fmt.Errorf("LookupPrefix(%v) = %v, %d, %v, want %v, %d, %v", a, q, g, ok, want.Prefix, want.Value, wantOK)
		}
	}
	return nil
}

// check compares all that is in the table, and looks up all edges.
func (m *model) check() error {
	m.table.Stats()
	if err := m.table.Check(); err != nil {
		return err
	}
	all := m.want.All()
	if m.table.Len() != len(all) {
		return fmt.Errorf("Len = %d, want %d", m.table.Len(), len(all))
	}
	if got := collect(m.table.All()); !slices.Equal(got, all) {
		return fmt.Errorf("All = %v, want %v", got, all)
	}
	for _, r := range all {
		if err := m.edges(r.Prefix); err != nil {
			return err
		}
	}
	return nil
}

// try is do; a panic is an error, too.
func (m *model) try(s step) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return m.do(s)
}

// run does all steps on a new table and says which failed, and how.
func run(words int, steps []step) (at int, full int, err error) {
	m := newModel(words)
	defer m.close()
	for at = range steps {
		if err = m.try(steps[at]); err != nil {
			return at, m.full, err
		}
	}
	return at, m.full, m.try(step{kind: stepCheck})
}

// runSteps runs, and fails with the shortest sequence that still fails.
func runSteps(t *testing.T, words int, name string, steps []step) (full int) {
	t.Helper()
	at, full, err := run(words, steps)
	if err == nil {
		return full
	}
	short := shrink(steps[:at+1], func(fewer []step) bool {
		_, _, err := run(words, fewer)
		return err != nil
	})
	_, _, shortErr := run(words, short)
	var text strings.Builder
	for _, s := range short {
		fmt.Fprintf(&text, "\t%v\n", s)
	}
	t.Fatalf("%s, in %d words: step %d of %d: %v\nshortest: %v\n%s", name, words, at, len(steps), err, shortErr, &text)
	return full
}

// randomSteps is a sequence about the prefixes ps.
func randomSteps(rng *rand.Rand, ps []netip.Prefix, groups, n int) []step {
	steps := make([]step, 0, n)
	widens := rng.IntN(3) == 0
	removes := 1 + rng.IntN(4) // of 8: how large the table becomes
	for range n {
		s := step{prefix: pick(rng, ps...)}
		switch k := rng.IntN(198); {
		case rng.IntN(n) < 20: // which visit all
			s.kind, s.n = pick(rng, stepTidied, stepBuild, stepWalk, stepCheck), 1+rng.IntN(1000)
		case k < 140:
			s.kind, s.group = stepAdd, fib.GroupID(rng.IntN(groups))
			if widens && rng.IntN(20) == 0 {
				s.group = fib.GroupID(65533 + rng.IntN(fib.MaxGroups-65533))
			}
			if rng.IntN(8) < removes {
				s.kind = stepRemove
			}
		case k < 160:
			s.kind, s.n = stepTidy, 1+rng.IntN(32)
		case k < 180:
			s.kind, s.n = stepBatch, rng.IntN(257)
		default:
			s.kind = stepAsk
		}
		steps = append(steps, s)
	}
	return steps
}

// long says that tests may take as long as they are worth.
func long() bool { return os.Getenv("FWD6_LONG") != "" }

// TestModel does random steps about every kind of prefixes. FWD6_LONG=1 makes
// that ten million.
func TestModel(t *testing.T) {
	total := 60_000
	switch {
	case long():
		total = 10_000_000
	case testing.Short():
		total = 20_000
	}
	for seed, done := uint64(0), 0; done < total; seed++ {
		rng := rand.New(rand.NewPCG(seed, 10))
		kind := populations[int(seed)%len(populations)]
		ps := kind.make(rng, pick(rng, 8, 40, 300, 3000))
		if rng.IntN(4) == 0 { // and another kind beside it
			ps = append(ps, pick(rng, populations...).make(rng, len(ps))...)
		}
		n := 200 + rng.IntN(2000)
		if long() && seed%100 < 7 { // large, of each kind in turn
			kind = populations[int(seed/100*7+seed%100)%len(populations)]
			ps, n = kind.make(rng, 100_000), 300_000
		}
		steps := randomSteps(rng, ps, pick(rng, 2, 3, 20, 65535), n)
		name := fmt.Sprintf("seed %d, %s", seed, kind.name)
		if runSteps(t, modelWords<<(n/100_000), name, steps) > 0 {
			t.Errorf("%s: the table was full", name)
		}
		if done += n; long() && seed%100 == 6 || seed%100 == 99 {
			fmt.Fprintf(os.Stderr, "TestModel: %d of %d steps\n", done, total)
		}
	}
}
