package xdptest

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Numbers of linux/ethtool_netlink.h that x/sys does not name.
const (
	featuresGet = 11 // ETHTOOL_MSG_FEATURES_GET
	featuresSet = 12 // ETHTOOL_MSG_FEATURES_SET

	headerDevIndex = 1 // ETHTOOL_A_HEADER_DEV_INDEX
	headerFlags    = 3 // ETHTOOL_A_HEADER_FLAGS
	omitReply      = 2 // ETHTOOL_FLAG_OMIT_REPLY

	featuresHeader = 1 // ETHTOOL_A_FEATURES_HEADER
	featuresWanted = 3 // ETHTOOL_A_FEATURES_WANTED
	featuresActive = 4 // ETHTOOL_A_FEATURES_ACTIVE

	bitsetBits = 3 // ETHTOOL_A_BITSET_BITS
	bitName    = 2 // ETHTOOL_A_BITSET_BIT_NAME
	bitValue   = 3 // ETHTOOL_A_BITSET_BIT_VALUE
	bitsetBit  = 1 // ETHTOOL_A_BITSET_BITS_BIT
)

// SetFeature turns an offload on or off, by the name that ethtool -k shows
// after --json or in the kernel's source, such as "rx-gro". It fails if the
// device does not take it.
func (p *Port) SetFeature(name string, on bool) error {
	m := p.features(omitReply)
	m.nest(featuresWanted, func(m *message) {
		m.nest(bitsetBits, func(m *message) {
			m.nest(bitsetBit, func(m *message) {
				m.putString(bitName, name)
				if on {
					m.put(bitValue)
				}
			})
		})
	})
	if _, err := p.ethtool(featuresSet, netlink.Acknowledge, m); err != nil {
		return fmt.Errorf("set feature %s of %s: %w", name, p.Name, err)
	}
	got, err := p.Feature(name)
	if err != nil {
		return err
	}
	if got != on {
		return fmt.Errorf("set feature %s of %s to %v: the device does not take it", name, p.Name, on)
	}
	return nil
}

// Feature says whether an offload is active.
func (p *Port) Feature(name string) (bool, error) {
	answers, err := p.ethtool(featuresGet, 0, p.features(0))
	if err != nil {
		return false, fmt.Errorf("read features of %s: %w", p.Name, err)
	}
	for _, answer := range answers {
		if len(answer.Data) < 4 {
			continue
		}
		active, err := activeFeatures(answer.Data[4:])
		if err != nil {
			return false, fmt.Errorf("read features of %s: %w", p.Name, err)
		}
		return active[name], nil
	}
	return false, fmt.Errorf("read features of %s: the kernel gave no answer", p.Name)
}

// activeFeatures walks the nested attributes of an answer down to the names.
func activeFeatures(b []byte) (map[string]bool, error) {
	active := make(map[string]bool)
	d, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return nil, err
	}
	for d.Next() {
		if d.Type() != featuresActive {
			continue
		}
		d.Nested(func(d *netlink.AttributeDecoder) error {
			for d.Next() {
				if d.Type() != bitsetBits {
					continue
				}
				d.Nested(func(d *netlink.AttributeDecoder) error {
					for d.Next() {
						d.Nested(func(d *netlink.AttributeDecoder) error {
							for d.Next() {
								if d.Type() == bitName {
									active[d.String()] = true
								}
							}
							return nil
						})
					}
					return nil
				})
			}
			return nil
		})
	}
	return active, d.Err()
}

// features begins every message about the port's features.
func (p *Port) features(flags uint32) message {
	var m message
	m.nest(featuresHeader, func(m *message) {
		m.putUint32(headerDevIndex, uint32(p.Ifindex))
		m.putUint32(headerFlags, flags)
	})
	return m
}

// ethtool sends one command to the kernel's ethtool family, which unlike the
// ioctl takes names of features and needs no pointers.
func (p *Port) ethtool(command byte, flags netlink.HeaderFlags, m message) ([]netlink.Message, error) {
	conn, err := netlink.Dial(unix.NETLINK_GENERIC, &netlink.Config{NetNS: p.NS.fd})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	family, err := ethtoolFamily(conn)
	if err != nil {
		return nil, err
	}
	return generic(conn, family, command, flags, m)
}

// generic sends one generic netlink command and returns the one answer that
// the kernel gives: data, or with netlink.Acknowledge its verdict.
func generic(conn *netlink.Conn, family uint16, command byte, flags netlink.HeaderFlags, m message) ([]netlink.Message, error) {
	return conn.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(family),
			Flags: netlink.Request | flags,
		},
		Data: append([]byte{command, 1, 0, 0}, m...),
	})
}

// ethtoolFamily asks for the number under which the kernel serves ethtool.
func ethtoolFamily(conn *netlink.Conn) (uint16, error) {
	var m message
	m.putString(unix.CTRL_ATTR_FAMILY_NAME, "ethtool")
	answers, err := generic(conn, unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, 0, m)
	if err != nil {
		return 0, fmt.Errorf("find the kernel's ethtool family (Linux 5.6): %w", err)
	}
	for _, answer := range answers {
		if len(answer.Data) < 4 {
			continue
		}
		d, err := netlink.NewAttributeDecoder(answer.Data[4:])
		if err != nil {
			return 0, err
		}
		for d.Next() {
			if d.Type() == unix.CTRL_ATTR_FAMILY_ID && len(d.Bytes()) == 2 {
				return binary.NativeEndian.Uint16(d.Bytes()), nil
			}
		}
	}
	return 0, fmt.Errorf("find the kernel's ethtool family: no number in the answer")
}
