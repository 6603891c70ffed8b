// Package rtnl speaks rtnetlink: it turns the kernel's messages about links and
// IPv6 into Events, and asks the kernel for what control needs to know.
//
//	           ┌─ Subscribe ─▶ Receive ─▶ []Event   what changes, in order
//	kernel ────┤
//	           └─ Dial ─▶ Dump…, Link ──▶ Event     what there is
//	                   └─ UseNeighbor               what is needed
//
// Subscribe first, dump then: what changes meanwhile is told by both, and
// nothing is told by neither. A Subscription and a Conn have a socket each, and
// serve one goroutine each. Events belong to whoever gets them.
//
// The rest of this comment is what Linux 6.18 was seen to send where that is
// not what one would expect. Most of it is held by tests.
//
// # Links
//
// A change of MTU sends RTM_NEWLINK before IPv6 has heard of it: MTU is new,
// MTU6 still old, and no message follows. Conn.Link waits for the kernel to be
// done and has both. Below 1280 bytes IPv6 leaves the device, which only
// RTM_DELNETCONF and the deletion of its routes and addresses tell; above, it
// comes back with RTM_NEWNETCONF after an RTM_NEWLINK without an inet6 part.
//
// The sysctl net.ipv6.conf.DEV.mtu sends nothing at all, so it takes a look now
// and then. The sysctls forwarding and ignore_routes_with_linkdown send
// RTM_NEWNETCONF with only themselves in it, for each device that changes and
// for "all", not RTM_NEWLINK. The sysctl disable_ipv6 sends neither; only
// addresses and routes go, among them ff00::/8 of the device in table local,
// which is there exactly while IPv6 runs on it.
//
// # Routes
//
// Table, destination, source and metric do not name one route. Beside one
// multipath, whose legs all have gateways, there can be any number of others:
// with no gateway, of a type other than unicast, with a next-hop object, or from
// router advertisements. The first one added is the one in use.
//
// A message with several legs always is the whole multipath; one that appends a
// leg has that leg first. The deletion of a leg has this leg only; the others
// stay. Replace takes the place of the first route of the same key that can (or
// cannot, like itself) be a leg of a multipath, or else of the first of the key;
// legs replaced go without a word.
//
// Legs have metrics of their own, but a message has those of its first leg only.
// A route that was added between two legs is not in dumps.
//
// A leg whose device goes down is marked dead, and one whose device comes up
// alive, without a message; a route left without legs is deleted with one.
// Carrier sends no route messages either.
//
// A route past its time stays, with negative Expires, but unused, until the
// kernel cleans up, up to half a minute later. RTM_DELROUTE comes then.
//
// A dump of routes is neither atomic nor marked as interrupted. When a route is
// added during the dump, the kernel begins again and skips as many prefixes as
// it had told; if some of those were deleted, it skips as many that it had not.
// A dump during which routes were deleted may thus lack others.
//
// # Next-hop objects
//
// Replacing one sends RTM_NEWNEXTHOP, and RTM_NEWROUTE with Replace for each
// route that uses it, unless net.ipv4.nexthop_compat_mode is 0, with which routes
// have no Legs either. Deleting one that is in a group sends RTM_DELNEXTHOP and
// the group without it, not a word of routes. With compat mode 0, deleting one
// that routes use deletes them without a word, too.
//
// Objects of a device that goes down, or loses its carrier, go without
// RTM_DELNEXTHOP. An ID may come back as an object of another family.
//
// # Neighbors
//
// Proxies (NTF_PROXY) are in dumps only; no message tells of them. An entry that
// is being resolved is not told of, its outcome is.
//
// NTF_USE makes a permanent neighbor an ordinary one that has to be resolved.
package rtnl
