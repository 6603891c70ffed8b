package xdp

// Verdict is what the XDP program decided about a frame: to steer it to the
// socket of its queue, or why it passed it to the kernel.
type Verdict uint8

// The verdicts, in the order of enum verdict in bpf/sort.h. The first one that
// applies, in the order of the program's checks, is the one that is counted.
const (
	Steered       Verdict = iota
	PassNotIPv6           // any other EtherType, a VLAN tag's included
	PassShort             // ends within the Ethernet or IPv6 header
	PassVersion           // IPv6 by its EtherType, not by its version
	PassMulticast         // destination or source
	PassLinkLocal         // destination or source
	PassReserved          // destination or source: unspecified, loopback, IPv4-mapped
	PassHopByHop          // hop-by-hop options
	PassOtherMAC          // not to the port's MAC
	PassLocal             // destination is one of the host's addresses
	PassVLAN              // has a VLAN tag that is not among its bytes (see MissesVLAN)
	PassInjected          // handed back to the kernel (generic mode only)
	PassPassing           // the port passes everything, see SetPassing
	PassStale             // the queue's worker shows no sign of life
	PassNoSocket          // no socket on the queue

	NumVerdicts
)

// Does not compile unless the program's list is as long.
var _ [sortVerdictNUM_VERDICTS]struct{} = [NumVerdicts]struct{}{}

var verdictNames = [NumVerdicts]string{
	Steered:       "steered",
	PassNotIPv6:   "pass_not_ipv6",
	PassShort:     "pass_short",
	PassVersion:   "pass_version",
	PassMulticast: "pass_multicast",
	PassLinkLocal: "pass_link_local",
	PassReserved:  "pass_reserved",
	PassHopByHop:  "pass_hop_by_hop",
	PassOtherMAC:  "pass_other_mac",
	PassLocal:     "pass_local",
	PassVLAN:      "pass_vlan",
	PassInjected:  "pass_injected",
	PassPassing:   "pass_passing",
	PassStale:     "pass_stale",
	PassNoSocket:  "pass_no_socket",
}

// String is the verdict's name, which is also the counter's.
func (v Verdict) String() string { return verdictNames[v] }

// Counters are frames by verdict.
type Counters [NumVerdicts]uint64
