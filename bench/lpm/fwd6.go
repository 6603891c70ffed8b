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

func (f *fwd6) Bytes() int { return f.table.Bytes() }

// Close lets go of the table, whose memory goes with it.
func (f *fwd6) Close() error {
	f.table = nil
	return nil
}

func (f *fwd6) NewReader() (Reader, error) {
	return &fwd6Reader{table: f.table, variant: f.variant, reader: f.table.NewReader()}, nil
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
	return fib.Use(variant)
}

type fwd6Reader struct {
	table   *fib.Table
	variant string
	reader  *fib.Reader
}

func (r *fwd6Reader) Close() error {
	r.reader.Close()
	return nil
}

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

// build fills an empty table with sorted routes.
func build(t *fib.Table, routes []Route) error {
	return t.Build(func(yield func(netip.Prefix, fib.GroupID) bool) {
		for _, r := range routes {
			if !yield(r.Prefix, r.Group) {
				return
			}
		}
	})
}

// Depth is the mean number of words on the way to a word or leaf where lookups
// end.
func (f *fwd6) Depth() (float64, bool) {
	ends, words := 0, 0
	for depth, n := range f.table.Stats().Depths {
		ends += n
		words += depth * n
	}
	return float64(words) / float64(ends), true
}
