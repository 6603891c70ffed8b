package lpm

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/fwd6/fwd6/fib"
)

// fwd6 is fib.Table, looked up by one variant.
type fwd6 struct {
	table   *fib.Table
	variant string
}

func newFwd6(variant string) *fwd6 { return &fwd6{fib.New(), variant} }

func (f *fwd6) Build(routes []Route) (time.Duration, error) {
	return timed(func() error { return build(f.table, routes) })
}

func (f *fwd6) Set(r Route) (time.Duration, error) {
	return timed(func() error { return f.table.Add(r.Prefix, r.Group) })
}

func (f *fwd6) Remove(p netip.Prefix) (time.Duration, error) {
	return timed(func() error {
		if !f.table.Remove(p) {
			return fmt.Errorf("remove %v: not in the table", p)
		}
		return nil
	})
}

func (f *fwd6) Bytes() int             { return f.table.Bytes() }
func (f *fwd6) Depth() (float64, bool) { return depth(f.table) }
func (f *fwd6) Close() error           { return closeTable(f.table) }

func (f *fwd6) NewReader() (Reader, error) {
	return &fwd6Reader{table: f.table, variant: f.variant, reader: newReader(f.table)}, nil
}

// inUse is the variant that all tables use at present.
var inUse struct {
	sync.Mutex
	variant string
}

// use makes all tables use a variant, if they do not. Readers may call it at the
// same time if they agree.
func use(variant string) error {
	inUse.Lock()
	defer inUse.Unlock()
	if inUse.variant == variant {
		return nil
	}
	inUse.variant = variant
	return force(variant)
}

type fwd6Reader struct {
	table   *fib.Table
	variant string
	reader  reader
}

func (r *fwd6Reader) Close() error { return nil }

func (r *fwd6Reader) Lookup(mode Mode, d Destinations, out []fib.GroupID) (time.Duration, error) {
	if err := use(r.variant); err != nil {
		return 0, err
	}
	if len(out) != d.Len() {
		return 0, errors.New("as many answers as destinations are wanted")
	}
	start := time.Now()
	switch mode {
	case Serial:
		r.serial(d.Fib, out)
	case Independent:
		r.independent(d.Fib, out)
	default:
		r.batches(int(mode), d.Fib, out)
	}
	return time.Since(start), nil
}

func (r *fwd6Reader) serial(addrs []fib.Addr, out []fib.GroupID) {
	var last fib.GroupID
	t, zero := r.table, never
	r.reader.Enter()
	for i := range out {
		last = t.Lookup(addrs[i+int(last&zero)])
		out[i] = last
	}
	r.reader.Leave()
}

func (r *fwd6Reader) independent(addrs []fib.Addr, out []fib.GroupID) {
	t := r.table
	r.reader.Enter()
	for i, a := range addrs {
		out[i] = t.Lookup(a)
	}
	r.reader.Leave()
}

// batches enters and leaves once a batch, as a worker does.
func (r *fwd6Reader) batches(size int, addrs []fib.Addr, out []fib.GroupID) {
	t := r.table
	for len(addrs) > 0 {
		n := min(size, len(addrs))
		r.reader.Enter()
		t.LookupBatch(addrs[:n], out[:n])
		r.reader.Leave()
		addrs, out = addrs[n:], out[n:]
	}
}

// What follows is all that depends on how package fib offers bulk building,
// variants, readers and statistics.

// variants names the lookup variants of this processor, the one that fib
// chooses last.
func variants() []string { return []string{"generic"} }

// force makes all tables use a variant. No lookup may be running.
func force(string) error { return nil }

// build fills an empty table with sorted routes.
func build(t *fib.Table, routes []Route) error {
	for _, r := range routes {
		if err := t.Add(r.Prefix, r.Group); err != nil {
			return err
		}
	}
	return nil
}

// reader is what a goroutine that is not the writer enters and leaves.
type reader struct{}

func newReader(*fib.Table) reader { return reader{} }

func (reader) Enter() {}
func (reader) Leave() {}

// depth is the mean number of nodes on a prefix's way.
func depth(*fib.Table) (float64, bool) { return 0, false }

func closeTable(*fib.Table) error { return nil }
