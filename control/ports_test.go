package control

import (
	"reflect"
	"strings"
	"testing"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
)

func TestCheckPorts(t *testing.T) {
	m := NewMirror()
	var ch Change
	for _, l := range []*rtnl.Link{
		link(1), link(2), // r0 and s0
		{Ifindex: 5, Name: "lo", Flags: iffLoopback, Type: 772},
		{Ifindex: 6, Name: "tun0", Type: 65534},
	} {
		m.Apply(rtnl.Event{Object: l}, modelClock, &ch)
	}
	tests := []struct {
		names []string
		want  string
	}{
		{[]string{"r0", "s0"}, ""},
		{nil, "no ports"},
		{[]string{"r7"}, "port r7: no such interface; `ip link` lists those there are"},
		{[]string{"lo"}, "port lo: is the loopback interface"},
		{[]string{"r0", "tun0"}, "port tun0: is no Ethernet interface"},
		{[]string{"r0", "s0", "r0"}, "port r0: named twice"},
	}
	for _, tt := range tests {
		err := checkPorts(tt.names, m)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("checkPorts(%v) = %v, want %q", tt.names, err, tt.want)
		}
	}
	c := newOffline(Config{Ports: []string{"r9"}})
	if err := c.ports.start(); err == nil || !strings.Contains(err.Error(), "port r9: no such interface") {
		t.Errorf("start with a missing port = %v", err)
	}
	got := present([]string{"gone", "s0", "lo"}, m)
	want := []dataplane.PortConfig{{ID: 1, Name: "s0", Ifindex: 2, MAC: [6]byte{2, 2}, MTU: 1500}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("present = %+v, want %+v", got, want)
	}
}

func TestOutgrown(t *testing.T) {
	port := func(id dataplane.PortID, ifindex, mtu int, mac byte) dataplane.PortConfig {
		return dataplane.PortConfig{ID: id, Name: string(rune('a' + id)), Ifindex: ifindex, MTU: mtu, MAC: [6]byte{mac}}
	}
	a, b := port(0, 10, 1500, 1), port(1, 11, 1500, 1)
	tests := []struct {
		name      string
		open, now []dataplane.PortConfig
		want      string
	}{
		{"same", []dataplane.PortConfig{a, b}, []dataplane.PortConfig{a, b}, ""},
		{"other MAC, smaller MTU", []dataplane.PortConfig{a}, []dataplane.PortConfig{port(0, 10, 1400, 2)}, ""},
		{"larger MTU", []dataplane.PortConfig{a}, []dataplane.PortConfig{port(0, 10, 9000, 1)}, "the MTU of a grew from 1500 to 9000 bytes"},
		{"one gone", []dataplane.PortConfig{a, b}, []dataplane.PortConfig{b}, "a is gone"},
		{"one there", []dataplane.PortConfig{b}, []dataplane.PortConfig{a, b}, "a is there"},
		{"made again", []dataplane.PortConfig{a}, []dataplane.PortConfig{port(0, 12, 1500, 1)}, "a is another device now"},
		{"all gone", []dataplane.PortConfig{a, b}, nil, "a is gone; b is gone"},
	}
	for _, tt := range tests {
		if got := outgrown(tt.open, tt.now); got != tt.want {
			t.Errorf("%s: outgrown = %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Counters of Forwarders add up by port name and do not share memory.
func TestAddStats(t *testing.T) {
	a := dataplane.Stats{Ports: []dataplane.PortStats{{Name: "r0", RxPackets: 1, RxBytes: 2, Sorted: map[string]uint64{"steered": 3}}}}
	a.Reasons[dataplane.PuntLocal] = 4
	b := dataplane.Stats{Ports: []dataplane.PortStats{
		{Name: "r1", TxPackets: 5, TxBytes: 6}, {Name: "r0", RxPackets: 7, RxDropped: 8, Sorted: map[string]uint64{"steered": 9, "other": 10}},
	}}
	b.Reasons[dataplane.PuntLocal] = 11
	want := dataplane.Stats{Ports: []dataplane.PortStats{
		{Name: "r0", RxPackets: 8, RxBytes: 2, RxDropped: 8, Sorted: map[string]uint64{"steered": 12, "other": 10}},
		{Name: "r1", TxPackets: 5, TxBytes: 6, Sorted: map[string]uint64{}},
	}}
	want.Reasons[dataplane.PuntLocal] = 15
	if got := addStats(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("addStats = %+v, want %+v", got, want)
	}
	if a.Ports[0].Sorted["steered"] != 3 {
		t.Error("addStats changed what it added up")
	}
}
