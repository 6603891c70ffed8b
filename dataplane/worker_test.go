package dataplane

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// rig is a worker with three ports of one queue each whose kernel side is in
// the test's hands, and a punter's side of its queue.
type rig struct {
	*Worker
	tb     testing.TB
	rings  *xdptest.Rings
	failed chan error
	fib    *FIB
	next   fib.NextHopID
}

// ifindexOf a port of the rig.
func ifindexOf(p PortID) int { return 100 + int(p) }

func newRig(tb testing.TB, cfg xdp.SocketConfig) *rig {
	const ports = 3
	r := &rig{tb: tb, rings: xdptest.NewRings(tb, cfg, ports), fib: NewFIB(), next: 1}
	r.Worker = NewWorker(r.fib, r.rings, []PortID{0, 1, 2}, []int{100, 101, 102, 103})
	r.punts = newPuntQueue(nil, 1<<16)
	r.failed = make(chan error, 1)
	r.Worker.failed = r.failed
	return r
}

// route leads prefix to a group of one adjacency.
func (r *rig) route(prefix string, adj Adjacency) {
	r.routeGroup(prefix, adj)
}

// routeGroup leads prefix to a group of equal legs.
func (r *rig) routeGroup(prefix string, adjs ...Adjacency) {
	r.tb.Helper()
	var legs []fib.Leg
	for _, adj := range adjs {
		r.fib.Adjacencies.Set(r.next, adj)
		legs = append(legs, fib.Leg{NextHop: r.next, Weight: 1})
		r.next++
	}
	g, err := fib.NewGroup(legs)
	if err != nil {
		r.tb.Fatal(err)
	}
	id, err := r.fib.Groups.Add(g)
	if err != nil {
		r.tb.Fatal(err)
	}
	if err := r.fib.Routes.Add(netip.MustParsePrefix(prefix), id); err != nil {
		r.tb.Fatal(err)
	}
}

// via is an adjacency by port, to a host named by the last byte of its MAC.
func via(port PortID, host byte) Adjacency {
	return Adjacency{Rewrite: header(host, byte(port)), Port: port, MTU: 1500}
}

func header(to, from byte) [14]byte {
	return [14]byte{2, 0, 0, 0, 1, to, 2, 0, 0, 0, 2, from, 0x86, 0xdd}
}

// rewritten is what a frame looks like when it leaves by adj.
func rewritten(frame []byte, adj Adjacency) []byte {
	out := slices.Clone(frame)
	copy(out, adj.Rewrite[:])
	out[14+7]--
	return out
}

// pass delivers frames on port 0, works until nothing is left to do, and
// returns what left by each port and what was punted.
func (r *rig) pass(frames ...[]byte) (out [3][][]byte, punted [][]byte) {
	r.tb.Helper()
	if n := r.rings.End(0).Deliver(frames...); n != len(frames) {
		r.tb.Fatalf("delivered %d of %d frames", n, len(frames))
	}
	for r.Round() {
		for p := range out {
			out[p] = append(out[p], r.rings.End(p).Collect()...)
		}
	}
	for p := range out {
		out[p] = append(out[p], r.rings.End(p).Collect()...)
	}
	r.Round() // reaps what was collected last
	r.punts.drain(func(ifindex int, frame []byte) {
		if ifindex != ifindexOf(0) {
			r.tb.Errorf("punted to interface %d, want %d", ifindex, ifindexOf(0))
		}
		punted = append(punted, slices.Clone(frame))
	})
	return out, punted
}

