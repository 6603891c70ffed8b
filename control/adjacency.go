package control

import (
	"errors"
	"slices"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/fib"
)

// minMTU is the smallest that IPv6 allows a link to have (RFC 8200 §5).
const minMTU = 1280

// errAdjacenciesFull says that no adjacency is left.
var errAdjacenciesFull = errors.New("adjacencies are used up")

// adjacency is one of the data plane's adjacencies: a neighbor that groups
// lead to, or a reason why packets go to the kernel instead.
type adjacency struct {
	id   fib.NextHopID
	key  rtnl.NeighborKey // the zero key: fixed, there is no neighbor
	refs int              // legs of groups
	// wanted counts the legs that have it as their gateway: it is resolved
	// before there is a packet for it.
	wanted  int
	content dataplane.Adjacency // as published
	refresh refresh
}

// adjacencies keeps the data plane's adjacencies in step with neighbors, links
// and ports. It belongs to the controller.
type adjacencies struct {
	slots  *dataplane.Adjacencies
	byKey  map[rtnl.NeighborKey]*adjacency
	byLink map[int]map[*adjacency]struct{}
	fixed  [dataplane.NumReasons]*adjacency

	limit   int           // IDs there are
	next    fib.NextHopID // the lowest never used
	free    []fib.NextHopID
	retired []fib.NextHopID // a worker may still hold them
}

func newAdjacencies(slots *dataplane.Adjacencies) *adjacencies {
	as := &adjacencies{
		slots:  slots,
		byKey:  map[rtnl.NeighborKey]*adjacency{},
		byLink: map[int]map[*adjacency]struct{}{},
		limit:  dataplane.MaxAdjacencies,
		next:   dataplane.NoRouteAdjacency + 1,
	}
	for reason := range dataplane.NumReasons {
		if !reason.Punted() {
			continue
		}
		a := &adjacency{id: as.next, content: dataplane.Adjacency{Reason: reason}}
		as.next++
		as.fixed[reason] = a
		slots.Set(a.id, a.content)
	}
	return as
}

// acquire returns the adjacency of key for one more leg, new or shared.
func (as *adjacencies) acquire(key rtnl.NeighborKey, content func(rtnl.NeighborKey) dataplane.Adjacency) (*adjacency, error) {
	a := as.byKey[key]
	if a == nil {
		id, err := as.allocate()
		if err != nil {
			return nil, err
		}
		a = &adjacency{id: id, key: key, content: content(key)}
		as.slots.Set(id, a.content)
		as.slots.TakeUsed(id) // what the ID stood for before was used, not this
		as.byKey[key] = a
		if as.byLink[key.Ifindex] == nil {
			as.byLink[key.Ifindex] = map[*adjacency]struct{}{}
		}
		as.byLink[key.Ifindex][a] = struct{}{}
	}
	a.refs++
	return a, nil
}

func (as *adjacencies) allocate() (fib.NextHopID, error) {
	switch n := len(as.free); {
	case n > 0:
		id := as.free[n-1]
		as.free = as.free[:n-1]
		return id, nil
	case int(as.next) < as.limit:
		as.next++
		return as.next - 1, nil
	}
	return 0, errAdjacenciesFull
}

// release gives back what acquire returned.
func (as *adjacencies) release(a *adjacency) {
	if a.refs--; a.refs > 0 || a.key == (rtnl.NeighborKey{}) {
		return
	}
	as.retired = append(as.retired, a.id)
	delete(as.byKey, a.key)
	delete(as.byLink[a.key.Ifindex], a)
	if len(as.byLink[a.key.Ifindex]) == 0 {
		delete(as.byLink, a.key.Ifindex)
	}
}

// reclaim frees the IDs released so far. No worker may hold one any more.
func (as *adjacencies) reclaim() {
	as.free = append(as.free, as.retired...)
	as.retired = as.retired[:0]
}

// update publishes a by one store if it is not what it was.
func (as *adjacencies) update(a *adjacency, content dataplane.Adjacency) {
	if content != a.content {
		a.content = content
		as.slots.Set(a.id, content)
	}
}

// adjacencyContent says how packets reach the neighbor key, or why they cannot.
func (r *resolver) adjacencyContent(key rtnl.NeighborKey) dataplane.Adjacency {
	link := r.mirror.links[key.Ifindex]
	port, open := r.ports[key.Ifindex]
	if why := linkFault(link); !open || why != "" {
		return dataplane.Adjacency{Reason: dataplane.PuntEgress}
	}
	n := r.mirror.neighbors[key]
	if !resolved(n) {
		return dataplane.Adjacency{Reason: dataplane.PuntNeighbor}
	}
	a := dataplane.Adjacency{Port: port, MTU: uint32(egressMTU(link))}
	copy(a.Rewrite[0:6], n.MAC[:])
	copy(a.Rewrite[6:12], link.MAC[:])
	a.Rewrite[12], a.Rewrite[13] = 0x86, 0xdd // RFC 2464 §3
	return a
}

// egressMTU is the longest packet that the kernel would send on l
// (ip6_dst_mtu_maybe_forward, ip6_forward). When the device's MTU changes, the
// kernel first tells IPv6's as it was.
func egressMTU(l *rtnl.Link) int {
	mtu := l.MTU
	if l.MTU6 > 0 {
		mtu = min(mtu, l.MTU6)
	}
	return max(mtu, minMTU)
}

// updateLinks follows links: one store for each of their neighbors in use, and
// one for each group that gains or loses a leg, whatever the number of routes
// behind them. Only routes that nothing else can carry are looked at one by one.
func (r *resolver) updateLinks(ch *Change) {
	var turned map[int]struct{} // links that went out of use or came back
	for ifindex := range ch.links {
		r.updateNeighborsOf(ifindex)
		if _, was := r.dead[ifindex]; r.mirror.linkDead(ifindex) != was {
			mark(&turned, ifindex)
		}
	}
	if turned == nil {
		return
	}
	for _, g := range r.groups {
		if slices.ContainsFunc(g.hops, func(h hop) bool { _, is := turned[h.ifindex]; return is }) {
			r.changeGroup(g, g.hops)
		}
	}
	for _, k := range r.mirror.turned(r.dead) {
		mark(&ch.prefixes, k)
	}
	for ifindex := range turned {
		if r.mirror.linkDead(ifindex) {
			r.dead[ifindex] = struct{}{}
		} else {
			delete(r.dead, ifindex)
		}
	}
}

// updateNeighborsOf follows a link without looking at any route.
func (r *resolver) updateNeighborsOf(ifindex int) {
	for a := range r.adjacencies.byLink[ifindex] {
		r.updateAdjacency(a)
	}
}

func (r *resolver) updateAdjacency(a *adjacency) {
	r.adjacencies.update(a, r.adjacencyContent(a.key))
	r.want(a, r.now())
}

// refresh is what there is to know about when to ask the kernel to look after
// a neighbor.
type refresh struct {
	next time.Time     // not asked again before
	wait time.Duration // between the last two times
	used time.Time     // when packets were last seen to go this way
}
