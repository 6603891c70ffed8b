package control

import "github.com/fwd6/fwd6/control/internal/rtnl"

// The kernel's numbers that decide something here, under its own names in our
// spelling.
const (
	// linux/rtnetlink.h: RTN_…, types of routes.
	rtnUnicast   = 1
	rtnLocal     = 2
	rtnAnycast   = 4
	rtnBlackhole = 6

	// RT_TABLE_…, without tableMain.
	tableLocal = 255

	rtProtRA = 9 // RTPROT_RA

	// RTNH_F_ONLINK: the gateway is on the link, whatever the routes say.
	rtnhOnlink = 4

	rtmCloned = 0x200 // RTM_F_CLONED

	// linux/neighbour.h: NUD_… and NTF_….
	nudIncomplete = 0x01
	nudReachable  = 0x02
	nudStale      = 0x04
	nudDelay      = 0x08
	nudProbe      = 0x10
	nudFailed     = 0x20
	nudNoARP      = 0x40
	nudPermanent  = 0x80
	nudValid      = nudPermanent | nudNoARP | nudReachable | nudProbe | nudStale | nudDelay
	ntfProxy      = 0x08
	ntfRouter     = 0x80

	// linux/if.h: IFF_….
	iffLoopback = 0x8
	iffRunning  = 0x40
	iffLowerUp  = 0x10000

	arphrdEther = 1 // linux/if_arp.h

	frActToTable = 1 // linux/fib_rules.h: FR_ACT_TO_TBL

	netconfAll = -1 // linux/netconf.h: NETCONFA_IFINDEX_ALL
)

// typeNames are iproute2's names of route types.
var typeNames = map[uint8]string{
	rtnUnicast: typeUnicast, rtnLocal: "local", 3: "broadcast", rtnAnycast: "anycast", 5: "multicast",
	rtnBlackhole: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw", 10: "nat",
}

// stateNames are iproute2's names of neighbor states, in its order.
var stateNames = []struct {
	state uint16
	name  string
}{
	{nudIncomplete, "INCOMPLETE"},
	{nudReachable, "REACHABLE"},
	{nudStale, "STALE"},
	{nudDelay, "DELAY"},
	{nudProbe, "PROBE"},
	{nudFailed, "FAILED"},
	{nudNoARP, "NOARP"},
	{nudPermanent, "PERMANENT"},
}

// resolved says whether packets can be sent to n.
func resolved(n *rtnl.Neighbor) bool {
	return n != nil && n.State&nudValid != 0 && n.HasMAC
}
