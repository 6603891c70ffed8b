package dataplane

import (
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

func TestCountWorkers(t *testing.T) {
	tests := []struct {
		name       string
		ports      []*port
		cpus, want int
		get        int // 0: an error
	}{
		{"processors", []*port{{queues: 8, sends: 8}}, 4, 0, 4},
		{"smallest port", []*port{{queues: 8, sends: 8}, {queues: 2, sends: 2}}, 4, 0, 2},
		{"fewer queues to send by", []*port{{queues: 4, sends: 1}, {queues: 4, sends: 4}}, 4, 0, 1},
		{"more queues to send by", []*port{{queues: 2, sends: 4}}, 4, 0, 2},
		{"as many as wanted", []*port{{queues: 4, sends: 4}}, 4, 3, 3},
		{"more wanted than queues to send by", []*port{{queues: 4, sends: 2}}, 4, 3, 0},
		{"fewer than none", []*port{{queues: 4, sends: 4}}, 4, -1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := (&Forwarder{ports: tt.ports}).countWorkers(tt.want, tt.cpus)
			if got != tt.get || (err != nil) != (tt.get == 0) {
				t.Errorf("countWorkers = %d, %v, want %d", got, err, tt.get)
			}
		})
	}
}

// The error says which option to change, and which port sets the limit.
func TestTooManyWorkers(t *testing.T) {
	tests := []struct {
		name  string
		ports []*port
		want  string
	}{
		{"processors", []*port{{queues: 8, sends: 8}}, "--workers 5: must be at least 1 and at most 4, the number of processors that fwd6 may use"},
		{"queues", []*port{{queues: 8, sends: 8}, {PortConfig: PortConfig{Name: "r1"}, queues: 1, sends: 1}},
			"--workers 5: must be at least 1 and at most 1, the number of queues that port r1 receives on"},
		{"queues to send by", []*port{{PortConfig: PortConfig{Name: "r0"}, queues: 8, sends: 3}},
			"--workers 5: must be at least 1 and at most 3, the number of queues that port r0 sends by"},
	}
	for _, tt := range tests {
		_, err := (&Forwarder{ports: tt.ports}).countWorkers(5, 4)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: countWorkers = %v, want %s", tt.name, err, tt.want)
		}
	}
}

// TestReceiveOnly: what arrives on a queue that does not send leaves by one
// that does.
func TestReceiveOnly(t *testing.T) {
	rings := xdptest.NewRings(t, xdp.SocketConfig{}, 4)
	f := NewFIB()
	w := NewWorker(f, rings, []PortID{0, 0, 1, 1}, []int{100, 101})
	w.receiveOnly(1)
	w.receiveOnly(3)
	f.Adjacencies.Set(1, via(1, 7))
	g, err := fib.NewGroup([]fib.Leg{{NextHop: 1, Weight: 1}})
	if err != nil {
		t.Fatal(err)
	}
	id, err := f.Groups.Add(g)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Routes.Add(netip.MustParsePrefix("::/0"), id); err != nil {
		t.Fatal(err)
	}
	for _, s := range []int{0, 1} {
		rings.End(s).Deliver(frame(), frame())
		w.Round()
		if n := len(rings.End(2).Collect()); n != 2 {
			t.Errorf("received on socket %d: %d packets left by the queue that sends, want 2", s, n)
		}
		if n := len(rings.End(3).Collect()); n != 0 {
			t.Errorf("received on socket %d: %d packets left by the queue that does not send", s, n)
		}
	}
}

// TestRingSize: many queues do not take many times the memory.
func TestRingSize(t *testing.T) {
	tests := []struct {
		name   string
		queues []int
		want   int
	}{
		{"one queue each", []int{1, 1}, 8192},
		{"two queues each", []int{2, 2}, 8192},
		{"four queues each", []int{4, 4, 4}, 4096},
		{"sixteen queues each", []int{16, 16}, 2048},
		{"a thousand queues", []int{1024}, 2048},
		{"different ports", []int{1, 7}, 4096},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ports []*port
			for _, n := range tt.queues {
				ports = append(ports, &port{queues: n})
			}
			if got := ringSize(ports); got != tt.want {
				t.Errorf("ringSize = %d, want %d", got, tt.want)
			}
		})
	}
}
