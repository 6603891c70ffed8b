package xdptest

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// message is the body of a netlink message: a fixed header, then attributes.
type message []byte

// pad brings the message to the alignment of the next attribute.
func (m *message) pad() {
	for len(*m)%4 != 0 {
		*m = append(*m, 0)
	}
}

func (m *message) put(typ uint16, value ...byte) {
	m.pad()
	*m = binary.NativeEndian.AppendUint16(*m, uint16(4+len(value)))
	*m = binary.NativeEndian.AppendUint16(*m, typ)
	*m = append(*m, value...)
	m.pad()
}

func (m *message) putString(typ uint16, s string) { m.put(typ, append([]byte(s), 0)...) }

func (m *message) putUint32(typ uint16, v uint32) {
	m.put(typ, binary.NativeEndian.AppendUint32(nil, v)...)
}

func (m *message) putAddr(typ uint16, a netip.Addr) {
	b := a.As16()
	m.put(typ, b[:]...)
}

// nest puts an attribute that fill fills with attributes.
func (m *message) nest(typ uint16, fill func(*message)) {
	var inner message
	fill(&inner)
	m.put(typ|unix.NLA_F_NESTED, inner...)
}

// ifinfomsg begins every message about a link.
func ifinfomsg(ifindex int, flags, change uint32) message {
	m := make(message, 4, 128)
	m = binary.NativeEndian.AppendUint32(m, uint32(ifindex))
	m = binary.NativeEndian.AppendUint32(m, flags)
	return binary.NativeEndian.AppendUint32(m, change)
}

// request sends one rtnetlink message and waits for the kernel's verdict.
func (n *Namespace) request(typ int, flags netlink.HeaderFlags, m message) error {
	_, err := n.conn.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(typ),
			Flags: netlink.Request | netlink.Acknowledge | flags,
		},
		Data: m,
	})
	return err
}

// ask sends one rtnetlink question and returns the one answer.
func (n *Namespace) ask(typ int, m message) ([]byte, error) {
	answers, err := n.conn.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.Request},
		Data:   m,
	})
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 {
		return nil, fmt.Errorf("%d answers to one question", len(answers))
	}
	return answers[0].Data, nil
}

// link asks for the attributes of a device.
func (n *Namespace) link(ifindex int) (map[uint16][]byte, error) {
	answer, err := n.ask(unix.RTM_GETLINK, ifinfomsg(ifindex, 0, 0))
	if err != nil {
		return nil, fmt.Errorf("find device %d in namespace %s: %w", ifindex, n.Name, err)
	}
	if len(answer) < unix.SizeofIfInfomsg {
		return nil, fmt.Errorf("find device %d in namespace %s: the answer is too short", ifindex, n.Name)
	}
	decoder, err := netlink.NewAttributeDecoder(answer[unix.SizeofIfInfomsg:])
	if err != nil {
		return nil, fmt.Errorf("find device %d in namespace %s: %w", ifindex, n.Name, err)
	}
	attributes := make(map[uint16][]byte)
	for decoder.Next() {
		attributes[decoder.Type()] = decoder.Bytes()
	}
	return attributes, decoder.Err()
}
