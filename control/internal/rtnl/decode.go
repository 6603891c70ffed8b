package rtnl

import (
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Decode turns one message of the kernel into an Event.
//
// A message that is not about IPv6, or of a type that rtnl has no Object for,
// gives *Unknown and no error. A message that breaks its own layout gives an
// error that matches ErrMalformed and names type and attribute. The Event does
// not refer to m.Data, which may be reused. Any goroutine may call Decode.
func Decode(m netlink.Message) (Event, error) {
	object, err := decode(m)
	if err != nil {
		return Event{}, fmt.Errorf("decode %s: %w", typeName(m.Header.Type), err)
	}
	if object == nil {
		object = &Unknown{Type: uint16(m.Header.Type)}
	}
	return Event{Deleted: isDelete(m.Header.Type), Object: object}, nil
}

// decode returns nil for what is not ours.
func decode(m netlink.Message) (Object, error) {
	switch m.Header.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return decodeLink(m.Data)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return decodeAddress(m.Data)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		return decodeNeighbor(m.Data)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return decodeRoute(m.Data, m.Header.Flags)
	case unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP:
		return decodeNextHop(m.Data, m.Header.Flags)
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return decodeRule(m.Data)
	case unix.RTM_NEWNETCONF, rtmDelNetconf:
		return decodeNetconf(m.Data)
	}
	return nil, nil
}

// isDelete uses the order that rtnetlink's types keep: NEW, DEL, GET, SET.
func isDelete(t netlink.HeaderType) bool { return t >= unix.RTM_BASE && t%4 == 1 }

var typeNames = map[netlink.HeaderType]string{
	unix.RTM_NEWLINK:    "RTM_NEWLINK",
	unix.RTM_DELLINK:    "RTM_DELLINK",
	unix.RTM_NEWADDR:    "RTM_NEWADDR",
	unix.RTM_DELADDR:    "RTM_DELADDR",
	unix.RTM_NEWNEIGH:   "RTM_NEWNEIGH",
	unix.RTM_DELNEIGH:   "RTM_DELNEIGH",
	unix.RTM_NEWROUTE:   "RTM_NEWROUTE",
	unix.RTM_DELROUTE:   "RTM_DELROUTE",
	unix.RTM_NEWNEXTHOP: "RTM_NEWNEXTHOP",
	unix.RTM_DELNEXTHOP: "RTM_DELNEXTHOP",
	unix.RTM_NEWRULE:    "RTM_NEWRULE",
	unix.RTM_DELRULE:    "RTM_DELRULE",
	unix.RTM_NEWNETCONF: "RTM_NEWNETCONF",
	rtmDelNetconf:       "RTM_DELNETCONF",
}

func typeName(t netlink.HeaderType) string {
	if name, ok := typeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("message of type %d", t)
}

// header checks that the fixed part of a message is there.
func header(data []byte, size int) error {
	if len(data) < size {
		return malformed("%d bytes, not even the %d of its header", len(data), size)
	}
	return nil
}
