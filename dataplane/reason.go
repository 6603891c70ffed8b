package dataplane

import "fmt"

// A Reason says why a packet left the straight line.
// The zero Reason means that it did not.
type Reason uint8

const (
	// Forward: the packet goes out.
	Forward Reason = iota

	// Drop…: counted, and the frame is freed.
	DropTruncated // RFC 8200 §3: the payload is longer than the frame
	DropTxFull    // the egress TX ring has no room
	DropTxPort    // the egress port has gone
	DropPuntFull  // the queue to the kernel has no room
	DropPuntError // the kernel refused to take it back

	// Punt…: handed to the kernel as if it had just arrived.
	PuntHeader   // not IPv6, or too short to tell
	PuntSpecial  // multicast, link-local, loopback, unspecified or v4-mapped addresses
	PuntHopByHop // RFC 8200 §4.3: hop-by-hop options, to be read by every node
	PuntLocal    // for this host
	PuntHopLimit // RFC 4443 §3.3: Time Exceeded
	PuntTooBig   // RFC 4443 §3.2: Packet Too Big
	PuntNoRoute  // RFC 4443 §3.1: Destination Unreachable, code 0
	PuntRoute    // a route that only the kernel understands
	PuntGlean    // an on-link destination that nobody has asked for yet
	PuntNeighbor // the next hop's link-layer address is unknown
	PuntEgress   // leaves by a device that is no port of fwd6
	PuntRedirect // RFC 4861 §8.2: leaves by the port it came from

	NumReasons
)

// reasons is the one table of what there is to know about a Reason.
var reasons = [NumReasons]struct {
	name string // the counter's name
	text string // for people
}{
	Forward:       {"forwarded", "sent to the next hop"},
	DropTruncated: {"drop_truncated", "payload length beyond the end of the frame"},
	DropTxFull:    {"drop_tx_full", "no room in the egress TX ring"},
	DropTxPort:    {"drop_tx_port", "egress port has gone"},
	DropPuntFull:  {"drop_punt_full", "no room in the queue to the kernel"},
	DropPuntError: {"drop_punt_error", "kernel did not take the packet back"},
	PuntHeader:    {"punt_header", "not a whole IPv6 header"},
	PuntSpecial:   {"punt_special", "source or destination not to be forwarded blindly"},
	PuntHopByHop:  {"punt_hop_by_hop", "hop-by-hop options"},
	PuntLocal:     {"punt_local", "addressed to this host"},
	PuntHopLimit:  {"punt_hop_limit", "hop limit exceeded in transit"},
	PuntTooBig:    {"punt_too_big", "larger than the egress MTU"},
	PuntNoRoute:   {"punt_no_route", "no route to the destination"},
	PuntRoute:     {"punt_route", "route that only the kernel understands"},
	PuntGlean:     {"punt_glean", "on-link destination not yet resolved"},
	PuntNeighbor:  {"punt_neighbor", "next hop not resolved"},
	PuntEgress:    {"punt_egress", "egress device is no port of fwd6"},
	PuntRedirect:  {"punt_redirect", "leaves by the port it came from"},
}

// String is the name of the reason's counter.
func (r Reason) String() string {
	if r < NumReasons {
		return reasons[r].name
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Text describes the reason in words.
func (r Reason) Text() string {
	if r < NumReasons {
		return reasons[r].text
	}
	return r.String()
}

// Dropped says whether the packet ends here.
func (r Reason) Dropped() bool { return r >= DropTruncated && r <= DropPuntError }

// Punted says whether the packet is handed to the kernel.
func (r Reason) Punted() bool { return r >= PuntHeader && r < NumReasons }
