package control

import (
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/fib"
)

// resolver turns the mirror into the FIB and keeps it so: of every prefix the
// route that the kernel would take, of every route a group of adjacencies. It
// belongs to the controller.
type resolver struct {
	mirror *Mirror
	fib    *dataplane.FIB
	log    *slog.Logger
	now    func() time.Time
	ports  map[int]dataplane.PortID // the ports that can be sent to, by ifindex

	// targets holds where each prefix of a table leads to.
	targets prefixMap[*group]
	// hiding holds the targets that are of the table local. It is asked first,
	// so what the table main has inside them is never reached.
	hiding prefixMap[struct{}]
	hosts  prefixMap[*host] // on-link neighbors by address

	dead map[int]struct{} // links that were out of use when last looked at

	groups      map[groupKey]*group
	adjacencies *adjacencies
	asks        []rtnl.NeighborKey // neighbors that the kernel should look after

	dirtyHosts map[prefixKey]struct{} // to be looked at again once all prefixes are
	starving   map[prefixKey]struct{} // their group found no room
	refused    map[prefixKey]struct{} // the FIB did not take them
	saidFull   bool
}

// mappedKey is ::ffff:0:0/96. Packets to it never get as far as the FIB, which
// does not take such prefixes.
var mappedKey = prefixKey{addr: fib.Addr{Lo: 0xffff << 32}, bits: 96}

func newResolver(m *Mirror, f *dataplane.FIB, log *slog.Logger, now func() time.Time) *resolver {
	r := &resolver{
		mirror: m, fib: f, log: log, now: now,
		ports:       map[int]dataplane.PortID{},
		dead:        map[int]struct{}{},
		groups:      map[groupKey]*group{},
		adjacencies: newAdjacencies(f.Adjacencies),
		dirtyHosts:  map[prefixKey]struct{}{},
		starving:    map[prefixKey]struct{}{},
		refused:     map[prefixKey]struct{}{},
	}
	// Its group is what remains when there is no room for another.
	r.acquireGroup(verdict{found: true, reason: dataplane.PuntRoute})
	return r
}

// update brings the FIB in step with what has changed in the mirror.
func (r *resolver) update(ch *Change) {
	r.updateSome(ch, math.MaxInt)
}

// updateSome is update for everything but prefixes, and for that many of these.
// It takes what it has done out of ch.
func (r *resolver) updateSome(ch *Change, limit int) {
	if len(ch.links) > 0 {
		r.updateLinks(ch)
	}
	for key := range ch.neighbors {
		r.updateNeighbor(key)
	}
	if len(ch.nextHops) > 0 {
		r.updateNextHops(ch)
	}
	ch.links, ch.neighbors, ch.nextHops = nil, nil, nil
	for k := range ch.prefixes {
		if limit--; limit < 0 {
			break
		}
		r.updatePrefix(k)
		delete(ch.prefixes, k)
	}
	for k := range r.dirtyHosts {
		r.updateHost(k)
	}
	clear(r.dirtyHosts)
}

// decide says what the kernel would do with packets whose longest match is k,
// and whether the table local says so.
func (r *resolver) decide(k prefixKey) (v verdict, local bool) {
	now := r.now()
	if k.bits == 128 && len(r.mirror.proxies) > 0 && len(r.mirror.proxies[k.addr.Netip()]) > 0 {
		return verdict{found: true, reason: dataplane.PuntRoute}, false
	}
	if routes, ok := r.mirror.local.get(k); ok {
		if v = r.mirror.judge(routes, now); v.found {
			return v, true
		}
	}
	for hiding := range r.hiding.covering(k) {
		if hiding != k {
			return verdict{}, false
		}
	}
	routes, _ := r.mirror.main.get(k)
	return r.mirror.judge(routes, now), false
}

// updatePrefix decides k anew, and all that the decision hides or shows.
func (r *resolver) updatePrefix(k prefixKey) {
	if mappedKey.covers(k) {
		return
	}
	v, local := r.decide(k)
	_, hid := r.hiding.get(k)
	switch {
	case local && !hid:
		r.hiding.set(k, struct{}{})
	case !local && hid:
		r.hiding.remove(k)
	}
	r.setTarget(k, v)
	if local == hid {
		return
	}
	for inside := range r.mirror.main.inside(k) {
		if inside != k && !mappedKey.covers(inside) {
			v, _ := r.decide(inside)
			r.setTarget(inside, v)
		}
	}
}

