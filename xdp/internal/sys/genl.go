package sys

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// genlHeader is the size of struct genlmsghdr: command, version, two bytes.
const genlHeader = 4

// genl is a connection to one family of generic netlink, in the network
// namespace of the thread that opened it. One goroutine at a time.
type genl struct {
	conn   *netlink.Conn
	family netlink.HeaderType
}

// openGenl connects to the family called name. A kernel without it answers
// ENOENT.
func openGenl(name string) (*genl, error) {
	conn, err := netlink.Dial(unix.NETLINK_GENERIC, nil)
	if err != nil {
		return nil, fmt.Errorf("open generic netlink: %w", err)
	}
	g := &genl{conn, unix.GENL_ID_CTRL}
	if g.family, err = g.find(name); err != nil {
		return nil, errors.Join(fmt.Errorf("find the %s family of generic netlink: %w", name, err), g.Close())
	}
	return g, nil
}

// find asks for the number of a family.
func (g *genl) find(name string) (family netlink.HeaderType, err error) {
	answer, err := g.ask(unix.CTRL_CMD_GETFAMILY, func(attrs *netlink.AttributeEncoder) {
		attrs.String(unix.CTRL_ATTR_FAMILY_NAME, name)
	})
	if err != nil {
		return 0, err
	}
	for answer.Next() {
		if answer.Type() == unix.CTRL_ATTR_FAMILY_ID {
			family = netlink.HeaderType(answer.Uint16())
		}
	}
	return family, answer.Err()
}

// ask sends one command and returns the attributes of its one answer.
func (g *genl) ask(command byte, fill func(*netlink.AttributeEncoder)) (*netlink.AttributeDecoder, error) {
	attrs := netlink.NewAttributeEncoder()
	fill(attrs)
	encoded, err := attrs.Encode()
	if err != nil {
		return nil, err
	}
	answers, err := g.conn.Execute(netlink.Message{
		Header: netlink.Header{Type: g.family, Flags: netlink.Request},
		Data:   append([]byte{command, 1, 0, 0}, encoded...),
	})
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 || len(answers[0].Data) < genlHeader {
		return nil, fmt.Errorf("%d answers of generic netlink, want one", len(answers))
	}
	return netlink.NewAttributeDecoder(answers[0].Data[genlHeader:])
}

// Close ends the connection.
func (g *genl) Close() error { return g.conn.Close() }
