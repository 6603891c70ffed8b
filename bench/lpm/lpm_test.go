package lpm_test

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fwd6/fwd6/bench/lpm"
	"github.com/fwd6/fwd6/bench/workload"
	"github.com/fwd6/fwd6/fib"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// oracle is the slow and obvious table.
type oracle map[netip.Prefix]fib.GroupID

func newOracle(routes []lpm.Route) oracle {
	o := make(oracle)
	for _, r := range routes {
		o[r.Prefix] = r.Group
	}
	return o
}

func (o oracle) lookup(a netip.Addr) fib.GroupID {
	for bits := 128; bits >= 0; bits-- {
		if g, ok := o[netip.PrefixFrom(a, bits).Masked()]; ok {
			return g
		}
	}
	return fib.NoRoute
}

// check compares a peer's answers in every mode that it has.
func check(t *testing.T, table lpm.Table, o oracle, addrs []netip.Addr) {
	t.Helper()
	reader, err := table.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	d := lpm.NewDestinations(addrs)
	for _, mode := range []lpm.Mode{lpm.Serial, lpm.Independent, 16, 64, 100} {
		out := make([]fib.GroupID, d.Len())
		elapsed, err := reader.Lookup(mode, d, out)
		if errors.Is(err, errors.ErrUnsupported) && mode > lpm.Independent {
			continue
		} else if err != nil {
			t.Fatalf("%v: %v", mode, err)
		}
		if elapsed < 0 {
			t.Errorf("%v took %v", mode, elapsed)
		}
		for i, got := range out {
			if want := o.lookup(addrs[i]); got != want {
				t.Fatalf("%v: Lookup(%v) = %d, want %d", mode, addrs[i], got, want)
			}
		}
	}
}

// installed are the peers that are on this machine. DPDK's need not be.
func installed(t *testing.T) []lpm.Peer {
	return slices.DeleteFunc(lpm.Peers(), func(p lpm.Peer) bool {
		if !strings.HasPrefix(p.Name, "dpdk") {
			return false
		}
		table, err := p.Open()
		if errors.Is(err, os.ErrNotExist) {
			t.Logf("not compared: %v", err)
			return true
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := table.Close(); err != nil {
			t.Error(err)
		}
		return false
	})
}

// open opens a peer's table, or skips without privilege as all tests do.
func open(t *testing.T, peer lpm.Peer) lpm.Table {
	t.Helper()
	if strings.HasPrefix(peer.Name, "linux") {
		xdptest.Privileged(t)
	}
	table, err := peer.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	})
	return table
}

func tables(t *testing.T) map[string][]netip.Prefix {
	spread, err := workload.Spread(2000, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := workload.Hosts(2000, 1)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]netip.Prefix{
		"full": workload.Table(5000, 1), "spread": spread, "hosts": hosts, "empty": workload.Empty(),
	}
}

func TestPeersAgree(t *testing.T) {
	peers := installed(t)
	for name, prefixes := range tables(t) {
		routes := lpm.Routes(prefixes)
		o := newOracle(routes)
		var addrs []netip.Addr
		for _, load := range workload.Loads(prefixes, 1000, 1) {
			addrs = append(addrs, load.Addrs...)
		}
		for _, peer := range peers {
			t.Run(name+"/"+peer.Name, func(t *testing.T) {
				table := open(t, peer)
				if _, err := table.Build(routes); err != nil {
					t.Fatal(err)
				}
				check(t, table, o, addrs)
				// What the kernel takes is seen among all that it does besides,
				// so for a small table it may be anything.
				bytes := table.Bytes()
				if own := !strings.HasPrefix(peer.Name, "linux") && len(routes) > 1000; own && bytes < 4*len(routes) || bytes > 1<<32 {
					t.Errorf("%d routes take %d bytes", len(routes), bytes)
				}
			})
		}
	}
}

func TestPeersUpdate(t *testing.T) {
	prefixes := workload.Table(2000, 2)
	routes := lpm.Routes(prefixes)
	for _, peer := range installed(t) {
		t.Run(peer.Name, func(t *testing.T) {
			table := open(t, peer)
			if _, err := table.Build(routes); err != nil {
				t.Fatal(err)
			}
			o := newOracle(routes)
			r := rand.New(rand.NewPCG(1, 1))
			for i := range 1000 {
				p := prefixes[r.IntN(len(prefixes))]
				if i == 500 {
					p = netip.MustParsePrefix("::/0")
				}
				var err error
				if _, there := o[p]; there && i%2 == 0 {
					_, err = table.Remove(p)
					delete(o, p)
				} else {
					o[p] = fib.GroupID(i + 1)
					_, err = table.Set(lpm.Route{Prefix: p, Group: o[p]})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			check(t, table, o, workload.Hits(prefixes, 2000, 3))
		})
	}
}

// A peer that cannot run says so instead of answering.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, peer := range installed(t) {
		if seen[peer.Name] {
			t.Errorf("two peers are called %s", peer.Name)
		}
		seen[peer.Name] = true
	}
	if !strings.HasPrefix(lpm.Peers()[0].Name, "fwd6/") {
		t.Errorf("the first peer is %s, want fwd6", lpm.Peers()[0].Name)
	}
}
