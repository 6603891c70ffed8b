package rtnl

// Constants of the kernel's headers that golang.org/x/sys/unix lacks or has
// only in part, under the kernel's own names in our spelling.

// linux/netlink.h: bits in the type of an attribute.
const (
	nlaNested       = 1 << 15
	nlaNetByteOrder = 1 << 14
)

// linux/rtnetlink.h, linux/if_link.h.
const (
	rtmDelNetconf      = 81
	rtmGetNetconf      = 82
	rtextSkipStats     = 1 << 3 // RTEXT_FILTER_SKIP_STATS
	rtaNextHop         = 30     // RTA_NH_ID
	rtnhFlags          = 0xff   // rtm_flags: RTNH_F_… below, RTM_F_… above
	clockTicks         = 100    // USER_HZ, in which times are told
	nhaOpFlags         = 14
	nhaOpGroupReserved = 1 << 31 // NHA_OP_FLAG_RESP_GRP_RESVD_0
	nhaFDB             = 11
	nexthopGroupRes    = 1 // NEXTHOP_GRP_TYPE_RES
)

// linux/ipv6.h: places in the array of IFLA_INET6_CONF.
const (
	devconfForwarding     = 0
	devconfMTU6           = 2
	devconfDisableIPv6    = 26
	devconfIgnoreLinkdown = 39
)

// linux/netconf.h.
const (
	netconfaIfindex        = 1
	netconfaForwarding     = 2
	netconfaIgnoreLinkdown = 6
)

// linux/neighbour.h.
const ndaFlagsExt = 15

// linux/fib_rules.h: what x/sys/unix does not have yet.
const (
	fraDSCP          = 25
	fraFlowLabel     = 26
	fraFlowLabelMask = 27
	fraSportMask     = 28
	fraDportMask     = 29
	fraDSCPMask      = 30
)
