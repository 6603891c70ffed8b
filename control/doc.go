// Package control decides what should be forwarded: it mirrors the kernel by
// netlink, resolves what it finds into the FIB, and opens and closes the
// Forwarder that forwards by it.
//
//	kernel ─▶ rtnl ─▶ Events ─▶ Mirror ─▶ Change ─▶ resolver ─▶ FIB ─▶ workers
//	            │                 ▲                    │
//	            └─ dump ─▶ fresh ─┘ difference         └─▶ neighbors to ask for
//
// One goroutine, the Controller's, does all of it. Others only wait for the
// kernel in its place (watch.go): one hears what changes, one asks small
// questions, one makes dumps. What they find goes to it by channels; questions
// of the API come in by another and are answered between two changes.
//
// # From a message to the FIB
//
// The Mirror holds what the kernel has, by the kernel's own rules of what a
// message means: which routes are one multipath, what a replacement replaces,
// what goes with a next-hop object or a link (mirror*.go). What it cannot tell
// from messages alone, it wants to have read again.
//
// judge says what one table does with a prefix, as fib6_table_lookup would
// (verdict.go): forward along some hops, or leave it to the kernel, because of
// a reason, or go on with a less specific prefix. The table local is asked
// first and hides what the table main has inside its prefixes. Whatever the
// kernel would decide by more than the destination (sources, incoming device,
// rules, tunnels) is left to it.
//
// The resolver gives each prefix a group (group.go). All with the same hops
// share one, and all with the same next-hop object. The legs of a group are
// adjacencies (adjacency.go), one for each neighbor. So these are one store
// each, however many routes lead there:
//
//	neighbor moved, failed, found       its adjacency
//	link's MAC or MTU changed           the adjacency of each of its neighbors
//	link down, carrier lost             the same, then each group with a leg there
//	next-hop object changed             the group of each object or group with it
//	route to another next hop           the prefix
//
// An on-link prefix has no neighbor to lead to but the destination itself. It
// leads to the kernel, which finds the neighbor; each neighbor found has an
// entry of its own (hosts.go), if it is the prefix that its packets would take.
//
// # Reading everything again
//
// Netlink can lose messages, and the kernel does not tell everything. A dump
// goes into a fresh Mirror while the one in use goes on being followed; what is
// told meanwhile is applied to both; then the difference is published
// (resync.go, diff.go). Nothing is ever flushed.
//
// # Who owns what
//
//	Mirror in use, resolver, FIB's writing side   the Controller's goroutine
//	Mirror being filled by a dump                 that dump's, until it is complete
//	Forwarder                                     the Controller's goroutine (supervisor.go)
//	answers to questions                          who asked: they are copies
//
// IDs of groups and adjacencies that are no longer used rest until every worker
// has begun another batch, and only then mean something else.
package control
