package xdp

import (
	"errors"
	"fmt"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// CheckPort says why the device called name cannot be a port, or nil. Whether
// its driver can do native XDP, only Attach finds out.
//
// As every function here, it looks in the network namespace of the calling
// thread.
func CheckPort(name string) error {
	link, err := sys.LinkByName(name)
	if err == nil {
		err = checkLink(link)
	}
	if errors.Is(err, sys.ErrNoLink) {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("use %s as a port: %w", name, err)
	}
	return nil
}

func checkLink(l sys.Link) error {
	switch {
	case l.Loopback:
		return errors.New("it is a loopback device, which nothing is forwarded through")
	case !l.Ethernet:
		return errors.New("it is not an Ethernet device")
	case l.Master != 0:
		kind := l.MasterKind
		if kind == "" {
			kind = "device"
		}
		return fmt.Errorf("it belongs to %s; take it out with \"ip link set dev %s nomaster\"",
			describeMaster(kind, l.Master), l.Name)
	case l.XDP.Program != 0:
		if h := findHolder(l.Ifindex); !h.mayBeFwd6() {
			return h.refuse(l.Name)
		}
	}
	return nil
}

// describeMaster names a master, such as "bridge br0".
func describeMaster(kind string, ifindex int) string {
	master, err := sys.LinkByIndex(ifindex)
	if err != nil {
		return "a " + kind
	}
	return kind + " " + master.Name
}

// Queues is how many queues a device receives on and sends on: what its driver
// says, or 1 if it does not say.
func Queues(name string) (rx, tx int, err error) {
	c, err := sys.EthtoolChannels(name)
	switch {
	case errors.Is(err, sys.ErrNoEthtool):
		return 1, 1, nil
	case err != nil:
		return 0, 0, fmt.Errorf("ask %s for its queues: %w", name, err)
	}
	return int(max(1, c.Rx+c.Combined)), int(max(1, c.Tx+c.Combined)), nil
}

// Driver is the name of a device's driver, such as "veth".
func Driver(name string) (string, error) {
	driver, _, err := sys.EthtoolDriver(name)
	if err != nil {
		return "", fmt.Errorf("ask %s for its driver: %w", name, err)
	}
	return driver, nil
}
