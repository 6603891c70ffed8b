package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/fwd6/fwd6/bench/lpm"
	"github.com/fwd6/fwd6/fib"
)

// beside runs write while readers look up, each on the processor of its number,
// counted from the last one down, and says how many lookups a second they made.
func (b *bench) beside(table lpm.Table, d lpm.Destinations, processors []int, write func()) (float64, error) {
	var stop atomic.Bool
	var lookups atomic.Int64
	var wg sync.WaitGroup
	var running sync.WaitGroup // until all have begun
	errs := make(chan error, len(processors))
	for _, processor := range processors {
		reader, err := table.NewReader()
		if err != nil {
			errs <- err
			break
		}
		running.Add(1)
		wg.Go(func() {
			defer reader.Close()
			err := pin(b.cpus, processor)
			running.Done()
			if err == nil {
				err = read(reader, d, &stop, &lookups)
			}
			if err != nil {
				errs <- err
			}
		})
	}
	running.Wait()
	start, before := time.Now(), lookups.Load()
	write()
	for lookups.Load() == before && len(errs) == 0 { // a rate of nothing is none
		time.Sleep(time.Millisecond)
	}
	made, elapsed := lookups.Load()-before, time.Since(start)
	stop.Store(true)
	wg.Wait()
	close(errs)
	return float64(made) / elapsed.Seconds(), <-errs
}

// stretch is how many lookups a reader makes between two looks at whether it is
// to stop. Readers in the kernel make them in one system call.
const stretch = 4096

// read looks up until it is told to stop, and counts. In batches, if the peer
// has any.
func read(r lpm.Reader, d lpm.Destinations, stop *atomic.Bool, count *atomic.Int64) error {
	out := make([]fib.GroupID, min(stretch, d.Len()))
	mode := lpm.Mode(64)
	if _, err := r.Lookup(mode, d.Slice(0, 1), out[:1]); err != nil {
		mode = lpm.Independent
	}
	for at := 0; !stop.Load(); at += len(out) {
		if at+len(out) > d.Len() {
			at = 0
		}
		if _, err := r.Lookup(mode, d.Slice(at, at+len(out)), out); err != nil {
			return err
		}
		count.Add(int64(len(out)))
	}
	return nil
}
