package control

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fwd6/fwd6/control/internal/rtnl"
	"github.com/fwd6/fwd6/dataplane"
)

// checkPorts says why fwd6 cannot forward through the named devices. Later on
// they may come and go, but what is wrong at the start is a mistake.
func checkPorts(names []string, m *Mirror) error {
	if len(names) == 0 {
		return fmt.Errorf("no ports: name the devices to forward through")
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("port %s: named twice", name)
		}
		l := m.linkByName(name)
		if err := checkPort(name, l); err != nil {
			return err
		}
		if l.Master != 0 {
			return fmt.Errorf("port %s: belongs to %s, which is a bridge, bond or VRF: take it out with `ip link set dev %s nomaster`",
				name, m.linkName(l.Master), name)
		}
	}
	return nil
}

// checkPort says why l, which is the device of that name, can be no port.
func checkPort(name string, l *rtnl.Link) error {
	switch {
	case l == nil:
		return fmt.Errorf("port %s: no such interface; `ip link` lists those there are", name)
	case l.Flags&iffLoopback != 0:
		return fmt.Errorf("port %s: is the loopback interface, which nothing is forwarded through", name)
	case l.Type != arphrdEther || !l.HasMAC:
		return fmt.Errorf("port %s: is no Ethernet interface (its type is %d, Ethernet is %d)", name, l.Type, arphrdEther)
	}
	return nil
}

// linkByName returns the link of that name, nil if there is none.
func (m *Mirror) linkByName(name string) *rtnl.Link {
	for _, l := range m.links {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// present lists the ports whose devices exist, as they are now.
func present(names []string, m *Mirror) []dataplane.PortConfig {
	var found []dataplane.PortConfig
	for id, name := range names {
		if l := m.linkByName(name); checkPort(name, l) == nil {
			found = append(found, dataplane.PortConfig{
				ID: dataplane.PortID(id), Name: name, Ifindex: l.Ifindex, MAC: l.MAC, MTU: l.MTU,
			})
		}
	}
	return found
}

// outgrown says why a Forwarder that was opened with the ports in open cannot
// go on with those in now; it is empty if it can.
func outgrown(open, now []dataplane.PortConfig) string {
	var why []string
	find := func(all []dataplane.PortConfig, id dataplane.PortID) (dataplane.PortConfig, bool) {
		i := slices.IndexFunc(all, func(p dataplane.PortConfig) bool { return p.ID == id })
		if i < 0 {
			return dataplane.PortConfig{}, false
		}
		return all[i], true
	}
	for _, p := range open {
		n, ok := find(now, p.ID)
		switch {
		case !ok:
			why = append(why, p.Name+" is gone")
		case n.Ifindex != p.Ifindex:
			why = append(why, p.Name+" is another device now")
		case n.MTU > p.MTU:
			why = append(why, fmt.Sprintf("the MTU of %s grew from %d to %d bytes", p.Name, p.MTU, n.MTU))
		}
	}
	for _, n := range now {
		if _, ok := find(open, n.ID); !ok {
			why = append(why, n.Name+" is there")
		}
	}
	return strings.Join(why, "; ")
}
