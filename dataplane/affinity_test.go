package dataplane

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Without CAP_SYS_NICE a worker is pinned all the same, and the error says what
// it takes.
func TestPinWithoutPrivilege(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NICE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur >= uint64(20-workerNice) {
		t.Skipf("RLIMIT_NICE is %d: no privilege is needed", limit.Cur)
	}
	cpus, err := allowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	var pinned unix.CPUSet
	done := make(chan error)
	go func() { // its thread ends with it, because it stays locked
		runtime.LockOSThread()
		err := dropCapability(unix.CAP_SYS_NICE)
		if err == nil {
			err = pin(cpus[0])
		}
		unix.SchedGetaffinity(0, &pinned)
		done <- err
	}()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "add CAP_SYS_NICE") {
		t.Errorf("pin = %v, want an error that names CAP_SYS_NICE", err)
	}
	if pinned.Count() != 1 || !pinned.IsSet(cpus[0]) {
		t.Errorf("the worker may run on %d processors, want processor %d alone", pinned.Count(), cpus[0])
	}
}

// dropCapability takes a capability from the calling thread.
func dropCapability(capability int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[capability/32].Effective &^= 1 << (capability % 32)
	return unix.Capset(&header, &data[0])
}
