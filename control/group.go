package control

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/fib"
)

// group is one of the FIB's next-hop groups: all prefixes with the same hops
// share one, and so do all with the same next-hop object, so that a change of
// the object is one store.
type group struct {
	id      fib.GroupID
	key     groupKey
	refs    int // prefixes
	reason  dataplane.Reason
	hops    []hop
	nextHop uint32 // the object that says what hops are, or 0
	legs    []leg  // of the hops that are alive; or why there are none
	starved bool   // legs are not those of hops, for want of room
}

// leg is a hop as the FIB has it.
type leg struct {
	*adjacency
	hop hop // the zero hop: the adjacency is a reason
}

// groupKey tells groups apart.
type groupKey string

// onLink says whether the next hop of some packets is their destination, so
// that hosts inside the prefix may have an entry each.
func (g *group) onLink() bool {
	return slices.ContainsFunc(g.hops, func(h hop) bool { return !h.gateway.IsValid() })
}

// hasHosts says whether hosts inside its prefixes may have entries, or may have
// had them: an object can have been on-link until just now.
func (g *group) hasHosts() bool { return g.nextHop != 0 || g.onLink() }

// keyOfGroup returns the key of a group by v, whose hops it sorts.
func keyOfGroup(v *verdict) groupKey {
	if v.reason != dataplane.Forward {
		return groupKey([]byte{'r', byte(v.reason)})
	}
	var buf [64]byte
	key := buf[:0]
	if v.nextHop != 0 {
		return groupKey(binary.BigEndian.AppendUint32(append(key, 'n'), v.nextHop))
	}
	if len(v.hops) > 1 {
		v.hops = slices.SortedFunc(slices.Values(v.hops), compareHops)
	}
	key = append(key, 'h')
	for _, h := range v.hops {
		key = binary.BigEndian.AppendUint32(key, uint32(h.ifindex))
		key = binary.BigEndian.AppendUint32(key, h.weight)
		if !h.gateway.IsValid() {
			key = append(key, 'd')
			continue
		}
		key = append(key, 'g')
		if h.direct {
			key[len(key)-1] = 'n'
		}
		addr := h.gateway.As16()
		key = append(key, addr[:]...)
	}
	return groupKey(key)
}

func compareHops(a, b hop) int {
	if a.ifindex != b.ifindex {
		return a.ifindex - b.ifindex
	}
	if c := a.gateway.Compare(b.gateway); c != 0 {
		return c
	}
	return int(a.weight) - int(b.weight)
}

// acquireGroup returns the group for v, for one more prefix. Without room for
// it the packets go to the kernel: it is then the group of PuntRoute, and full.
func (r *resolver) acquireGroup(v verdict) (g *group, full bool) {
	key := keyOfGroup(&v)
	if g = r.groups[key]; g != nil {
		g.refs++
		return g, false
	}
	g = &group{key: key, reason: v.reason, hops: v.hops, nextHop: v.nextHop, refs: 1}
	content := r.fill(g)
	id, err := r.fib.Groups.Add(content)
	if err != nil {
		r.releaseLegs(g.legs)
		r.noRoom(err)
		g = r.groups[reasonKey(dataplane.PuntRoute)]
		g.refs++
		return g, true
	}
	g.id = id
	r.groups[key] = g
	return g, false
}

func reasonKey(reason dataplane.Reason) groupKey {
	return keyOfGroup(&verdict{reason: reason})
}

// fill acquires the legs of g and returns what to publish. Without room for
// them it is a group that leads to the kernel.
func (r *resolver) fill(g *group) *fib.Group {
	legs, err := r.acquireLegs(g)
	if err == nil {
		var content *fib.Group
		if content, err = newGroup(legs); err == nil {
			g.legs, g.starved = legs, false
			return content
		}
		r.releaseLegs(legs)
	}
	r.noRoom(err)
	g.legs, g.starved = r.reasonLegs(dataplane.PuntRoute), true
	content, err := newGroup(g.legs)
	if err != nil {
		panic(fmt.Sprintf("control: group of one leg: %v", err)) // by NewGroup's word
	}
	return content
}