func TestLine(t *testing.T) {
	good := via(1, 7)
	tests := []struct {
		name  string
		frame []byte
		want  Reason
	}{
		{"plain", frame(), Forward},
		{"hop limit 2", frame(hopLimit(2)), Forward},
		{"hop limit 255", frame(hopLimit(255)), Forward},
		{"as large as the MTU", frame(size(1500)), Forward},
		{"smallest", frame(size(40)), Forward},
		{"through the default route", frame(dst("2600::1")), Forward},

		{"truncated", frame(payloadLen(65)), DropTruncated},
		{"port without sockets", frame(dst("2001:db8:1::1")), DropTxPort},

		{"not IPv6", frame(version(4)), PuntHeader},
		{"multicast", frame(dst("ff0e::1")), PuntSpecial},
		{"hop-by-hop options", frame(nextHeader(0)), PuntHopByHop},
		{"local", frame(dst("2001:db8:2::1")), PuntLocal},
		{"local with hop limit 1", frame(dst("2001:db8:2::1"), hopLimit(1)), PuntLocal},
		{"hop limit 1", frame(hopLimit(1)), PuntHopLimit},
		{"hop limit 0", frame(hopLimit(0)), PuntHopLimit},
		{"hop limit 1 and too big", frame(hopLimit(1), size(1501)), PuntHopLimit},
		{"one byte over the MTU", frame(size(1501)), PuntTooBig},
		{"no route", frame(dst("2001:db8:9::1")), PuntNoRoute},
		{"route that the kernel understands", frame(dst("2001:db8:3::1")), PuntRoute},
		{"on-link, not resolved", frame(dst("2001:db8:4::1")), PuntGlean},
		{"gateway not resolved", frame(dst("2001:db8:5::1")), PuntNeighbor},
		{"egress is no port", frame(dst("2001:db8:6::1")), PuntEgress},
		{"leaves by the way it came", frame(dst("2001:db8:7::1")), PuntRedirect},
	}
	seen := map[Reason]bool{}
	for _, tt := range tests {
		seen[tt.want] = true
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, xdp.SocketConfig{})
			r.route("2001:db8:b::/48", good)
			r.route("2600::/12", good)
			r.route("2001:db8:1::/48", via(3, 7))
			r.route("2001:db8:2::1/128", Adjacency{Reason: PuntLocal})
			r.route("2001:db8:3::/48", Adjacency{Reason: PuntRoute})
			r.route("2001:db8:4::/64", Adjacency{Reason: PuntGlean})
			r.route("2001:db8:5::/64", Adjacency{Reason: PuntNeighbor})
			r.route("2001:db8:6::/64", Adjacency{Reason: PuntEgress})
			r.route("2001:db8:7::/64", via(0, 8))

			out, punted := r.pass(tt.frame)
			var wantOut, wantPunted [][]byte
			if tt.want == Forward {
				wantOut = [][]byte{rewritten(tt.frame, good)}
			}
			if tt.want.Punted() {
				wantPunted = [][]byte{tt.frame}
			}
			equal(t, "sent by port 0", out[0], nil)
			equal(t, "sent by port 1", out[1], wantOut)
			equal(t, "sent by port 2", out[2], nil)
			equal(t, "punted", punted, wantPunted)
			for reason, n := range r.count.reasons {
				if want := Reason(reason) == tt.want; (n == 1) != want || n > 1 {
					t.Errorf("counted %v %d times", Reason(reason), n)
				}
			}
			r.audit()
		})
	}
	// Every reason that a packet alone can bring about has a row.
	for reason := range NumReasons {
		needsLoad := slices.Contains([]Reason{DropTxFull, DropPuntFull, DropPuntError}, reason)
		if !seen[reason] && !needsLoad {
			t.Errorf("no test for %v", reason)
		}
	}
}

func equal(t *testing.T, what string, got, want [][]byte) {
	t.Helper()
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%s: got %x, want %x", what, got, want)
	}
}

// audit fails unless every frame is where it belongs: in the fill ring or free.
func (r *rig) audit() {
	r.tb.Helper()
	if err := r.rings.Audit(); err != nil {
		r.tb.Error(err)
	}
}

// TestOrder: a batch for two ports leaves by each in the order it came.
func TestOrder(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{})
	one, two := via(1, 1), via(2, 2)
	r.route("2001:db8:1::/48", one)
	r.route("2001:db8:2::/48", two)
	var frames [][]byte
	var want [3][][]byte
	for i := range 200 {
		if i%3 == 0 {
			frames = append(frames, frame(dst("2001:db8:2::1"), size(64+i)))
			want[2] = append(want[2], rewritten(frames[i], two))
		} else {
			frames = append(frames, frame(dst("2001:db8:1::1"), size(64+i)))
			want[1] = append(want[1], rewritten(frames[i], one))
		}
	}
	out, punted := r.pass(frames...)
	for p := range out {
		equal(t, "sent", out[p], want[p])
	}
	if len(punted) > 0 {
		t.Errorf("%d punted", len(punted))
	}
	r.audit()
	r.shown.publish(&r.count)
	var s Stats
	s.Ports = make([]PortStats, 4)
	r.shown.addTo(&s)
	if got := s.Ports[0].RxPackets; got != 200 {
		t.Errorf("port 0 received %d", got)
	}
	if got, want := s.Ports[1].TxPackets+s.Ports[2].TxPackets, s.Reasons[Forward]; got != 200 || want != 200 {
		t.Errorf("sent %d, forwarded %d, want 200", got, want)
	}
	if got, want := s.Ports[1].TxBytes+s.Ports[2].TxBytes, s.Ports[0].RxBytes; got != want {
		t.Errorf("sent %d bytes of %d", got, want)
	}
}