// setTarget publishes where k leads to: one store.
func (r *resolver) setTarget(k prefixKey, v verdict) {
	old, had := r.targets.get(k)
	if !v.found {
		if had {
			r.removeTarget(k, old)
		}
		r.note(r.refused, k, false)
		return
	}
	if k.bits == 128 {
		if v.hops = directHops(v.hops, k.addr.Netip()); hasDirect(v.hops) {
			v.nextHop = 0 // the object's hops are not this host's
		}
	}
	g, full := r.acquireGroup(v)
	r.note(r.starving, k, full || g.starved)
	if g == old {
		r.note(r.refused, k, false) // it may have gone elsewhere meanwhile
		r.releaseGroup(g)
		if g.hasHosts() {
			r.touchHosts(k)
		}
		return
	}
	if !r.add(k, g) {
		r.releaseGroup(g)
		return
	}
	r.targets.set(k, g)
	if had {
		r.releaseGroup(old)
	} else {
		r.dropHost(k)
	}
	if !had || old.hasHosts() || g.hasHosts() {
		r.touchHosts(k)
	}
}

func (r *resolver) removeTarget(k prefixKey, old *group) {
	r.note(r.starving, k, false)
	r.note(r.refused, k, false)
	r.targets.remove(k)
	r.fib.Routes.Remove(k.prefix())
	r.releaseGroup(old)
	r.touchHosts(k)
}

// add lets k lead to g in the FIB, and notes if the FIB refuses: then all
// packets have to go to the kernel, lest those for k take a less specific route.
func (r *resolver) add(k prefixKey, g *group) bool {
	err := r.fib.Routes.Add(k.prefix(), g.id)
	if r.note(r.refused, k, err != nil); err != nil {
		r.noRoom(err)
	}
	return err == nil
}

func (r *resolver) note(set map[prefixKey]struct{}, k prefixKey, in bool) {
	if in {
		set[k] = struct{}{}
	} else if len(set) > 0 {
		delete(set, k)
	}
}

// noRoom logs that packets go to the kernel for want of room, once.
func (r *resolver) noRoom(err error) {
	if !r.saidFull {
		r.saidFull = true
		r.log.Error("no room in the FIB: the kernel forwards what finds none", "cause", err)
	}
}

// feed tries again what found no room.
func (r *resolver) feed() {
	if len(r.starving)+len(r.refused) == 0 {
		r.saidFull = false
		return
	}
	for _, g := range r.groups {
		if g.starved {
			r.changeGroup(g, g.hops)
		}
	}
	var ch Change
	for _, set := range []map[prefixKey]struct{}{r.starving, r.refused} {
		for k := range set {
			mark(&ch.prefixes, k)
			r.dirtyHosts[k] = struct{}{}
		}
	}
	r.update(&ch)
}

// updateNextHops follows next-hop objects: one store for each group that leads
// by one, whatever the number of prefixes, unless the prefixes are concerned.
func (r *resolver) updateNextHops(ch *Change) {
	concerned := map[uint32]struct{}{}
	for id := range ch.nextHops {
		concerned[id] = struct{}{}
		for _, g := range r.mirror.groupsWith(id) {
			concerned[g] = struct{}{}
		}
	}
	for id := range concerned {
		if r.mirror.users[id] == 0 || r.changeObject(id) {
			delete(concerned, id)
		}
	}
	if len(concerned) == 0 {
		return
	}
	isConcerned := func(id uint32) bool { _, is := concerned[id]; return is }
	for _, t := range []*routeTable{&r.mirror.local, &r.mirror.main} {
		for _, k := range using(t, isConcerned) {
			mark(&ch.prefixes, k)
		}
	}
}

// changeObject gives the group of an object the hops that it has now. It is
// false if that does not settle the prefixes that lead by it.
func (r *resolver) changeObject(id uint32) bool {
	g := r.groups[keyOfGroup(&verdict{nextHop: id})]
	hops, ok := r.mirror.objectHops(id)
	if g == nil || !ok || !slices.ContainsFunc(hops, r.mirror.alive) {
		return false
	}
	onLink := g.onLink()
	r.changeGroup(g, hops)
	return !g.starved && !onLink && !g.onLink()
}

// setPorts says which links are ports that can be sent to.
func (r *resolver) setPorts(ports map[int]dataplane.PortID) {
	r.ports = ports
	for _, a := range r.adjacencies.byKey {
		r.updateAdjacency(a)
	}
	var ch Change
	for _, g := range r.groups {
		if g.onLink() || len(g.hops) > 1 {
			r.changeGroup(g, g.hops)
		}
	}
	for key := range r.mirror.neighbors {
		mark(&ch.neighbors, key)
	}
	r.update(&ch)
}
