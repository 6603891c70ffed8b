package rtnl

import (
	"encoding/binary"
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
// (NTF_USE): it resolves one that is unknown or failed, probes one that is
// stale, and does nothing to one that is reachable. It does not wait for the
// outcome, which comes as Events. It needs CAP_NET_ADMIN.
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

// useBatch sends all requests in one datagram. Only the last is acknowledged;
// the others answer only if they fail.
func (c *Conn) useBatch(batch []NeighborKey) (failed int, first error) {
	messages := make([]netlink.Message, 0, len(batch))
	for i, key := range batch {
		flags := netlink.Request | netlink.Create
		if i == len(batch)-1 {
			flags |= netlink.Acknowledge
		}
		messages = append(messages, netlink.Message{
			Header: netlink.Header{Type: unix.RTM_NEWNEIGH, Flags: flags},
			Data:   useRequest(key),
		})
	}
	sent, err := c.s.nl.SendMessages(messages)
	if err != nil {
		return len(batch), fmt.Errorf("use neighbor %v of link %d: %w", batch[0].Addr, batch[0].Ifindex, err)
	}
	start, last := sent[0].Header.Sequence, sent[len(sent)-1].Header.Sequence
	done := false
	err = c.await("use neighbors", &done, func(m netlink.Message) {
		at := int(m.Header.Sequence - start)
		if m.Header.Type != netlink.Error || at < 0 || at >= len(batch) {
			return
		}
		done = done || m.Header.Sequence == last
		if err := acknowledgement(m); err != nil {
			if failed++; first == nil {
				first = fmt.Errorf("use neighbor %v of link %d: %w", batch[at].Addr, batch[at].Ifindex, err)
			}
		}
	})
	if err != nil {
		return len(batch), err
	}
	return failed, first
}

func useRequest(key NeighborKey) []byte {
	data := header6(sizeofNdMsg)
	binary.NativeEndian.PutUint32(data[4:], uint32(key.Ifindex))
	data[ndmFlags] = unix.NTF_USE
	addr := key.Addr.As16()
	data = binary.NativeEndian.AppendUint16(data, attrHeader+16)
	data = binary.NativeEndian.AppendUint16(data, unix.NDA_DST)
	return append(data, addr[:]...)
}
