package xdp

import (
	"fmt"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// MissingPrivileges names the capabilities that forwarding needs and the
// process has not, one by one, with what each is for. None are missing if the
// list is empty.
func MissingPrivileges() []string {
	have, err := sys.EffectiveCapabilities()
	if err != nil {
		return []string{err.Error()}
	}
	limit, limited, err := sys.LockedMemoryLimit()
	if err != nil {
		return []string{err.Error()}
	}
	return missing(have, limit, limited)
}

func missing(have sys.Capabilities, lockedLimit uint64, limited bool) []string {
	var names []string
	for _, need := range []struct {
		capability int
		name       string
	}{
		{sys.CapNetAdmin, "CAP_NET_ADMIN (to attach XDP programs and to follow neighbors)"},
		{sys.CapNetRaw, "CAP_NET_RAW (to open AF_XDP sockets)"},
	} {
		if !have.Has(need.capability) {
			names = append(names, need.name)
		}
	}
	// CAP_SYS_ADMIN includes it, and was what it took before Linux 5.8.
	if !have.Has(sys.CapBPF) && !have.Has(sys.CapSysAdmin) {
		names = append(names, "CAP_BPF (to load BPF programs)")
	}
	if limited && !have.Has(sys.CapIPCLock) {
		names = append(names, fmt.Sprintf("CAP_IPC_LOCK (to lock the frames' memory; or raise RLIMIT_MEMLOCK, now %d KiB)", lockedLimit>>10))
	}
	return names
}
