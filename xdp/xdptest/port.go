package xdptest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Port is one end of a veth pair. What comes out of a port is what its Peer
// receives, so to see it, capture on the peer.
//
// The fields do not change; any goroutine may call the methods.
type Port struct {
	Name    string
	NS      *Namespace
	Ifindex int
	MAC     net.HardwareAddr
	Addr    netip.Addr // its global address, in a /64
	Link    netip.Addr // its link-local address
	Peer    *Port
}

// Attributes that x/sys does not name.
const vethInfoPeer = 1 // VETH_INFO_PEER, linux/veth.h

// newLink joins two ports by a veth pair, gives both their addresses, sets them
// up, and waits until they carry packets.
//
// The ends have different indices: where they are the same, the kernel takes
// the link for one without a peer and may let a second pass before it is ready.
func newLink(a, b *Port, mtu, queues int) error {
	m := ifinfomsg(a.Ifindex, 0, 0)
	describe(&m, a, mtu, queues)
	m.nest(unix.IFLA_LINKINFO, func(m *message) {
		m.putString(unix.IFLA_INFO_KIND, "veth")
		m.nest(unix.IFLA_INFO_DATA, func(m *message) {
			peer := ifinfomsg(b.Ifindex, 0, 0)
			describe(&peer, b, mtu, queues)
			peer.putUint32(unix.IFLA_NET_NS_FD, uint32(b.NS.fd))
			m.put(vethInfoPeer|unix.NLA_F_NESTED, peer...)
		})
	})
	if err := a.NS.request(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, m); err != nil {
		return fmt.Errorf("make veth pair %s-%s: %w", a.Name, b.Name, err)
	}
	a.Peer, b.Peer = b, a
	for _, p := range []*Port{a, b} {
		if err := p.start(); err != nil {
			return err
		}
	}
	return errors.Join(a.waitReady(), b.waitReady())
}

// waitReady waits for what the kernel does behind the scenes: it gives the port
// its transmit queues, without which it drops what is sent, and routes packets
// for the port's addresses to the host itself.
func (p *Port) waitReady() error {
	return p.wait(func() (bool, error) {
		if up, err := p.operational(); !up || err != nil {
			return false, err
		}
		if local, err := p.local(p.Link); !local || err != nil {
			return false, err
		}
		return p.local(p.Addr)
	})
}

// wait waits until something about the port is so.
func (p *Port) wait(done func() (bool, error)) error {
	const within = 5 * time.Second
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if time.Since(start) > within {
			return fmt.Errorf("wait for %s to be ready: not after %v", p.Name, within)
		}
	}
}

// operational says whether the port is up and its peer, too.
func (p *Port) operational() (bool, error) {
	const operUp = 6 // IF_OPER_UP, linux/if.h
	attributes, err := p.NS.link(p.Ifindex)
	if err != nil {
		return false, err
	}
	state := attributes[unix.IFLA_OPERSTATE]
	return len(state) == 1 && state[0] == operUp, nil
}

