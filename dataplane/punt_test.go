package dataplane

import (
	"testing"

	"github.com/fwd6/fwd6/xdp"
)

// TestPuntDrainEnds: a worker that pushes as fast as the punter takes does not
// keep the punter from the other workers' queues.
func TestPuntDrainEnds(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{})
	r.rings.End(0).Deliver(frame(hopLimit(1)), frame(hopLimit(1)))
	r.Round()
	taken := 0
	take := func(int, []byte) {
		if taken++; taken <= 2*puntSlots {
			r.rings.End(0).Deliver(frame(hopLimit(1)))
			r.Round()
		}
	}
	r.punts.drain(take)
	if taken != 2 {
		t.Errorf("took %d packets in one go, want the 2 that were there", taken)
	}
	r.punts.drain(take)
	if taken != 4 {
		t.Errorf("took %d packets in two goes, want 4", taken)
	}
}

// TestPuntWhole: the kernel gets a frame as it arrived, or not at all.
func TestPuntWhole(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{MultiBuffer: true})
	r.punts = newPuntQueue(nil, 1518)
	_, punted := r.pass(frame(hopLimit(1), size(1504)), frame(hopLimit(1), size(1505)), frame(hopLimit(1), size(4000)))
	if len(punted) != 1 || len(punted[0]) != 1518 {
		t.Errorf("%d frames punted, want the one of 1518 bytes", len(punted))
	}
	if got := r.count.reasons[DropPuntFull]; got != 2 {
		t.Errorf("%d counted as dropped, want 2", got)
	}
	r.audit()
}
