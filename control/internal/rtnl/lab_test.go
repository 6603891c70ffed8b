package rtnl

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// inNamespace moves the test, and what it starts, into a network namespace of
// its own. It has no name and goes with the test's thread.
//
// Without privilege the test is skipped, or fails if the environment promises
// privilege.
func inNamespace(tb testing.TB) {
	tb.Helper()
	runtime.LockOSThread() // and never unlocks: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		if os.Getenv("FWD6_PRIVILEGED") == "1" || os.Getenv("CI") == "true" {
			tb.Fatalf("make a network namespace: %v", err)
		}
		tb.Skipf("make a network namespace: %v (needs CAP_SYS_ADMIN)", err)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		if os.Getenv("FWD6_PRIVILEGED") == "1" {
			tb.Fatal(err)
		}
		tb.Skipf("%v: the test makes its changes with iproute2", err)
	}
}

// pair is what every test starts from: two ends of a cable, with ifindexes and
// MACs that do not depend on chance, and no traffic but ours.
var pair = []string{
	"sysctl net.ipv6.conf.default.accept_dad=0",
	"sysctl net.ipv6.conf.default.router_solicitations=0",
	"ip link set lo up",
	"ip link add name rt0 index 10 address 02:00:00:00:00:10 type veth peer name rt1 index 11 address 02:00:00:00:00:11",
	"ip link set rt0 up",
	"ip link set rt1 up",
	"ip -6 addr add 2001:db8:10::1/64 dev rt0 nodad",
	"ip -6 addr add 2001:db8:11::1/64 dev rt1 nodad",
}

// makePair makes the pair and waits for the kernel to be done: it adds the routes
// of addresses some time after these.
func makePair(tb testing.TB) {
	tb.Helper()
	s := listen(tb, subscribeBuffer)
	defer s.Close()
	run(tb, pair...)
	discard(tb, s)
}

// run executes commands in the test's namespace. "sysctl NAME=VALUE" needs no
// program: the file is opened by this thread, whose namespace decides.
func run(tb testing.TB, commands ...string) {
	tb.Helper()
	for _, c := range commands {
		if setting, ok := strings.CutPrefix(c, "sysctl "); ok {
			name, value, _ := strings.Cut(setting, "=")
			path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
			if err := os.WriteFile(path, []byte(value), 0); err != nil {
				tb.Fatalf("%s: %v", c, err)
			}
			continue
		}
		words := strings.Fields(c)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			tb.Fatalf("%s: %v: %s", c, err, out)
		}
	}
}

// A neighborhood is a second namespace, which answers what the first one asks.
type neighborhood struct {
	thread int // any thread in it, as ip-link(8) wants it
	work   chan func()
}

// newNeighborhood makes one that lasts as long as the test.
func newNeighborhood(tb testing.TB) *neighborhood {
	tb.Helper()
	n := &neighborhood{work: make(chan func())}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks
		n.thread = unix.Gettid()
		started <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range n.work {
			f()
		}
	}()
	if err := <-started; err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { close(n.work) })
	return n
}

func (n *neighborhood) run(tb testing.TB, commands ...string) {
	tb.Helper()
	var wait sync.WaitGroup
	wait.Add(1)
	n.work <- func() {
		defer wait.Done() // even if run ends this goroutine
		run(tb, commands...)
	}
	wait.Wait()
}

// batch executes commands of ip -6, which are too many to start it for each.
func batch(tb testing.TB, commands []string) {
	tb.Helper()
	ip := exec.Command("ip", "-6", "-batch", "-")
	ip.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := ip.CombinedOutput(); err != nil {
		tb.Fatalf("ip -batch: %v: %s", err, out)
	}
}

// many makes n commands, of which each has its number in hexadecimal.
func many(n int, format string) []string {
	commands := make([]string, n)
	for i := range commands {
		commands[i] = fmt.Sprintf(format, i+1)
	}
	return commands
}

func dial(tb testing.TB) *Conn {
	tb.Helper()
	c, err := Dial()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}
