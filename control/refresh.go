package control

import (
	"time"

	"github.com/fwd6/fwd6/dataplane"
)

const (
	// refreshEvery is how often the neighbors in use are looked at. The kernel
	// takes a neighbor for stale some 30 s after it last answered.
	refreshEvery = 2 * time.Second

	// A gateway that does not answer is asked for again after retryFirst, and
	// then after twice as long each time up to retryMost. The kernel itself
	// tries for 3 s each time.
	retryFirst = time.Second
	retryMost  = time.Minute
)

// want asks the kernel to resolve a gateway that packets cannot be sent to for
// want of its link-layer address.
func (r *resolver) want(a *adjacency, now time.Time) {
	if a.content.Reason == dataplane.Forward {
		a.refresh.next, a.refresh.wait = time.Time{}, 0
		return
	}
	if a.wanted == 0 || a.content.Reason != dataplane.PuntNeighbor || now.Before(a.refresh.next) {
		return
	}
	a.refresh.wait = min(max(2*a.refresh.wait, retryFirst), retryMost)
	a.refresh.next = now.Add(a.refresh.wait)
	r.asks = append(r.asks, a.key)
}

// keepFresh asks the kernel to probe the neighbors that packets go to and that
// it takes for stale, because it does not see those packets, and to resolve
// gateways that are still unknown. Neighbors that nobody sends to are left
// alone, so that the kernel may forget them.
func (r *resolver) keepFresh() {
	now := r.now()
	for _, a := range r.adjacencies.byKey {
		if r.fib.Adjacencies.TakeUsed(a.id) {
			a.refresh.used = now
		}
		r.want(a, now)
		n := r.mirror.neighbors[a.key]
		if a.content.Reason == dataplane.Forward && n != nil && n.State&nudStale != 0 && inUse(a, now) {
			r.asks = append(r.asks, a.key)
		}
	}
}

// inUse says whether packets went to a lately.
func inUse(a *adjacency, now time.Time) bool {
	return !a.refresh.used.IsZero() && now.Sub(a.refresh.used) < 2*refreshEvery
}
