package xdptest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// needed are the capabilities without which there is no lab.
var needed = []struct {
	name string
	bit  int
}{
	{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN},
	{"CAP_NET_RAW", unix.CAP_NET_RAW},
	{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN}, // unshare and setns
	{"CAP_BPF", unix.CAP_BPF},
}

// MissingPrivileges names the capabilities that the lab needs and the process
// does not have.
func MissingPrivileges() ([]string, error) {
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return nil, fmt.Errorf("read own capabilities: %w", err)
	}
	_, rest, _ := strings.Cut(string(status), "\nCapEff:\t")
	hex, _, _ := strings.Cut(rest, "\n")
	effective, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return nil, fmt.Errorf("read own capabilities: %w", err)
	}
	var missing []string
	for _, c := range needed {
		if effective>>c.bit&1 == 0 {
			missing = append(missing, c.name)
		}
	}
	return missing, nil
}

// Privileged skips the test with the reason if the process lacks a privilege
// that the lab needs. Where privilege was promised (FWD6_PRIVILEGED=1 or
// CI=true) it fails instead, so that no lane skips by accident.
func Privileged(tb testing.TB) {
	tb.Helper()
	missing, err := MissingPrivileges()
	if err != nil {
		tb.Fatal(err)
	}
	if len(missing) == 0 {
		return
	}
	if os.Getenv("FWD6_PRIVILEGED") == "1" || os.Getenv("CI") == "true" {
		tb.Fatalf("needs %s: run as root", strings.Join(missing, ", "))
	}
	tb.Skipf("needs %s: run as root", strings.Join(missing, ", "))
}
