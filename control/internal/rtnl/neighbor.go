package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// NeighborKey names a neighbor.
type NeighborKey struct {
	Ifindex int
	Addr    netip.Addr
}

// useBatch is how many neighbors one system call asks for. Each may be answered
// by an error, and all these answers have to fit into the socket's buffer.
const useBatch = 64

// UseNeighbor makes the kernel treat the neighbor as if it had a packet for it
// (NTF_USE): it resolves one that is unknown or failed, and probes one that is
// stale. It does not wait for the outcome, which comes as Events. It needs
// CAP_NET_ADMIN.
//
// A neighbor of any other state is left as it is. NTF_USE would take from a
// permanent one that it is permanent (__neigh_update in net/core/neighbour.c),
// so the kernel is first asked what it has, and what it does not have is made
// only if that is still so (NLM_F_EXCL).
func (c *Conn) UseNeighbor(ifindex int, addr netip.Addr) error {
	return c.UseNeighbors([]NeighborKey{{Ifindex: ifindex, Addr: addr}})
}

// UseNeighbors is UseNeighbor for many at a time. The error tells the first that
// failed, and how many did; the others were asked for all the same.
func (c *Conn) UseNeighbors(keys []NeighborKey) error {
	failed, total := 0, len(keys)
	var first error
	for len(keys) > 0 {
		batch := keys[:min(useBatch, len(keys))]
		keys = keys[len(batch):]
		n, err := c.useBatch(batch)
		if failed += n; first == nil {
			first = err
		}
	}
	if failed > 1 {
		return fmt.Errorf("%w (and %d more of %d)", first, failed-1, total)
	}
	return first
}

// idle are the states of a neighbor in which the kernel does nothing about it
// until there is a packet for it; to the others, NTF_USE adds nothing.
const idle = unix.NUD_STALE | unix.NUD_FAILED

// useBatch asks what there is of a batch, and for what of it can be used.
func (c *Conn) useBatch(batch []NeighborKey) (failed int, first error) {
	fail := func(n int, err error) {
		if failed += n; first == nil {
			first = err
		}
	}
	var uses []netlink.Message
	var used []NeighborKey
	use := func(key NeighborKey, flags netlink.HeaderFlags) {
		uses = append(uses, neighborRequest(unix.RTM_NEWNEIGH, key, unix.NTF_USE, flags))
		used = append(used, key)
	}
	gets := make([]netlink.Message, 0, len(batch))
	for _, key := range batch {
		gets = append(gets, neighborRequest(unix.RTM_GETNEIGH, key, 0, 0))
	}
	err := c.exchangeBatch("get neighbors", gets, func(at int, m netlink.Message, err error) {
		key := batch[at]
		if err == nil {
			var e Event
			e, err = Decode(m)
			if n, ok := e.Object.(*Neighbor); ok && (n.State&idle != 0 || n.State == unix.NUD_NONE) {
				use(key, 0)
			}
		} else if errors.Is(err, unix.ENOENT) {
			use(key, netlink.Create|netlink.Excl)
			return
		}
		if err != nil {
			fail(1, fmt.Errorf("get neighbor %v of link %d: %w", key.Addr, key.Ifindex, err))
		}
	})
	if err != nil {
		return len(batch), err
	}
	err = c.exchangeBatch("use neighbors", uses, func(at int, _ netlink.Message, err error) {
		// Made or taken away since it was asked for: that is for others to say.
		if err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOENT) {
			fail(1, fmt.Errorf("use neighbor %v of link %d: %w", used[at].Addr, used[at].Ifindex, err))
		}
	})
	if err != nil {
		fail(len(used), err)
	}
	return failed, first
}

// neighborRequest is about one neighbor. It answers if it fails, or if it is a
// question.
func neighborRequest(t netlink.HeaderType, key NeighborKey, ntf byte, flags netlink.HeaderFlags) netlink.Message {
	data := header6(sizeofNdMsg)
	binary.NativeEndian.PutUint32(data[4:], uint32(key.Ifindex))
	data[ndmFlags] = ntf
	addr := key.Addr.As16()
	data = binary.NativeEndian.AppendUint16(data, attrHeader+16)
	data = binary.NativeEndian.AppendUint16(data, unix.NDA_DST)
	return netlink.Message{
		Header: netlink.Header{Type: t, Flags: netlink.Request | flags},
		Data:   append(data, addr[:]...),
	}
}