// local says whether packets for an address of the port are for its host.
func (p *Port) local(a netip.Addr) (bool, error) {
	m := message{unix.AF_INET6, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	m.putAddr(unix.RTA_DST, a)
	m.putUint32(unix.RTA_OIF, uint32(p.Ifindex))
	answer, err := p.NS.ask(unix.RTM_GETROUTE, m)
	switch {
	case errors.Is(err, unix.ENETUNREACH):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("find the route to %v in namespace %s: %w", a, p.NS.Name, err)
	}
	return len(answer) > 7 && answer[7] == unix.RTN_LOCAL, nil
}

func describe(m *message, p *Port, mtu, queues int) {
	m.putString(unix.IFLA_IFNAME, p.Name)
	m.put(unix.IFLA_ADDRESS, p.MAC...)
	m.putUint32(unix.IFLA_MTU, uint32(mtu))
	m.putUint32(unix.IFLA_NUM_TX_QUEUES, uint32(queues))
	m.putUint32(unix.IFLA_NUM_RX_QUEUES, uint32(queues))
}

// start makes a fresh port ready: whole checksums, address, up.
func (p *Port) start() error {
	// A packet whose checksum the sender left to the device arrives without
	// one when a program moves it on, because a veth has no device to add it.
	if err := p.SetFeature("tx-checksum-ip-generic", false); err != nil {
		return err
	}
	if err := p.AddAddress(netip.PrefixFrom(p.Addr, 64)); err != nil {
		return err
	}
	return p.SetUp(true)
}

// SetUp sets the port up or down.
func (p *Port) SetUp(up bool) error {
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	m := ifinfomsg(p.Ifindex, flags, unix.IFF_UP)
	if err := p.NS.request(unix.RTM_NEWLINK, 0, m); err != nil {
		return fmt.Errorf("set %s up=%v: %w", p.Name, up, err)
	}
	return nil
}

// SetMTU sets the largest IPv6 packet of this end of the link, in bytes.
func (p *Port) SetMTU(mtu int) error {
	m := ifinfomsg(p.Ifindex, 0, 0)
	m.putUint32(unix.IFLA_MTU, uint32(mtu))
	if err := p.NS.request(unix.RTM_NEWLINK, 0, m); err != nil {
		return fmt.Errorf("set mtu of %s to %d: %w", p.Name, mtu, err)
	}
	return nil
}

// SetMAC changes the port's address. Port.MAC goes on naming the first one.
func (p *Port) SetMAC(mac net.HardwareAddr) error {
	m := ifinfomsg(p.Ifindex, 0, 0)
	m.put(unix.IFLA_ADDRESS, mac...)
	if err := p.NS.request(unix.RTM_NEWLINK, 0, m); err != nil {
		return fmt.Errorf("set address of %s to %v: %w", p.Name, mac, err)
	}
	return nil
}

// Delete removes the link, with the port at its other end.
func (p *Port) Delete() error {
	if err := p.NS.request(unix.RTM_DELLINK, 0, ifinfomsg(p.Ifindex, 0, 0)); err != nil {
		return fmt.Errorf("delete %s: %w", p.Name, err)
	}
	return nil
}

// AddAddress adds an address, without duplicate detection. If the port is up,
// the address is in use when AddAddress returns.
func (p *Port) AddAddress(a netip.Prefix) error {
	if err := p.address(unix.RTM_NEWADDR, netlink.Create|netlink.Excl, a); err != nil {
		return fmt.Errorf("add address %v to %s: %w", a, p.Name, err)
	}
	if up, err := p.operational(); !up || err != nil {
		return err
	}
	return p.wait(func() (bool, error) { return p.local(a.Addr()) })
}

// RemoveAddress takes an address away.
func (p *Port) RemoveAddress(a netip.Prefix) error {
	if err := p.address(unix.RTM_DELADDR, 0, a); err != nil {
		return fmt.Errorf("remove address %v from %s: %w", a, p.Name, err)
	}
	return nil
}

func (p *Port) address(typ int, flags netlink.HeaderFlags, a netip.Prefix) error {
	m := message{unix.AF_INET6, byte(a.Bits()), 0, unix.RT_SCOPE_UNIVERSE}
	m = binary.NativeEndian.AppendUint32(m, uint32(p.Ifindex))
	m.putAddr(unix.IFA_LOCAL, a.Addr())
	m.putUint32(unix.IFA_FLAGS, unix.IFA_F_NODAD)
	return p.NS.request(typ, flags, m)
}

// AddNeighbor adds or replaces a permanent neighbor.
func (p *Port) AddNeighbor(a netip.Addr, mac net.HardwareAddr) error {
	m := p.ndmsg(unix.NUD_PERMANENT, a)
	m.put(unix.NDA_LLADDR, mac...)
	if err := p.NS.request(unix.RTM_NEWNEIGH, netlink.Create|netlink.Replace, m); err != nil {
		return fmt.Errorf("add neighbor %v on %s: %w", a, p.Name, err)
	}
	return nil
}

// RemoveNeighbor takes a neighbor away, permanent or learnt.
func (p *Port) RemoveNeighbor(a netip.Addr) error {
	if err := p.NS.request(unix.RTM_DELNEIGH, 0, p.ndmsg(0, a)); err != nil {
		return fmt.Errorf("remove neighbor %v on %s: %w", a, p.Name, err)
	}
	return nil
}

// ndmsg begins every message about a neighbor.
func (p *Port) ndmsg(state uint16, a netip.Addr) message {
	m := message{unix.AF_INET6, 0, 0, 0}
	m = binary.NativeEndian.AppendUint32(m, uint32(p.Ifindex))
	m = binary.NativeEndian.AppendUint16(m, state)
	m = append(m, 0, 0)
	m.putAddr(unix.NDA_DST, a)
	return m
}
