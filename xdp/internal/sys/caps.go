package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// Capabilities that parts of fwd6 need.
const (
	CapNetAdmin = unix.CAP_NET_ADMIN
	CapNetRaw   = unix.CAP_NET_RAW
	CapIPCLock  = unix.CAP_IPC_LOCK
	CapSysAdmin = unix.CAP_SYS_ADMIN
	CapBPF      = unix.CAP_BPF
)

// Capabilities is a set of capabilities, by number.
type Capabilities uint64

// Has says whether the set contains a capability (Cap…).
func (c Capabilities) Has(capability int) bool { return c>>capability&1 != 0 }

// EffectiveCapabilities are those of the calling thread.
func EffectiveCapabilities() (Capabilities, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, os.NewSyscallError("capget", err)
	}
	return Capabilities(data[1].Effective)<<32 | Capabilities(data[0].Effective), nil
}

// LockedMemoryLimit is RLIMIT_MEMLOCK in bytes, and whether there is one.
func LockedMemoryLimit() (bytes uint64, limited bool, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return 0, false, os.NewSyscallError("getrlimit", err)
	}
	return limit.Cur, limit.Cur != unix.RLIM_INFINITY, nil
}
