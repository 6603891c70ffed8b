package sys

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// StoppedFeatures are features of a device that are off for a while.
//
// One goroutine at a time.
type StoppedFeatures struct {
	Refused []string // those that the driver does not turn off

	ethtool *genl
	ifindex int
	stopped []string // those that were on
}

// StopFeatures turns off features of a device, by the names that the kernel
// has for them, as far as its driver can: until Close, or for good if the
// process dies.
func StopFeatures(ifindex int, names ...string) (*StoppedFeatures, error) {
	ethtool, err := openGenl("ethtool")
	if err != nil {
		return nil, err
	}
	s := &StoppedFeatures{ethtool: ethtool, ifindex: ifindex}
	if s.Refused, s.stopped, err = s.set(names, false); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close turns on again what was on. That the device is gone is no error. It
// may be called in another network namespace.
func (s *StoppedFeatures) Close() error {
	var err error
	if len(s.stopped) > 0 {
		_, _, err = s.set(s.stopped, true)
	}
	if errors.Is(err, unix.ENODEV) {
		err = nil
	}
	return errors.Join(err, s.ethtool.Close())
}

// set turns features on or off, and returns which of them the driver refused
// to and which changed.
func (s *StoppedFeatures) set(features []string, on bool) (refused, changed []string, err error) {
	answer, err := s.ethtool.ask(unix.ETHTOOL_MSG_FEATURES_SET, func(attrs *netlink.AttributeEncoder) {
		attrs.Nested(unix.ETHTOOL_A_FEATURES_HEADER, func(header *netlink.AttributeEncoder) error {
			header.Uint32(unix.ETHTOOL_A_HEADER_DEV_INDEX, uint32(s.ifindex))
			return nil
		})
		attrs.Nested(unix.ETHTOOL_A_FEATURES_WANTED, func(set *netlink.AttributeEncoder) error {
			set.Nested(unix.ETHTOOL_A_BITSET_BITS, func(bits *netlink.AttributeEncoder) error {
				for _, name := range features {
					bits.Nested(unix.ETHTOOL_A_BITSET_BITS_BIT, encodeBit(name, on))
				}
				return nil
			})
			return nil
		})
	})
	if err != nil {
		return nil, nil, fmt.Errorf("set features of link %d: %w", s.ifindex, err)
	}
	// The answer holds the features that are not as wanted, and those that are
	// not as they were, among them others that depend on ours.
	for answer.Next() {
		switch answer.Type() {
		case unix.ETHTOOL_A_FEATURES_WANTED:
			answer.Nested(bitNames(&refused))
		case unix.ETHTOOL_A_FEATURES_ACTIVE:
			answer.Nested(bitNames(&changed))
		}
	}
	return intersect(refused, features), intersect(changed, features), answer.Err()
}

func encodeBit(name string, on bool) func(*netlink.AttributeEncoder) error {
	return func(bit *netlink.AttributeEncoder) error {
		bit.String(unix.ETHTOOL_A_BITSET_BIT_NAME, name)
		if on {
			bit.Flag(unix.ETHTOOL_A_BITSET_BIT_VALUE, true)
		}
		return nil
	}
}

// bitNames appends the names of a bitset's bits.
func bitNames(names *[]string) func(*netlink.AttributeDecoder) error {
	bit := func(d *netlink.AttributeDecoder) error {
		for d.Next() {
			if d.Type() == unix.ETHTOOL_A_BITSET_BIT_NAME {
				*names = append(*names, d.String())
			}
		}
		return nil
	}
	bits := func(d *netlink.AttributeDecoder) error {
		for d.Next() {
			d.Nested(bit)
		}
		return nil
	}
	return func(set *netlink.AttributeDecoder) error {
		for set.Next() {
			if set.Type() == unix.ETHTOOL_A_BITSET_BITS {
				set.Nested(bits)
			}
		}
		return nil
	}
}

// intersect returns those of names that are among wanted.
func intersect(names, wanted []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(wanted, name) })
}
