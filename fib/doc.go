// Package fib answers the one question of forwarding: which next-hop group
// serves this destination. It knows no socket, clock or device; a port is a
// number and a next hop is an index.
//
//	          Table                         Groups
//	Addr ──Lookup──▶ GroupID ──Get──▶ Group ──Select(flow hash)──▶ NextHopID
//	     longest-prefix       one slot         one bucket
//	         match
//
// A prefix leads to a group, and many prefixes share one: when a neighbor moves
// or a leg dies, one slot of Groups changes and no prefix. What a NextHopID
// means is the data plane's business; 0 means that there is no route.
//
// # Terms
//
// A Table holds prefixes of all lengths, /0 to /128, each with a GroupID. The
// longest prefix that covers an address serves it. A Group has legs, next hops
// with weights, which NewGroup turns into buckets; the flow hash picks a bucket,
// so that all packets of a flow take one leg.
//
// # The trie
//
// A node consumes 4 bits of the address and so has 16 slots. It keeps the
// prefixes that end in it, and for each slot the way on: another node, a leaf,
// or none. Only what exists takes room: a bit set says what does, and the n-th
// bit set is the n-th item of a slice.
//
//	           ┌─ node ──────────────────────────────────────────────────────┐
//	           │ path, depth   the address bits that lead here               │
//	           │ own    ........ bit set of indices ──▶ groups []GroupID     │
//	           │ kids   ........ bit set of slots   ──▶ nodes  []*node ──┐   │
//	           │ lone   ........ bit set of slots   ──▶ leaves []leaf    │   │
//	           └─────────────────────────────────────────────────────────┼───┘
//	leaf: address, length, group of the slot's only prefix               ▼
//	                                                             nodes, deeper by
//	                                                             any multiple of 4
//
// The indices of own number the prefixes that can end in one node as a binary
// heap does; the parent of i, one bit shorter, is i/2. A prefix of four bits
// more than the node's depth is at home here, not in the node below, so index 1
// is ::/0 in the root and otherwise unused:
//
//	bits beyond depth   0    1      2          3                4
//	index               1   2 3   4 5 6 7   8 9 … 14 15   16 17 … 30 31
//
// Paths are compressed: where nothing parts, there is no node. A node below may
// therefore be much deeper than its parent, and says by its path what was
// skipped; a prefix that is alone in its slot is a leaf, whatever its length. So
// a table of host routes takes no long chains, and the shape follows from the
// contents alone, however they came about: each node but the root parts two
// prefixes at least.
//
// A lookup walks down from the root while the path of the node agrees with the
// address, and remembers the last prefix on the way that covers it.
//
// # Publishing
//
// A published node never changes. An update copies the nodes on the way from
// the root to the change, a handful of about 100 bytes each, and stores the new
// root:
//
//	before   root ─▶ A ─▶ B ─▶ C         readers that loaded root go on here
//	                 └──▶ X └─▶ Y
//	after    root'─▶ A'─▶ B'─▶ C'        X and Y are shared
//
// That store, after everything it leads to, is the whole protocol: readers take
// no lock, retry nothing, and pass only nodes that belonged together at one
// moment. Copying only the node that changes would be cheaper and wrong: a
// reader could pass an upper node before a covering prefix is added there, and a
// lower one after the longer prefix is removed, and find no route where there
// always was one. Old nodes are the garbage collector's.
//
// # What an update shows
//
// For each address, a lookup gives the answer from before an update or the one
// from after it, never a third, and the later one once Add or Remove has
// returned. That is all a caller may count on. In particular, while a prefix that
// covers others is added, changed or removed, the addresses that it serves need
// not change over all at once, and the answers of one LookupBatch may be from
// before for one address and from after for another. (With one root they do
// change at once; the promise leaves room for a trie that changes in place.)
//
// Changes of a Table and of Groups are apart: a reader may combine a GroupID from
// before one change with a Group from after another. The writer keeps this right
// by order: a group is added before a prefix leads to it, and removed after no
// prefix does, and its ID rests in quarantine until no reader can hold it
// (Groups.Release).
//
// # Who owns what
//
//	thing                         writer                        readers
//	nodes of the trie             controller, until published   anyone
//	root of the trie, slots of    controller                    anyone, by atomic load
//	Groups
//	a Group                       nobody, once made             anyone
//	free and quarantined IDs      controller                    controller
package fib