// TestPieces forwards frames longer than a chunk, padded and not, in place.
func TestPieces(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{MultiBuffer: true})
	adj := via(1, 1)
	adj.MTU = 9000
	r.route("::/0", adj)
	for _, n := range []int{1500, 1778, 1779, 3570, 8999, 9000} {
		for _, padding := range []int{0, 1, 4} {
			whole := frame(size(n))
			out, _ := r.pass(frame(size(n), pad(padding)))
			equal(t, "sent", out[1], [][]byte{rewritten(whole, adj)})
		}
	}
	big := frame(size(9001))
	if _, punted := r.pass(big); len(punted) != 1 || !bytes.Equal(punted[0], big) {
		t.Errorf("too big: punted %d", len(punted))
	}
	r.audit()
}

// TestTxFull: what a full TX ring does not take is counted and freed, and the
// worker goes on when there is room again.
func TestTxFull(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{RingSize: 64})
	r.route("::/0", via(1, 1))
	f := frame()
	for range 3 {
		for range 40 {
			r.rings.End(0).Deliver(f)
		}
		for r.Round() {
		}
	}
	if sent, full := r.count.reasons[Forward], r.count.reasons[DropTxFull]; sent != 64 || full != 56 {
		t.Errorf("forwarded %d, dropped %d, want 64 and 56", sent, full)
	}
	if got := r.count.ports[1].txPackets; got != 64 {
		t.Errorf("port sent %d packets, want 64", got)
	}
	if got := len(r.rings.End(1).Collect()); got != 64 {
		t.Errorf("%d frames on the ring", got)
	}
	out, _ := r.pass(f, f)
	if len(out[1]) != 2 {
		t.Errorf("after the jam %d of 2 frames are sent", len(out[1]))
	}
	r.audit()
}

// TestPuntFull: a flood of packets for the kernel fills the queue, no more.
func TestPuntFull(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{})
	f := frame()
	for range 3 * puntSlots / 64 {
		for range 64 {
			r.rings.End(0).Deliver(f)
		}
		for r.Round() {
		}
	}
	if punted, full := r.count.reasons[PuntNoRoute], r.count.reasons[DropPuntFull]; punted != puntSlots || full != 2*puntSlots {
		t.Errorf("punted %d, dropped %d, want %d and %d", punted, full, puntSlots, 2*puntSlots)
	}
	n := 0
	r.punts.drain(func(int, []byte) { n++ })
	if n != puntSlots {
		t.Errorf("%d in the queue", n)
	}
	r.audit()
}

// TestGone: a port whose device goes is reported once; the others go on.
func TestGone(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{})
	r.route("2001:db8:1::/48", via(1, 1))
	r.route("2001:db8:2::/48", via(2, 2))
	r.rings.End(1).Remove()
	r.rings.End(0).Deliver(frame(dst("2001:db8:1::1")))
	for r.Round() {
	}
	select {
	case <-r.failed:
	default:
		t.Error("not reported")
	}
	if out, _ := r.pass(frame(dst("2001:db8:2::1"))); len(out[2]) != 1 {
		t.Errorf("%d frames sent by the other port", len(out[2]))
	}
	if len(r.failed) != 0 {
		t.Error("reported twice")
	}
}

// TestGroup: one flow takes one leg, many flows take all.
func TestGroup(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{})
	r.routeGroup("::/0", via(1, 1), via(2, 2))
	same, _ := r.pass(frame(), frame(), frame(), frame())
	if n, m := len(same[1]), len(same[2]); n*m != 0 || n+m != 4 {
		t.Errorf("one flow went %d times by one leg, %d by the other", n, m)
	}
	var flows [][]byte
	for i := range 200 {
		flows = append(flows, frame(dst(netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 15: byte(i)}).String())))
	}
	many, _ := r.pass(flows...)
	if n, m := len(many[1]), len(many[2]); n < 60 || m < 60 || n+m != 200 {
		t.Errorf("200 flows took the legs %d and %d times", n, m)
	}
}

