package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/fwd6/fwd6/bench/lpm"
	"github.com/fwd6/fwd6/bench/workload"
	"github.com/fwd6/fwd6/fib"
)

// bench is a plan that is being carried out.
//
// It belongs to one goroutine, which is tied to a processor; the readers beside
// it have their own.
type bench struct {
	*plan
	cpus   []int
	report *Report
	log    func(format string, args ...any)
}

// contender is a peer and its table for the present task.
type contender struct {
	lpm.Peer
	table  lpm.Table
	reader lpm.Reader
	result *Result
	gone   bool // failed, and is counted as missing
}

// measure carries out the plan.
func (p *plan) measure(log func(format string, args ...any)) (*Report, error) {
	b := &bench{plan: p, log: log, report: &Report{}}
	done := make(chan error)
	go func() { done <- b.everything() }() // a thread of its own, because it will be tied
	err := <-done
	return b.report, err
}

func (b *bench) everything() (err error) {
	if b.report.Machine, err = thisMachine(); err != nil {
		return err
	}
	if b.cpus, err = allowed(); err != nil {
		return err
	}
	if err := pin(b.cpus, 0); err != nil {
		return err
	}
	b.choose()
	b.note()
	for _, t := range b.tasks() {
		if err := b.task(t); err != nil {
			return err
		}
	}
	return nil
}

// task measures everything on one table.
func (b *bench) task(t task) error {
	prefixes, err := t.make()
	if err != nil { // a size that this kind of table cannot have
		b.log("%s: %v", t.workload, err)
		b.report.Notes = append(b.report.Notes, fmt.Sprintf("%s: %v.", t.workload, err))
		return nil
	}
	run := &Run{Workload: t.workload, Routes: len(prefixes)}
	b.report.Runs = append(b.report.Runs, run)
	b.log("%s, %d routes: building", run.Workload, run.Routes)
	routes := lpm.Routes(prefixes)
	contenders := b.build(run, routes)
	defer b.close(contenders)

	var loads []load
	for _, l := range workload.Loads(prefixes, b.addrs, seed) {
		loads = append(loads, load{l.Name, lpm.NewDestinations(l.Addrs)})
	}
	if err := b.agree(run, contenders, loads); err != nil {
		return err
	}
	b.log("%s, %d routes: looking up", run.Workload, run.Routes)
	quietly(func() { b.lookUp(run, contenders, loads) })
	if t.full || b.everywhere {
		b.log("%s, %d routes: updating", run.Workload, run.Routes)
		quietly(func() { b.update(run, contenders, routes, loads[0].Destinations) })
		b.churnAll(run, contenders, routes, loads[0].Destinations)
	}
	return nil
}

// load is a load and its name.
type load struct {
	name string
	lpm.Destinations
}

// quietly runs f without the garbage collector.
func quietly(f func()) {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	f()
}

// agree checks that all peers give the same answers: figures of a peer that
// does something else are worth nothing.
func (b *bench) agree(run *Run, contenders []*contender, loads []load) error {
	for _, l := range loads {
		var want []fib.GroupID
		d := l.Slice(0, min(l.Len(), 1<<14))
		for _, c := range contenders {
			out := make([]fib.GroupID, d.Len())
			if _, err := c.reader.Lookup(lpm.Independent, d, out); err != nil {
				b.drop(run, c, err)
				continue
			}
			if want == nil {
				want = out
			}
			for i, got := range out {
				if got != want[i] {
					return fmt.Errorf("%s, %d routes: %s finds group %d for %v, %s group %d: one of them is wrong",
						run.Workload, run.Routes, c.Name, got, d.Netip[i], contenders[0].Name, want[i])
				}
			}
		}
	}
	return nil
}

// drop leaves a peer out of what follows on this table.
func (b *bench) drop(run *Run, c *contender, err error) {
	if c.gone {
		return
	}
	c.gone = true
	b.log("%s, %d routes: without %s: %v", run.Workload, run.Routes, c.Name, err)
	b.report.Missing = append(b.report.Missing, Missing{c.Name, err.Error(), run.Workload, run.Routes})
}
