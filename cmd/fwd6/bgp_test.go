package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fwd6/fwd6/control"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// A routing daemon in R learns routes over BGP from bird in B, and gives them
// to R's kernel, from which fwd6 has them:
//
//	A ─── fwd6, kernel ◀ daemon ◀─ BGP ─── bird
//	           R                            B
//
// bird has two tables of the same prefixes by different gateways. All of it is
// announced, withdrawn and changed while A sends to every prefix.

// announced is how many routes there are.
const announced = 1000

// Gateways of the two tables, and of the route that covers all prefixes.
const (
	gatewaysOfTable = 30
	coverGateway    = 100
)

var covered = prefix("2001:db8::/32")

// announcedPrefix is the i-th; all are within covered.
func announcedPrefix(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 4: byte(i >> 8), 5: byte(i)}), 48)
}

// gatewayOf is the gateway of the i-th prefix by table 0 or 1. It avoids the
// device that is no port of fwd6: every third gateway.
func gatewayOf(table, i int) int {
	return table*gatewaysOfTable + i%(gatewaysOfTable/3)*3 + i%2
}

// birdOfB is the configuration of the daemon that announces.
func birdOfB() string {
	var b strings.Builder
	b.WriteString(`router id 10.66.1.2;
protocol device { scan time 1; }
protocol bgp r {
	local fd66:1::2 as 65000;
	neighbor fd66:1::1 as 65000;
	direct;
	connect delay time 1;
	connect retry time 1;
	error wait time 1, 2;
	ipv6 { import none; export all; };
}
`)
	for table := range 2 {
		fmt.Fprintf(&b, "protocol static table%d {\n\tdisabled;\n\tipv6;\n", table)
		for i := range announced {
			via, _ := gateway(gatewayOf(table, i))
			fmt.Fprintf(&b, "\troute %v via %v;\n", announcedPrefix(i), via)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

const birdOfR = `router id 10.66.1.1;
protocol device { scan time 1; }
protocol direct { ipv6; }
protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; }
protocol bgp b {
	local fd66:1::1 as 65000;
	neighbor fd66:1::2 as 65000;
	direct;
	connect delay time 1;
	connect retry time 1;
	error wait time 1, 2;
	ipv6 { import all; export none; gateway recursive; };
}
`

const bgpdOfR = `router bgp 65000
 bgp router-id 10.66.1.1
 no bgp default ipv4-unicast
 neighbor fd66:1::2 remote-as 65000
 neighbor fd66:1::2 timers connect 1
 address-family ipv6 unicast
  neighbor fd66:1::2 activate
 exit-address-family
`

// frrDirs are where distributions put FRR's daemons.
var frrDirs = []string{"/usr/lib/frr", "/usr/libexec/frr"}

// installed finds a program, or skips the test where nothing was promised.
func installed(t *testing.T, name string, dirs ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	for _, dir := range dirs {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, name))
		}
	}
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true" || os.Getenv("FWD6_PRIVILEGED") == "1":
		t.Fatalf("needs %s: install it", name)
	}
	t.Skipf("needs %s: install it", name)
	return ""
}

// daemon runs a program in a namespace until the test ends.
func daemon(t *testing.T, ns *xdptest.Namespace, name string, args ...string) {
	t.Helper()
	cmd := ns.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(3*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, out.String())
		}
	})
}

// bird runs bird in a namespace and returns a way to command it.
func bird(t *testing.T, ns *xdptest.Namespace, config string) func(command ...string) error {
	t.Helper()
	path, birdc := installed(t, "bird"), installed(t, "birdc")
	dir := t.TempDir()
	conf, ctl := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "bird.ctl")
	if err := os.WriteFile(conf, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon(t, ns, path, "-f", "-c", conf, "-s", ctl)
	return func(command ...string) error {
		return eventually(5*time.Second, func() error {
			out, err := ns.Command(birdc, append([]string{"-s", ctl}, command...)...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("birdc %v: %w: %s", command, err, out)
			}
			return nil
		})
	}
}

