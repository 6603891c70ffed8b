package rtnl

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
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
