package xdp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// A VLAN tag need not be among a frame's bytes: a device may take it out and
// hand it on beside them (rx-vlan-hw-parse), and what comes over a veth has it
// there if the sender left it to its device (tx-vlan-hw-insert). A program that
// looks at the bytes takes such a frame for an untagged one.
//
// So the program asks the driver. Where it cannot, the device is told to leave
// tags in the frames. Where that does not help, the user is told.

// vlanStripping are the features of a device that takes tags out of the frames
// that it receives: those of 802.1Q and of 802.1ad.
var vlanStripping = []string{"rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"}

// errGenericTags is why the program cannot ask in generic mode.
var errGenericTags = errors.New("generic mode does not tell")

// loadAsking loads the program that asks the driver for VLAN tags. It shares
// its maps with the plain one.
func (p *Program) loadAsking() error {
	tells, err := sys.TellsVLANTag(p.cfg.Ifindex)
	if err != nil {
		return err
	}
	if !tells {
		return errors.New("the driver does not tell")
	}
	spec, err := p.steering.spec()
	if err != nil {
		return err
	}
	program := spec.Programs[sortProgFwd6SortAsking]
	program.Name = sortProgFwd6Sort // by which another fwd6 knows it
	program.Ifindex = uint32(p.cfg.Ifindex)
	program.Flags |= sys.ProgXDPDevBound
	if !p.frags {
		program.Flags &^= sys.ProgXDPHasFrags
	}
	var loaded struct {
		Asking *ebpf.Program `ebpf:"fwd6_sort_asking"`
	}
	err = spec.LoadAndAssign(&loaded, &ebpf.CollectionOptions{
		MapReplacements: map[string]*ebpf.Map{
			sortMapCounters:   p.objs.Counters,
			sortMapHeartbeats: p.steering.heartbeats,
			sortMapLocal:      p.steering.local,
			sortMapPort:       p.objs.Port,
			sortMapQueues:     p.objs.Queues,
			sortMapSockets:    p.objs.Sockets,
		},
	})
	p.asking = loaded.Asking
	return err
}

// keepTags has VLAN tags stay in the frames, as far as can be. why is why the
// program cannot ask for those that do not.
func (p *Program) keepTags(why error) {
	driver, bus := "", ""
	l, err := sys.LinkByIndex(p.cfg.Ifindex)
	if err == nil {
		driver, bus, err = sys.EthtoolDriver(l.Name)
	}
	if err == nil {
		p.stripping, err = sys.StopFeatures(p.cfg.Ifindex, vlanStripping...)
	}
	advice := "keep tagged frames away from it"
	switch {
	case err != nil:
	case driver == "veth":
		advice = `at the other end of the link run "ethtool -K PEER tx-vlan-hw-insert off tx-vlan-stag-hw-insert off"`
	case len(p.stripping.Refused) > 0:
		err = fmt.Errorf("%s cannot be turned off", strings.Join(p.stripping.Refused, " and "))
	case bus != "":
		return // nothing but the wire is behind it
	}
	if err != nil {
		why = fmt.Errorf("%w, %w", why, err)
	}
	p.blind = fmt.Errorf("packets with a VLAN tag beside the frame would be forwarded without it (%w): %s", why, advice)
}

// restoreTags undoes keepTags. Until the program is detached, everything goes
// to the kernel; and it is not detached before, so that the next one, who may be
// waiting for that, does not find its own change undone.
func (p *Program) restoreTags() error {
	if p.stripping == nil {
		return nil
	}
	p.port.At(0).Or(portPassing)
	if err := p.stripping.Close(); err != nil {
		return fmt.Errorf("restore features: %w", err)
	}
	return nil
}
