package main_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// Which leg a flow takes is the kernel's secret: it draws a seed at every
// start. So what is compared is what holds for every seed: a flow takes one
// leg of those there are and keeps its order, and weights decide the shares.

// spread is how many flows take each leg; legs are their MACs.
type spread map[string]int

const (
	flows         = 1000
	packetsOfFlow = 3
)

// observe sends packets of many flows to a prefix and sees where they go. What
// the kernel forwards while fwd6 is not let run may overtake what waits in
// fwd6's rings: then it looks once more.
func (w *world) observe(p netip.Prefix) (s spread, err error) {
	for range 5 {
		before, err1 := w.leftToKernel()
		s, err = w.observeOnce(p)
		after, err2 := w.leftToKernel()
		if err := errors.Join(err1, err2); err != nil || after == before {
			break
		}
	}
	return s, err
}

func (w *world) leftToKernel() (uint64, error) {
	if w.fwd6 == nil {
		return 0, nil
	}
	return w.fwd6.leftToKernel()
}

func (w *world) observeOnce(p netip.Prefix) (spread, error) {
	var all [][]byte
	for i := range packetsOfFlow {
		for flow := range flows {
			dst := p.Addr().As16()
			binary.BigEndian.PutUint32(dst[12:], uint32(flow))
			payload := binary.BigEndian.AppendUint32(nil, uint32(i))
			// Each way to tell flows apart: destination, source, flow label.
			f := packet{dst: netip.AddrFrom16(dst), next: experiment, payload: payload}
			if flow%2 == 0 {
				f.flow = uint32(flow)
			}
			if flow%3 == 0 {
				f.src = addr(fmt.Sprintf("2001:db8:5::%x", flow))
			}
			all = append(all, fromHost("a0", f.bytes()))
		}
	}
	got := output{}
	sent := 0
	for some := range slices.Chunk(all, 250) { // what is handed to the kernel is no flood
		sent += len(some)
		arrived := func() (n int) {
			for _, frames := range got {
				n += len(frames)
			}
			return n
		}
		err := w.send(&step{in: "a0", frames: some}, got, nil, 0)
		err = errors.Join(err, w.collect(got, arriveWithin, func() bool { return arrived() >= sent }))
		if err == nil && arrived() != sent {
			err = fmt.Errorf("%d packets arrived, want %d", arrived(), sent)
		}
		if err != nil {
			return nil, err
		}
	}
	return judgeFlows(got)
}

// judgeFlows fails if a flow takes two legs or loses its order.
func judgeFlows(got output) (spread, error) {
	legs, next := map[string]string{}, map[string]uint32{}
	result := spread{}
	for _, frames := range got {
		for _, f := range frames {
			leg, flow := fmt.Sprintf("%x", f[:6]), f[ethernetLen:ethernetLen+4]+f[ethernetLen+8:ethernetLen+ip6Len]
			if n := binary.BigEndian.Uint32([]byte(f[ethernetLen+ip6Len:])); n != next[flow] {
				return nil, fmt.Errorf("packet %d of a flow arrives when %d is due: %s", n, next[flow], describe([]byte(f)))
			}
			next[flow]++
			if first, ok := legs[flow]; !ok {
				legs[flow] = leg
				result[leg]++
			} else if first != leg {
				return nil, fmt.Errorf("a flow takes the legs %s and %s: %s", first, leg, describe([]byte(f)))
			}
		}
	}
	return result, nil
}