func newGroup(legs []leg) (*fib.Group, error) {
	made := make([]fib.Leg, len(legs))
	for i, l := range legs {
		made[i] = fib.Leg{NextHop: l.id, Weight: max(l.hop.weight, 1)}
	}
	return fib.NewGroup(made)
}

func (r *resolver) reasonLegs(reason dataplane.Reason) []leg {
	return []leg{{adjacency: r.adjacencies.fixed[reason]}}
}

// acquireLegs returns a leg for each hop of g that is alive, or the one that
// says why there are none.
func (r *resolver) acquireLegs(g *group) ([]leg, error) {
	if g.reason != dataplane.Forward {
		return r.reasonLegs(g.reason), nil
	}
	if r.mixed(g.hops) {
		return r.reasonLegs(dataplane.PuntEgress), nil
	}
	legs := make([]leg, 0, len(g.hops))
	for _, h := range g.hops {
		if !r.mirror.alive(h) {
			continue
		}
		a, err := r.acquireLeg(h)
		if err != nil {
			r.releaseLegs(legs)
			return nil, err
		}
		legs = append(legs, leg{a, h})
	}
	if len(legs) == 0 {
		return r.reasonLegs(dataplane.PuntEgress), nil
	}
	return legs, nil
}

// mixed says whether some of hops leave by devices that are no ports. Such a
// group is the kernel's as a whole: of the flows that it were given for one leg
// it would spread some over the others again, and the weights would not hold.
func (r *resolver) mixed(hops []hop) bool {
	return len(hops) > 1 && slices.ContainsFunc(hops, func(h hop) bool {
		_, port := r.ports[h.ifindex]
		return !port && r.mirror.alive(h)
	})
}

func (r *resolver) acquireLeg(h hop) (*adjacency, error) {
	if !h.gateway.IsValid() {
		if _, open := r.ports[h.ifindex]; !open {
			return r.adjacencies.fixed[dataplane.PuntEgress], nil
		}
		return r.adjacencies.fixed[dataplane.PuntGlean], nil
	}
	a, err := r.adjacencies.acquire(rtnl.NeighborKey{Ifindex: h.ifindex, Addr: h.gateway}, r.adjacencyContent)
	if err == nil && !h.direct {
		a.wanted++
		r.want(a, r.now())
	}
	return a, err
}

func (r *resolver) releaseLegs(legs []leg) {
	for _, l := range legs {
		if l.key == (rtnl.NeighborKey{}) {
			continue
		}
		if !l.hop.direct {
			l.wanted--
		}
		r.adjacencies.release(l.adjacency)
	}
}

// changeGroup gives g other hops, or the same ones anew: one store.
func (r *resolver) changeGroup(g *group, hops []hop) {
	old := g.legs
	g.hops = hops
	r.fib.Groups.Set(g.id, r.fill(g))
	r.releaseLegs(old)
}

// releaseGroup gives back what acquireGroup returned. No prefix may lead to it.
func (r *resolver) releaseGroup(g *group) {
	if g.refs--; g.refs > 0 {
		return
	}
	delete(r.groups, g.key)
	r.fib.Groups.Remove(g.id)
	r.releaseLegs(g.legs)
}

// reclaim frees the IDs of groups and adjacencies no longer used. Every worker
// must have begun a new batch since the last change.
func (r *resolver) reclaim() {
	r.fib.Groups.Release(r.fib.Groups.Quarantined())
	r.adjacencies.reclaim()
}

// reclaimable says whether there is something to reclaim.
func (r *resolver) reclaimable() bool {
	return r.fib.Groups.Quarantined() > 0 || len(r.adjacencies.retired) > 0
}
