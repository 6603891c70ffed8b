package rtnl

import "golang.org/x/sys/unix"

const sizeofNetconfMsg = 4 // struct netconfmsg: the family, and padding

// decodeNetconf reads struct netconfmsg and NETCONFA_… attributes.
func decodeNetconf(data []byte) (Object, error) {
	if err := header(data, sizeofNetconfMsg); err != nil {
		return nil, err
	}
	if data[0] != unix.AF_INET6 {
		return nil, nil
	}
	c := &Netconf{}
	a := attrs{rest: data[sizeofNetconfMsg:]}
	for a.next() {
		switch a.typ {
		case netconfaIfindex:
			c.Ifindex = int(int32(a.u32()))
		case netconfaForwarding:
			c.Forwarding, c.HasForwarding = a.u32() != 0, true
		case netconfaIgnoreLinkdown:
			c.IgnoreLinkdown, c.HasIgnoreLinkdown = a.u32() != 0, true
		}
	}
	switch {
	case a.err != nil:
		return nil, a.err
	case c.Ifindex == 0:
		return nil, malformed("no ifindex")
	}
	return c, nil
}
