package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// The Dump functions give everything of a kind to each, as the kernel tells it,
// and keep none of it.
//
// Where the kernel says that a dump was not consistent, each gets a *Restart and
// the dump begins again; an error that matches ErrInterrupted ends too many of
// them. For routes the kernel does not say so (see the package comment). An
// error of each stops the calls and is returned. Messages that cannot be decoded
// are left out; the error then matches ErrMalformed.

// DumpLinks tells of every link.
func (c *Conn) DumpLinks(each func(Event) error) error {
	return c.dump("dump links", unix.RTM_GETLINK, linkRequest(0), each)
}

// DumpAddresses tells of every IPv6 address, but for anycast and multicast.
// Anycast addresses are routes of type RTN_ANYCAST in the table local.
func (c *Conn) DumpAddresses(each func(Event) error) error {
	return c.dump("dump addresses", unix.RTM_GETADDR, header6(unix.SizeofIfAddrmsg), each)
}

// DumpNeighbors tells of every IPv6 neighbor, then of those that are proxies
// (NTF_PROXY in Flags).
func (c *Conn) DumpNeighbors(each func(Event) error) error {
	if err := c.dump("dump neighbors", unix.RTM_GETNEIGH, header6(sizeofNdMsg), each); err != nil {
		return err
	}
	proxies := header6(sizeofNdMsg)
	proxies[ndmFlags] = unix.NTF_PROXY
	return c.dump("dump neighbor proxies", unix.RTM_GETNEIGH, proxies, each)
}

// DumpRoutes tells of every IPv6 route of a table, or of all tables if table is
// 0. A table that does not exist has no routes. Clones (RTM_F_CLONED), which
// the kernel makes for itself, are left out.
func (c *Conn) DumpRoutes(table uint32, each func(Event) error) error {
	data := header6(unix.SizeofRtMsg)
	what := "dump routes"
	if table != 0 {
		what = fmt.Sprintf("dump routes of table %d", table)
		data = appendU32(data, unix.RTA_TABLE, table)
	}
	told := false
	err := c.dump(what, unix.RTM_GETROUTE, data, func(e Event) error {
		told = true
		r, ok := e.Object.(*Route)
		if ok && (r.Flags&unix.RTM_F_CLONED != 0 || table != 0 && r.Table != table) {
			return nil
		}
		return each(e)
	})
	if table != 0 && !told && errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// DumpNextHops tells of every next-hop object, those for IPv4 included. A
// kernel before 5.3 has none.
func (c *Conn) DumpNextHops(each func(Event) error) error {
	// Groups have no family, so none is asked for.
	err := c.dump("dump next hops", unix.RTM_GETNEXTHOP, make([]byte, unix.SizeofNhmsg), each)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

// DumpRules tells of every IPv6 rule. A kernel without rules has none.
func (c *Conn) DumpRules(each func(Event) error) error {
	err := c.dump("dump rules", unix.RTM_GETRULE, header6(sizeofFibRuleHdr), each)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) {
		return nil
	}
	return err
}

// DumpNetconf tells the IPv6 settings of every link, of "all" and of "default".
func (c *Conn) DumpNetconf(each func(Event) error) error {
	return c.dump("dump netconf", rtmGetNetconf, header6(sizeofNetconfMsg), each)
}

func (c *Conn) dump(what string, t netlink.HeaderType, data []byte, each func(Event) error) error {
	request := netlink.Message{
		Header: netlink.Header{Type: t, Flags: netlink.Request | netlink.Dump},
		Data:   data,
	}
	for range maxDumps {
		interrupted, err := c.dumpOnce(what, request, each)
		if err != nil || !interrupted {
			return err
		}
		if err := each(Event{Object: &Restart{}}); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return fmt.Errorf("%s: %w %d times; try again when fewer happen", what, ErrInterrupted, maxDumps)
}

func (c *Conn) dumpOnce(what string, request netlink.Message, each func(Event) error) (interrupted bool, err error) {
	var undecoded undecoded
	err = c.exchange(what, request, func(m netlink.Message) error {
		// The kernel marks one message, which may be the last, NLMSG_DONE.
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			interrupted = true
		}
		if m.Header.Type == netlink.Done {
			return nil
		}
		e, err := Decode(m)
		if err != nil {
			undecoded.add(err)
			return nil
		}
		return each(e)
	})
	if err == nil && !interrupted {
		err = undecoded.err(what)
	}
	return interrupted, err
}

// undecoded counts messages that could not be decoded and remembers the first.
type undecoded struct {
	n     int
	first error
}

func (u *undecoded) add(err error) {
	if u.n++; u.first == nil {
		u.first = err
	}
}

// err is nil if there were none.
func (u *undecoded) err(what string) error {
	if u.n == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d messages left out, the first because: %w", what, u.n, u.first)
}

// linkRequest asks for a link, or for all if ifindex is 0, without its counters.
func linkRequest(ifindex int) []byte {
	data := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(data[4:], uint32(ifindex))
	return appendU32(data, unix.IFLA_EXT_MASK, rtextSkipStats)
}

// header6 is the fixed part of a request, of size bytes, which begins with the
// family in all of them.
func header6(size int) []byte {
	data := make([]byte, size)
	data[0] = unix.AF_INET6
	return data
}

func appendU32(b []byte, typ uint16, v uint32) []byte {
	b = binary.NativeEndian.AppendUint16(b, attrHeader+4)
	b = binary.NativeEndian.AppendUint16(b, typ)
	return binary.NativeEndian.AppendUint32(b, v)
}
