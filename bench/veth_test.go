package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fwd6/fwd6/bench/traffic"
	"github.com/fwd6/fwd6/bench/workload"
	"github.com/fwd6/fwd6/xdp/xdptest"
)

// BenchmarkVeth forwards small frames between two veths: the kernel and fwd6
// with each backend, in turn, several times over, so that all of them see the
// same machine. It reports each one's medians: packets per second and CPU time
// per packet (of the whole machine but for making the packets) in a closed
// loop, in which nothing may be lost; packets per second that arrive when more
// are sent than can be forwarded; and both as multiples of the kernel's.
func BenchmarkVeth(b *testing.B) {
	for _, load := range []struct{ routes, destinations int }{
		{1, 1}, {100_000, 1_024}, {100_000, 1 << 18},
	} {
		b.Run(fmt.Sprintf("routes=%d/destinations=%d", load.routes, load.destinations), func(b *testing.B) {
			for range b.N { // one run is long enough: use -benchtime 1x
				compare(b, load.routes, load.destinations)
			}
		})
	}
}

// forwarders are what is compared: the arguments of fwd6, or none.
var forwarders = []struct {
	name string
	args []string
}{
	{"kernel", nil},
	{"shared", []string{"--backend", "shared"}},
	{"asavie", []string{"--backend", "asavie"}},
}

const (
	turns    = 5 // odd, so that there is a median
	turnTime = time.Second
)

func compare(b *testing.B, routes, destinations int) {
	lab := xdptest.NewLabWith(b, xdptest.Config{StaticNeighbors: true})
	prefixes := []netip.Prefix{netip.MustParsePrefix("2000::/3")}
	if routes > 1 {
		prefixes = workload.Table(routes, 1)
	}
	all := make([]xdptest.Route, len(prefixes))
	for i, p := range prefixes {
		all[i] = xdptest.Via(p, lab.R1)
	}
	if err := lab.R.AddRoutes(all...); err != nil {
		b.Fatal(err)
	}
	flood, err := traffic.Open(traffic.Config{
		From: lab.A0, To: lab.B0, Destinations: workload.Hits(prefixes, destinations, 1),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { flood.Close() })

	binary := build(b)
	closed, open, cpu := make([][]float64, len(forwarders)), make([][]float64, len(forwarders)), make([][]float64, len(forwarders))
	for range turns {
		for i, f := range forwarders {
			pid, stop := 0, func() {}
			if f.args != nil {
				pid, stop = start(b, lab, binary, f.args)
			}
			if err := flood.Beside(pid); err != nil {
				b.Fatal(err)
			}
			loop, err := flood.Loop(context.Background(), turnTime)
			if err != nil {
				b.Fatalf("%s: %v", f.name, err)
			}
			if loop.Lost() > 0 || loop.Wrong() > 0 {
				b.Fatalf("%s: lost %d, wrong %d", f.name, loop.Lost(), loop.Wrong())
			}
			overload, err := flood.Overload(context.Background(), turnTime)
			if err != nil {
				b.Fatalf("%s: %v", f.name, err)
			}
			stop()
			closed[i] = append(closed[i], loop.PerSecond()/1e6)
			open[i] = append(open[i], overload.PerSecond()/1e6)
			cpu[i] = append(cpu[i], float64(loop.CPUPerPacket().Nanoseconds()))
		}
	}
	for i, f := range forwarders {
		b.ReportMetric(median(closed[i]), f.name+"-Mpps")
		b.ReportMetric(median(cpu[i]), f.name+"-cpu-ns/packet")
		b.ReportMetric(median(open[i]), f.name+"-overloaded-Mpps")
		if i > 0 {
			b.ReportMetric(median(closed[i])/median(closed[0]), f.name+"/kernel")
			b.ReportMetric(median(open[i])/median(open[0]), f.name+"/kernel-overloaded")
		}
	}
	b.ReportMetric(0, "ns/op") // says nothing
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// build compiles fwd6.
func build(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "fwd6")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/fwd6").CombinedOutput(); err != nil {
		b.Fatalf("build fwd6: %v\n%s", err, out)
	}
	return binary
}

// start runs fwd6 in the lab's router and returns when it forwards.
func start(b *testing.B, lab *xdptest.Lab, binary string, args []string) (pid int, stop func()) {
	b.Helper()
	args = append([]string{"run", "--ports", "r0,r1", "--socket", filepath.Join(b.TempDir(), "socket")}, args...)
	cmd := lab.R.Command(binary, args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "ready") {
				ready <- true
				break
			}
		}
		io.Copy(io.Discard, stderr)
	}()
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		b.Fatal("fwd6 is not ready after 20 s")
	}
	return cmd.Process.Pid, func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			b.Errorf("fwd6 ended with %v", err)
		}
	}
}