// shares fails unless exactly these legs share the flows by these weights, up to
// what chance makes of them in one of 10,000 cases. Legs are gateways by number.
func (s spread) shares(weights map[int]int) error {
	total, sum := 0, 0
	for i, weight := range weights {
		total += weight
		sum += s[fmt.Sprintf("%x", []byte(gatewayMAC(i)))]
	}
	if sum != flows {
		return fmt.Errorf("%d of %d flows take the legs of %v: %v", sum, flows, weights, s)
	}
	for i, weight := range weights {
		share := float64(weight) / float64(total)
		got, want := float64(s[fmt.Sprintf("%x", []byte(gatewayMAC(i)))]), flows*share
		if deviation := math.Sqrt(want * (1 - share)); math.Abs(got-want) > 4*deviation+1 {
			return fmt.Errorf("%v of %d flows take gateway %d, want about %v: %v", got, flows, i, want, s)
		}
	}
	return nil
}

// TestMultipath changes a multipath route in all ways, and next-hop objects.
func TestMultipath(t *testing.T) {
	p := prefix("2001:db8:77::/48")
	legs := func(w *world, weights ...int) (all []xdptest.Leg) { // of gateways 0, 1, …
		for i, weight := range weights {
			if weight > 0 {
				leg := w.through(p, i).Legs[0]
				leg.Weight = weight
				all = append(all, leg)
			}
		}
		return all
	}
	object := func(w *world, id uint32, i int) error {
		return setNexthop(w.R, nexthop{id: id, leg: w.through(p, i).Legs[0]})
	}
	steps := []struct {
		name string
		do   func(w *world) error
		want map[int]int
	}{
		{"two legs", func(w *world) error {
			return w.R.AddRoutes(xdptest.Route{Prefix: p, Legs: legs(w, 1, 1)})
		}, map[int]int{0: 1, 1: 1}},
		{"one more is appended", func(w *world) error {
			return w.R.AppendRoutes(xdptest.Route{Prefix: p, Legs: legs(w, 0, 0, 0, 1)})
		}, map[int]int{0: 1, 1: 1, 3: 1}},
		{"one goes", func(w *world) error {
			return w.R.RemoveRoutes(xdptest.Route{Prefix: p, Legs: legs(w, 1)})
		}, map[int]int{1: 1, 3: 1}},
		{"weights", func(w *world) error {
			return w.R.ReplaceRoutes(xdptest.Route{Prefix: p, Legs: legs(w, 1, 2, 0, 5)})
		}, map[int]int{0: 1, 1: 2, 3: 5}},
		{"a leg that is no port of fwd6", func(w *world) error {
			return w.R.ReplaceRoutes(xdptest.Route{Prefix: p, Legs: legs(w, 1, 1, 1, 1)})
		}, map[int]int{0: 1, 1: 1, 2: 1, 3: 1}},
		{"twenty legs", func(w *world) error {
			return w.R.ReplaceRoutes(xdptest.Route{Prefix: p, Legs: legs(w, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3)})
		}, map[int]int{0: 3, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1, 10: 1, 11: 1, 12: 1, 13: 1, 14: 1, 15: 1, 16: 1, 17: 1, 18: 1, 19: 3}},
		{"one leg", func(w *world) error {
			return w.R.ReplaceRoutes(xdptest.Route{Prefix: p, Legs: legs(w, 0, 0, 0, 1)})
		}, map[int]int{3: 1}},
		{"a next-hop object", func(w *world) error {
			return errors.Join(w.R.RemoveRoutes(xdptest.Route{Prefix: p}), object(w, 10, 0), object(w, 11, 1), object(w, 12, 4), addRouteTo(w.R, p, 10))
		}, map[int]int{0: 1}},
		{"the object moves", func(w *world) error { return object(w, 10, 3) }, map[int]int{3: 1}},
		{"the object moves to another port", func(w *world) error { return object(w, 10, 4) }, map[int]int{4: 1}},
		{"the object moves to a device that is no port", func(w *world) error { return object(w, 10, 5) }, map[int]int{5: 1}},
		{"a group of objects", func(w *world) error {
			return errors.Join(
				w.R.RemoveRoutes(xdptest.Route{Prefix: p}),
				object(w, 10, 0),
				setNexthop(w.R, nexthop{id: 20, group: []member{{10, 1}, {11, 1}, {12, 2}}}),
				addRouteTo(w.R, p, 20))
		}, map[int]int{0: 1, 1: 1, 4: 2}},
		{"a member moves", func(w *world) error { return object(w, 11, 6) }, map[int]int{0: 1, 6: 1, 4: 2}},
		{"a member is deleted", func(w *world) error { return removeNexthop(w.R, 10) }, map[int]int{6: 1, 4: 2}},
		{"the group is replaced", func(w *world) error {
			return errors.Join(object(w, 13, 7), setNexthop(w.R, nexthop{id: 20, group: []member{{11, 3}, {13, 1}}}))
		}, map[int]int{6: 3, 7: 1}},
		{"all members but one are deleted", func(w *world) error { return removeNexthop(w.R, 11) }, map[int]int{7: 1}},
	}
	run := func(t *testing.T, w *world) {
		t.Helper()
		if err := addGateways(w); err != nil {
			t.Fatal(err)
		}
		for _, st := range steps {
			if err := st.do(w); err != nil {
				t.Fatalf("%s: %v", st.name, err)
			}
			if w.fwd6 != nil {
				time.Sleep(followWithin)
			}
			got, err := w.observe(p)
			if err == nil {
				err = got.shares(st.want)
			}
			if err != nil {
				t.Errorf("%s: %v", st.name, err)
			}
		}
	}
	t.Run("kernel", func(t *testing.T) { run(t, newWorld(t, threeLinks)) })
	for name, args := range variants {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, threeLinks)
			w.start(t, threePorts, args...)
			run(t, w)
			stats, err := w.fwd6.stats()
			if err != nil {
				t.Fatal(err)
			}
			if want := uint64(flows * packetsOfFlow * len(steps) / 2); stats.Reasons[0] < want {
				t.Errorf("fwd6 forwarded %d packets, want at least %d", stats.Reasons[0], want)
			}
		})
	}
}