// frr runs zebra and bgpd in a namespace.
func frr(t *testing.T, ns *xdptest.Namespace) {
	t.Helper()
	zebra, bgpd := installed(t, "zebra", frrDirs...), installed(t, "bgpd", frrDirs...)
	// The daemons run as a user of their own, who cannot see t.TempDir.
	dir, err := os.MkdirTemp("", "fwd6-frr-")
	if err := errors.Join(err, os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	common := []string{"-z", filepath.Join(dir, "zserv"), "--vty_socket", dir, "-P", "0", "--log", "stdout"}
	daemon(t, ns, zebra, append([]string{"-f", file("zebra.conf", "hostname r\n"), "-i", filepath.Join(dir, "zebra.pid")}, common...)...)
	if err := eventually(5*time.Second, func() error { _, err := os.Stat(filepath.Join(dir, "zserv")); return err }); err != nil {
		t.Fatal(err)
	}
	daemon(t, ns, bgpd, append([]string{"-f", file("bgpd.conf", bgpdOfR), "-i", filepath.Join(dir, "bgpd.pid"), "-l", "fd66:1::1"}, common...)...)
}

func TestBGPWithBIRD(t *testing.T) {
	testBGP(t, false, func(t *testing.T, ns *xdptest.Namespace) { bird(t, ns, birdOfR) })
}

// FRR gives the kernel next-hop objects and routes by them.
func TestBGPWithFRR(t *testing.T) { testBGP(t, true, frr) }

func testBGP(t *testing.T, objects bool, speaker func(*testing.T, *xdptest.Namespace)) {
	installed(t, "bird")
	w := newWorld(t, threeLinks)
	if err := errors.Join(addGateways(w), w.R.AddRoutes(w.through(covered, coverGateway))); err != nil {
		t.Fatal(err)
	}
	w.start(t, threePorts)
	command := bird(t, w.B, birdOfB())
	speaker(t, w.R)

	traffic := newBGPTraffic(w)
	stop := traffic.start()
	for _, change := range []struct {
		name     string
		commands [][]string
		table    int // whose gateways are then right; -1: none
	}{
		{"announced", [][]string{{"enable", "table0"}}, 0},
		{"withdrawn", [][]string{{"disable", "table0"}}, -1},
		{"announced again", [][]string{{"enable", "table0"}}, 0},
		{"withdrawn and announced by other gateways", [][]string{{"disable", "table0"}, {"enable", "table1"}}, 1},
		{"changed to the first gateways", [][]string{{"enable", "table0"}, {"disable", "table1"}}, 0},
		{"session lost", [][]string{{"disable", "r"}}, -1},
		{"session back", [][]string{{"enable", "r"}}, 0},
	} {
		for _, c := range change.commands {
			if err := command(c...); err != nil {
				t.Fatal(err)
			}
		}
		want := wantedTable(change.table)
		begun := time.Now()
		if err := eventually(30*time.Second, func() error { return w.kernelTableIs(want) }); err != nil {
			t.Fatalf("%s: the kernel's table: %v", change.name, err)
		}
		learnt, waited := time.Now(), w.waited()
		if err := eventually(10*followWithin, func() error { return w.fwd6TableIs(want) }); err != nil {
			t.Fatalf("%s: fwd6's table: %v", change.name, err)
		}
		if took := time.Since(learnt) - (w.waited() - waited); took > followWithin {
			t.Errorf("%s: fwd6's table is right %v after the kernel's, not counting the wait for a processor, want %v", change.name, took, followWithin)
		}
		t.Logf("%s: the kernel's table is right after %v, fwd6's %v later", change.name,
			learnt.Sub(begun).Round(time.Millisecond), time.Since(learnt).Round(time.Millisecond))
		traffic.converged(change.table)
		time.Sleep(200 * time.Millisecond)
		traffic.changing()
	}
	stop()
	traffic.judge(t)
	stats, err := w.fwd6.stats()
	left, err2 := w.fwd6.leftToKernel()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if sent := uint64(traffic.round) * announced; stats.Reasons[dataplane.Forward]+left < sent {
		t.Errorf("fwd6 forwarded %d of %d packets, and left %d to the kernel for want of a processor, want all", stats.Reasons[dataplane.Forward], sent, left)
	}
	if objects && w.objects == 0 {
		t.Error("the daemon uses no next-hop objects")
	}
}

// wantedTable is where the prefixes lead by a table of bird's.
func wantedTable(table int) map[netip.Prefix]hop {
	want := map[netip.Prefix]hop{}
	for i := range announced {
		if table >= 0 {
			via, host := gateway(gatewayOf(table, i))
			want[announcedPrefix(i)] = hop{via, peers[host]}
		}
	}
	return want
}

// kernelTableIs compares the kernel's routes inside the covered prefix.
func (w *world) kernelTableIs(want map[netip.Prefix]hop) error {
	routes, err := w.kernelRoutes()
	got := map[netip.Prefix]hop{}
	for _, r := range routes {
		if covered.Contains(r.dst.Addr()) && r.dst != covered {
			got[r.dst] = r.hop
		}
	}
	return errors.Join(err, sameTable(got, want))
}

// fwd6TableIs does so for fwd6's, which must forward by all of them.
func (w *world) fwd6TableIs(want map[netip.Prefix]hop) error {
	got := map[netip.Prefix]hop{}
	err := w.fwd6.client.Routes(context.Background(), func(r control.RouteInfo) error {
		if r.Table != syscall.RT_TABLE_MAIN || !covered.Contains(r.Dst.Addr()) || r.Dst == covered {
			return nil
		}
		if len(r.Legs) != 1 || r.Pass != xdp.Steered || r.Reason != dataplane.Forward || r.Legs[0].Reason != dataplane.Forward {
			return fmt.Errorf("%v is not forwarded: %+v", r.Dst, r)
		}
		if r.NextHop != 0 {
			w.objects++
		}
		got[r.Dst] = hop{r.Legs[0].Gateway, r.Legs[0].Dev}
		return nil
	})
	return errors.Join(err, sameTable(got, want))
}

func sameTable(got, want map[netip.Prefix]hop) error {
	for p, h := range want {
		if g, ok := got[p]; !ok || g != h {
			return fmt.Errorf("%d routes, want %d; %v leads to %v, want %v", len(got), len(want), p, g, h)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d routes, want %d", len(got), len(want))
	}
	return nil
}

// bgpTraffic sends to all prefixes and notes the gateways at which the packets
// arrive.
type bgpTraffic struct {
	w *world

	mu     sync.Mutex
	round  uint32
	truth  map[uint32]int      // of rounds sent while all was settled: the table
	arrive map[uint32]int      // packets
	wrong  map[string][]string // why: frames
	state  int                 // the table while all is settled, or unsettled
	err    error
}

const unsettled = -2

func newBGPTraffic(w *world) *bgpTraffic {
	return &bgpTraffic{w: w, truth: map[uint32]int{}, arrive: map[uint32]int{}, wrong: map[string][]string{}, state: unsettled}
}

func (b *bgpTraffic) converged(table int) { b.set(table) }
func (b *bgpTraffic) changing()           { b.set(unsettled) }

func (b *bgpTraffic) set(state int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state = state
}

// start sends a packet to each prefix every 50 ms, until stop is called.
func (b *bgpTraffic) start() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-quit:
				tick.Stop()
				time.Sleep(100 * time.Millisecond)
				b.note(b.take())
				return
			case <-tick.C:
				b.note(errors.Join(b.send(), b.take()))
			}
		}
	}()
	return func() { close(quit); <-done }
}

