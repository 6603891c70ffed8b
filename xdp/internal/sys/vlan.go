package sys

import (
	"fmt"

	"github.com/mdlayher/netlink"
)

// Numbers of linux/netdev.h, which x/sys does not name.
const (
	netdevGet        = 1      // NETDEV_CMD_DEV_GET
	netdevIfindex    = 1      // NETDEV_A_DEV_IFINDEX
	netdevRxMetadata = 5      // NETDEV_A_DEV_XDP_RX_METADATA_FEATURES
	metadataVLANTag  = 1 << 2 // NETDEV_XDP_RX_METADATA_VLAN_TAG
)

// TellsVLANTag says whether a device's driver tells a native XDP program that
// is bound to it of VLAN tags that are not in the frame (Linux 6.8).
func TellsVLANTag(ifindex int) (bool, error) {
	g, err := openGenl("netdev")
	if err != nil {
		return false, err
	}
	defer g.Close()
	answer, err := g.ask(netdevGet, func(attrs *netlink.AttributeEncoder) {
		attrs.Uint32(netdevIfindex, uint32(ifindex))
	})
	if err != nil {
		return false, fmt.Errorf("ask for the XDP features of link %d: %w", ifindex, err)
	}
	var metadata uint64
	for answer.Next() {
		if answer.Type() == netdevRxMetadata {
			metadata = answer.Uint64()
		}
	}
	return metadata&metadataVLANTag != 0, answer.Err()
}