// What becomes of a route whose next-hop object changes its nature, byte by byte.
func TestNexthopObjects(t *testing.T) {
	p := prefix("2001:db8:77::/48")
	to := datagrams([]netip.Addr{addr("2001:db8:77::1"), addr("2001:db8:77:ffff::1"), addr("2001:db8:78::1")})
	change := func(name string, do func(*world) error) step {
		return step{name: name, do: do, frames: to, within: followWithin}
	}
	steps := []step{
		change("a route by an object", func(w *world) error {
			return errors.Join(
				w.R.AddRoutes(w.through(prefix("2001:db8:70::/44"), 9)),
				setNexthop(w.R, nexthop{id: 10, leg: w.through(p, 0).Legs[0]}), addRouteTo(w.R, p, 10))
		}),
		change("a blackhole", func(w *world) error { return setNexthop(w.R, nexthop{id: 10, blackhole: true}) }),
		change("a gateway again", func(w *world) error { return setNexthop(w.R, nexthop{id: 10, leg: w.through(p, 3).Legs[0]}) }),
		change("on-link", func(w *world) error { return setNexthop(w.R, nexthop{id: 10, leg: xdptest.Leg{Port: w.R1}}) }),
		change("its host is known", func(w *world) error { return w.R1.AddNeighbor(addr("2001:db8:77::1"), gatewayMAC(200)) }),
		change("deleted", func(w *world) error { return removeNexthop(w.R, 10) }),
		change("a group of one", func(w *world) error {
			return errors.Join(
				setNexthop(w.R, nexthop{id: 11, leg: w.through(p, 4).Legs[0]}),
				setNexthop(w.R, nexthop{id: 20, group: []member{{11, 1}}}), addRouteTo(w.R, p, 20))
		}),
		change("its member is deleted", func(w *world) error { return removeNexthop(w.R, 11) }),
	}
	differential(t, scenario{config: threeLinks, ports: threePorts, prepare: addGateways, steps: steps}, variants)
}