func (b *bgpTraffic) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = errors.Join(b.err, err)
}

func (b *bgpTraffic) send() error {
	b.mu.Lock()
	b.round++
	round, state := b.round, b.state
	b.mu.Unlock()
	for i := range announced {
		dst := announcedPrefix(i).Addr().As16()
		dst[15] = 1
		p := packet{dst: netip.AddrFrom16(dst), next: experiment, flow: round & 0xfffff, payload: pattern(8)}
		if err := b.w.senders["a0"].Send(fromHost("a0", p.bytes())); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.truth[round] = unsettled
	if b.state == state { // and was so meanwhile
		b.truth[round] = state
	}
	return nil
}

// take judges what has arrived.
func (b *bgpTraffic) take() error {
	for _, h := range b.w.hosts {
		frames, err := b.w.captures[h.Name].Take(0, 0)
		if err != nil {
			return err
		}
		for _, f := range frames {
			b.arrived(h.Name, f.Data)
		}
	}
	return nil
}

func (b *bgpTraffic) arrived(host string, frame []byte) {
	if len(frame) < ethernetLen+ip6Len || frame[20] != experiment {
		return // BGP itself
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i := int(frame[ethernetLen+28])<<8 | int(frame[ethernetLen+29])
	round := uint32(frame[15]&0xf)<<16 | uint32(frame[16])<<8 | uint32(frame[17])
	b.arrive[round]++
	allowed := []int{gatewayOf(0, i), gatewayOf(1, i), coverGateway}
	switch truth := b.truth[round]; {
	case truth >= 0:
		allowed = []int{gatewayOf(truth, i)}
	case truth == -1:
		allowed = []int{coverGateway}
	}
	if !slices.ContainsFunc(allowed, func(g int) bool {
		_, at := gateway(g)
		return at == host && bytes.Equal(frame[:6], gatewayMAC(g))
	}) {
		why := fmt.Sprintf("at %s, sent while the table was %d", host, b.truth[round])
		b.wrong[why] = append(b.wrong[why], describe(frame))
	}
}

// judge fails the test for packets that went wrong or were lost.
func (b *bgpTraffic) judge(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		t.Error(b.err)
	}
	for why, frames := range b.wrong {
		t.Errorf("%d packets arrived %s, the first: %s", len(frames), why, frames[0])
	}
	settled, lost := 0, 0
	for round := uint32(1); round <= b.round; round++ {
		if b.truth[round] != unsettled {
			settled++
		}
		lost += announced - b.arrive[round]
	}
	t.Logf("%d rounds of %d packets, %d of them while all was settled", b.round, announced, settled)
	if settled < 7 || lost != 0 {
		t.Errorf("%d rounds while all was settled and %d packets lost, want some and none", settled, lost)
	}
}