// TestUsed: the controller learns which next hops are in use, resolved or not.
func TestUsed(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{})
	r.route("2001:db8:1::/48", via(1, 1))
	r.route("2001:db8:2::/48", Adjacency{Reason: PuntNeighbor})
	r.route("2001:db8:3::/48", via(1, 3))
	r.pass(frame(dst("2001:db8:1::1")), frame(dst("2001:db8:2::1")))
	for id, want := range map[fib.NextHopID]bool{1: true, 2: true, 3: false} {
		r.fib.Adjacencies.Set(id, *r.fib.Adjacencies.Get(id)) // a change keeps the mark
		if got := r.fib.Adjacencies.TakeUsed(id); got != want {
			t.Errorf("next hop %d used = %v, want %v", id, got, want)
		}
		if r.fib.Adjacencies.TakeUsed(id) {
			t.Errorf("next hop %d is used a second time", id)
		}
	}
}

// TestProbe: a port whose sender leaves checksums undone is reported once.
func TestProbe(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{})
	partial := make(chan PortID, 3)
	r.partial = partial
	r.route("::/0", via(1, 1))
	bad := frame(size(60), hopLimit(9))
	copy(bad[14+40:], make([]byte, 20))
	// The sum of the pseudo-header: lengths and next header, then addresses.
	s := uint32(20 + 17)
	for i := 22; i < 54; i += 2 {
		s += uint32(bad[i])<<8 | uint32(bad[i+1])
	}
	s = s>>16 + s&0xffff
	bad[14+40+6], bad[14+40+7] = byte(s>>8), byte(s)
	good := frame()
	r.pass(good, good)
	if len(partial) != 0 {
		t.Error("reported for packets that are in order")
	}
	r.pass(good, bad, bad)
	r.pass(bad)
	if len(partial) != 1 || <-partial != 0 {
		t.Errorf("not reported once for port 0: %d", len(partial))
	}
}

// TestNoAllocation: a round allocates nothing, whatever the packets are.
func TestNoAllocation(t *testing.T) {
	r := newRig(t, xdp.SocketConfig{MultiBuffer: true})
	r.route("2001:db8:1::/48", via(1, 1))
	r.routeGroup("2001:db8:2::/48", via(1, 1), via(2, 2))
	frames := [][]byte{
		frame(dst("2001:db8:1::1")), frame(dst("2001:db8:2::1")), frame(dst("2001:db8:3::1")), frame(hopLimit(1)),
		frame(pad(9)), frame(dst("2001:db8:1::1"), size(4000), pad(1)), frame(version(5)), frame(payloadLen(3000)),
	}
	nothing := func(int, []byte) {}
	allocs := testing.AllocsPerRun(1000, func() {
		for _, f := range frames {
			r.rings.End(0).Deliver(f)
		}
		r.Round()
		for p := range 3 {
			r.rings.End(p).Discard()
		}
		r.punts.drain(nothing)
	})
	if allocs != 0 {
		t.Errorf("%v allocations a round", allocs)
	}
	r.Round()
	r.audit()
}

// FuzzLine sends anything down the line: whatever it is, it is counted once,
// and no frame is lost or used twice.
func FuzzLine(f *testing.F) {
	f.Add(frame(), uint16(1500))
	f.Add(frame(dst("2001:db8:1::1"), size(1600)), uint16(40))
	f.Add(frame(nextHeader(0)), uint16(9000))
	f.Add(frame(cut(30)), uint16(1280))
	r := newRig(f, xdp.SocketConfig{MultiBuffer: true})
	r.route("::/0", via(1, 1))
	f.Fuzz(func(t *testing.T, data []byte, mtu uint16) {
		if len(data) == 0 || len(data) > 60000 {
			return
		}
		r.tb = t
		adj := via(1, 1)
		adj.MTU = uint32(mtu)
		r.fib.Adjacencies.Set(1, adj)
		before := r.count.reasons
		out, punted := r.pass(data)
		counted := uint64(0)
		for i, n := range r.count.reasons {
			counted += n - before[i]
		}
		if counted != 1 || len(out[1])+len(punted) > 1 {
			t.Fatalf("counted %d times, sent %d, punted %d", counted, len(out[1]), len(punted))
		}
		for _, sent := range out[1] {
			if len(sent)-14 > int(mtu) || !bytes.Equal(sent[22:], data[22:len(sent)]) || sent[21] != data[21]-1 {
				t.Fatalf("sent %x for %x", sent, data)
			}
		}
		for _, p := range punted {
			if !bytes.HasPrefix(data, p) {
				t.Fatalf("punted %x for %x", p, data)
			}
		}
		r.audit()
	})
}
