package xdp

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// AttachMode says where in the kernel the XDP program is to run.
type AttachMode uint8

// Attach modes.
const (
	AttachAuto    AttachMode = iota // native where the driver can, else generic
	AttachNative                    // in the driver, or an error
	AttachGeneric                   // behind the driver: every driver can, slowly
)

var attachModes = [...]string{AttachAuto: "auto", AttachNative: "native", AttachGeneric: "generic"}

// String is the mode's name.
func (m AttachMode) String() string { return attachModes[m] }

// ParseAttachMode is the inverse of String.
func ParseAttachMode(name string) (AttachMode, error) {
	for m, n := range attachModes {
		if n == name {
			return AttachMode(m), nil
		}
	}
	return 0, fmt.Errorf("XDP mode %q: must be auto, native or generic", name)
}

// ErrAlreadyAttached matches the error of attaching to a port that has an XDP
// program.
var ErrAlreadyAttached = errors.New("port has another XDP program")

// attach attaches the loaded program in the first mode that works.
func (p *Program) attach() error {
	if p.cfg.Mode == AttachGeneric {
		return p.attachGeneric()
	}
	native := p.attachNative()
	if native == nil || p.cfg.Mode == AttachNative || !errors.Is(native, ErrNotSupported) {
		return native
	}
	p.fellBack = native
	if err := p.attachGeneric(); err != nil {
		return fmt.Errorf("%w; %w", native, err)
	}
	return nil
}

// attachNative prefers the program that asks for VLAN tags.
func (p *Program) attachNative() error {
	err := p.loadAsking()
	if err == nil {
		err = p.attachAs(AttachNative, p.asking)
		if err == nil || !errors.Is(err, ErrNotSupported) {
			return err
		}
	}
	why := err
	if err := p.attachAs(AttachNative, p.objs.Plain); err != nil {
		return err
	}
	p.keepTags(why)
	return nil
}

// attachGeneric attaches the plain program: no other is allowed there.
func (p *Program) attachGeneric() error {
	if err := p.attachAs(AttachGeneric, p.objs.Plain); err != nil {
		return err
	}
	p.keepTags(errGenericTags)
	return nil
}

// The program of a process that was killed goes away a little after it.
const (
	remainsWait = time.Second
	remainsPoll = 10 * time.Millisecond
)

// attachAs attaches a program in one mode. It waits for the remains of another
// fwd6.
func (p *Program) attachAs(mode AttachMode, program *ebpf.Program) error {
	p.setMode(mode)
	deadline := time.Now().Add(remainsWait)
	for {
		err := p.attachOnce(mode, program)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EEXIST) {
			return attachError(p.cfg.Ifindex, mode, err)
		}
		other := findHolder(p.cfg.Ifindex)
		if !other.mayBeFwd6() || time.Now().After(deadline) {
			return other.refuse(p.cfg.Name)
		}
		time.Sleep(remainsPoll)
	}
}

func (p *Program) attachOnce(mode AttachMode, program *ebpf.Program) error {
	flags := link.XDPDriverMode
	if mode == AttachGeneric {
		flags = link.XDPGenericMode
	}
	l, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: p.cfg.Ifindex, Flags: flags})
	if err == nil {
		p.link = l
	}
	return err
}

// setMode tells the program and injectors, before it runs, in which mode it is.
func (p *Program) setMode(mode AttachMode) {
	p.mode = mode
	generic := mode == AttachGeneric
	if generic {
		p.port.At(0).Or(portGeneric)
	}
	p.steering.setGeneric(p.cfg.Ifindex, generic)
}

// attachError says what the kernel means. What another mode might cure matches
// ErrNotSupported.
func attachError(ifindex int, mode AttachMode, err error) error {
	var cause syscall.Errno
	if !errors.As(err, &cause) {
		return err
	}
	switch cause {
	case syscall.EPERM:
		return withAdvice(cause)
	case syscall.ERANGE:
		return fmt.Errorf("%v mode %w by the driver at this MTU (%w)", mode, ErrNotSupported, cause)
	}
	if _, err := sys.LinkByIndex(ifindex); errors.Is(err, sys.ErrNoLink) {
		return ErrGone
	}
	return fmt.Errorf("%v mode %w by the driver (%w)", mode, ErrNotSupported, cause)
}

// withAdvice adds to an error of loading what to do about it.
func withAdvice(err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w: run as root, or with CAP_BPF and CAP_NET_ADMIN", err)
	}
	return err
}

// holder is the XDP program that a port has.
type holder struct {
	id   uint32
	name string // "" if it cannot be found out (that takes CAP_SYS_ADMIN)
	mode string
}

func findHolder(ifindex int) holder {
	l, err := sys.LinkByIndex(ifindex)
	if err != nil {
		return holder{}
	}
	h := holder{id: l.XDP.Program, mode: l.XDP.Mode}
	program, err := ebpf.NewProgramFromID(ebpf.ProgramID(h.id))
	if err != nil {
		return h
	}
	defer program.Close()
	if info, err := program.Info(); err == nil {
		h.name = info.Name
	}
	return h
}

// mayBeFwd6 says whether waiting makes sense.
func (h holder) mayBeFwd6() bool { return h.name == "" || h.name == sortProgFwd6Sort }

// refuse is the error that names the program and says what to do.
func (h holder) refuse(port string) error {
	if h.name == sortProgFwd6Sort {
		return fmt.Errorf("%w: that of another fwd6 (%s, id %d, %s mode); stop that one first",
			ErrAlreadyAttached, h.name, h.id, h.mode)
	}
	name := h.name
	if name == "" {
		name = "name unknown"
	}
	return fmt.Errorf("%w: %s (id %d, %s mode); stop what attached it, or detach it with \"ip link set dev %s xdp off\"",
		ErrAlreadyAttached, name, h.id, h.mode, port)
}
