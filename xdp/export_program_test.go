package xdp

import (
	"github.com/cilium/ebpf"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// Load is Attach without attaching: for BPF_PROG_TEST_RUN.
func (s *Steering) Load(cfg PortConfig, frags bool) (*Program, error) {
	p := &Program{cfg: cfg, steering: s}
	if err := p.loadObjects(frags); err != nil {
		return nil, err
	}
	return p, p.mapPort()
}

// Kernel is the loaded program.
func (p *Program) Kernel() *ebpf.Program { return p.objs.Plain }

// SetGeneric has the program believe that it is in generic mode.
func (p *Program) SetGeneric() { p.setMode(AttachGeneric) }

// How many bytes an Injector takes, and how many of them with the system call.
const (
	InjectorHead = headBytes
	InjectorMax  = maxInjected
)

// MissingPrivilegesOf is MissingPrivileges of a process with these capabilities.
func MissingPrivilegesOf(capabilities, lockedLimit uint64, limited bool) []string {
	return missing(sys.Capabilities(capabilities), lockedLimit, limited)
}

// AttachedProgram is the ID of the XDP program of a link, 0 if it has none.
func AttachedProgram(ifindex int) (uint32, error) {
	l, err := sys.LinkByIndex(ifindex)
	return l.XDP.Program, err
}

// LinkIndex is the ifindex of a link.
func LinkIndex(name string) (int, error) {
	l, err := sys.LinkByName(name)
	return l.Ifindex, err
}
