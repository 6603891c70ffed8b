package rtnl

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// ErrMalformed matches any error meaning that a message does not have the
// layout that the kernel's headers give it.
var ErrMalformed = errors.New("malformed netlink message")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

const attrHeader = 4 // struct nlattr: length and type, 16 bits each

// attrs walks over a list of netlink attributes without copying them. A value
// of the wrong length, or a list that does not add up, ends the walk; err then
// says where. Typed readers return zero once err is set.
type attrs struct {
	rest []byte
	typ  uint16 // of the current attribute, without the flag bits
	val  []byte // of the current attribute; part of the message
	err  error
}

// next steps to the next attribute. It is false at the end and after an error.
func (a *attrs) next() bool {
	if a.err != nil || len(a.rest) == 0 {
		return false
	}
	if len(a.rest) < attrHeader {
		a.err = malformed("%d bytes after the last attribute", len(a.rest))
		return false
	}
	length := int(binary.NativeEndian.Uint16(a.rest))
	a.typ = binary.NativeEndian.Uint16(a.rest[2:]) &^ (nlaNested | nlaNetByteOrder)
	if length < attrHeader || length > len(a.rest) {
		a.err = malformed("attribute %d claims %d bytes of %d", a.typ, length, len(a.rest))
		return false
	}
	a.val = a.rest[attrHeader:length]
	// The last attribute may come without its padding.
	a.rest = a.rest[min(align4(length), len(a.rest)):]
	return true
}

// want reports whether the value has n bytes, and ends the walk if not.
func (a *attrs) want(n int) bool {
	if a.err == nil && len(a.val) != n {
		a.err = malformed("attribute %d has %d bytes, not %d", a.typ, len(a.val), n)
	}
	return a.err == nil
}

func (a *attrs) u8() uint8 {
	if !a.want(1) {
		return 0
	}
	return a.val[0]
}

func (a *attrs) u16() uint16 {
	if !a.want(2) {
		return 0
	}
	return binary.NativeEndian.Uint16(a.val)
}

func (a *attrs) u32() uint32 {
	if !a.want(4) {
		return 0
	}
	return binary.NativeEndian.Uint32(a.val)
}

// addr reads an IPv6 address.
func (a *attrs) addr() netip.Addr {
	if !a.want(16) {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte(a.val))
}

// str reads a string that may end with a zero byte.
func (a *attrs) str() string {
	for i, c := range a.val {
		if c == 0 {
			return string(a.val[:i])
		}
	}
	return string(a.val)
}

// mac reads a link-layer address. Only those of Ethernet have one here:
// anything but six bytes is no error, but no MAC either.
func (a *attrs) mac() (mac [6]byte, ok bool) {
	if len(a.val) != len(mac) {
		return mac, false
	}
	return [6]byte(a.val), true
}

// nested walks over the attributes inside the current one.
func (a *attrs) nested() attrs { return attrs{rest: a.val} }

// inside takes the error of a walk over a nested list.
func (a *attrs) inside(nested *attrs) {
	if a.err == nil && nested.err != nil {
		a.err = fmt.Errorf("inside attribute %d: %w", a.typ, nested.err)
	}
}

func align4(n int) int { return (n + 3) &^ 3 }
