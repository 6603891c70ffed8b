package lpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// maxDestinations is how many lookups one run can make.
const maxDestinations = 1 << 20

// testRun looks up in the kernel: a BPF program does so for all destinations,
// and the kernel's test run of programs takes the time. What the loop costs by
// itself is measured right after, by the same loop around no lookup, and taken
// off.
type testRun struct {
	objects lookupObjects
	program *ebpf.Program
	ns      *xdptest.Namespace // in which it runs

	destinations, answers *ebpf.Memory
	buffer                []byte
}

// newTestRun loads the programs, of which pick picks one, for packets that come
// from a device of a namespace. They look into routes, if that is not nil.
func newTestRun(pick func(*lookupPrograms) *ebpf.Program, routes *ebpf.Map, ns *xdptest.Namespace, ifindex int) (Reader, error) {
	spec, err := loadLookup()
	if err != nil {
		return nil, err
	}
	spec.Maps[lookupMapDestinations].MaxEntries = maxDestinations
	spec.Maps[lookupMapAnswers].MaxEntries = maxDestinations
	var options ebpf.CollectionOptions
	if routes != nil {
		spec.Maps[lookupMapRoutes].MaxEntries = routes.MaxEntries()
		options.MapReplacements = map[string]*ebpf.Map{lookupMapRoutes: routes}
	}
	t := &testRun{ns: ns}
	if err := spec.LoadAndAssign(&t.objects, &options); err != nil {
		return nil, fmt.Errorf("load the programs that look up: %w", err)
	}
	t.program = pick(&t.objects.lookupPrograms)
	if t.destinations, err = t.objects.Destinations.Memory(); err == nil {
		t.answers, err = t.objects.Answers.Memory()
	}
	if err = errors.Join(err, t.objects.Ifindex.Set(uint32(ifindex))); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *testRun) Close() error { return t.objects.Close() }

func (t *testRun) Lookup(mode Mode, d Destinations, out []fib.GroupID) (time.Duration, error) {
	var serial uint32
	switch mode {
	case Serial:
		serial = 1
	case Independent:
	default:
		return 0, errors.ErrUnsupported
	}
	if d.Len() > maxDestinations {
		return 0, fmt.Errorf("look up %d destinations in one run: want at most %d", d.Len(), maxDestinations)
	}
	if err := errors.Join(t.objects.Serial.Set(serial), t.objects.Count.Set(uint32(d.Len())), t.put(d)); err != nil {
		return 0, err
	}
	elapsed, err := t.run(t.program)
	if err != nil {
		return 0, err
	}
	if err := t.take(out); err != nil {
		return 0, err
	}
	loop, err := t.run(t.objects.Nothing)
	return max(0, elapsed-loop), err
}

// put lays the destinations out for the program.
func (t *testRun) put(d Destinations) error {
	t.buffer = t.buffer[:0]
	for _, a := range d.Fib {
		t.buffer = binary.BigEndian.AppendUint64(t.buffer, a.Hi)
		t.buffer = binary.BigEndian.AppendUint64(t.buffer, a.Lo)
	}
	_, err := t.destinations.WriteAt(t.buffer, 0)
	return err
}

// take reads the program's answers.
func (t *testRun) take(out []fib.GroupID) error {
	t.buffer = append(t.buffer[:0], make([]byte, 8*len(out))...)
	if _, err := t.answers.ReadAt(t.buffer, 0); err != nil {
		return err
	}
	for i := range out {
		out[i] = fib.GroupID(binary.NativeEndian.Uint64(t.buffer[8*i:]))
	}
	return nil
}

// run runs a program once, in its namespace, on the processors that the calling
// thread may use. Once, because the kernel prepares the second of several runs
// by waiting for a grace period.
func (t *testRun) run(p *ebpf.Program) (elapsed time.Duration, err error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return 0, fmt.Errorf("ask for the allowed processors: %w", err)
	}
	err = t.ns.Do(func() error {
		if err := unix.SchedSetaffinity(0, &allowed); err != nil {
			return fmt.Errorf("move a test run: %w", err)
		}
		frame := make([]byte, 64) // the kernel wants one
		done, d, err := p.Benchmark(frame, 1, nil)
		if err == nil && done != 1 {
			err = errors.New("test run ended before the last destination")
		}
		elapsed = d
		return err
	})
	return elapsed, err
}
