package xdptest

import (
	"fmt"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// Audit checks that every frame has exactly one owner, given the frames that
// the worker holds. What was transmitted must have been flushed, and neither
// worker nor Ends may run meanwhile.
func (r *Rings) Audit(held ...xdp.Desc) error {
	chunk := uint64(r.kernel.chunkSize)
	owners := make([]string, len(r.kernel.memory)/r.kernel.chunkSize)
	var err error
	own := func(addr uint64, owner string) {
		if prior := owners[addr/chunk]; prior != "" && err == nil {
			err = fmt.Errorf("frame %#x has two owners: %s and %s", addr&^(chunk-1), prior, owner)
		}
		owners[addr/chunk] = owner
	}
	for _, addr := range r.AppendFree(nil) {
		own(addr, "the free frames")
	}
	for _, d := range held {
		own(d.Addr, "the worker")
	}
	for s, e := range r.kernel.ends {
		for _, addr := range pending(e.shared.Fill) {
			own(addr, fmt.Sprintf("the fill ring of socket %d", s))
		}
		for _, addr := range e.addrs[:e.held] {
			own(addr, fmt.Sprintf("the kernel's side of socket %d", s))
		}
		for _, d := range pending(e.shared.RX) {
			own(d.Addr, fmt.Sprintf("the RX ring of socket %d", s))
		}
		for _, d := range pending(e.shared.TX) {
			own(d.Addr, fmt.Sprintf("the TX ring of socket %d", s))
		}
		for _, addr := range pending(e.shared.Completion) {
			own(addr, fmt.Sprintf("the completion ring of socket %d", s))
		}
	}
	for i, owner := range owners {
		if owner == "" && err == nil {
			err = fmt.Errorf("frame %#x has no owner", uint64(i)*chunk)
		}
	}
	return err
}

// pending lists the entries of a ring that its consumer has not taken.
func pending[T any](r *sys.Ring[T]) []T {
	var all []T
	for i := r.Consumer.Load(); i != r.Producer.Load(); i++ {
		all = append(all, r.Entries[i%uint32(len(r.Entries))])
	}
	return all
}
