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
// The writer has all prefixes in a sorted list (routes.go), which no reader
// sees. Readers walk a trie that is made from it: a level-compressed multibit
// trie in the manner of Poptrie (Asai and Ohara, SIGCOMM 2015) and LC-tries
// (Nilsson and Karlsson, 1999), whose every node is one word of 64 bits in memory
// off the Go heap, with no pointers. A step of a lookup is one load.
//
//	root ─▶ run of words                the first 4 bits pick a root, 8 to 16
//	         │                          more a word of its run
//	         ▼
//	       inner ──┬─ slot with a kid ─▶ run of 2^e words: e more bits pick one
//	               └─ slot without ────▶ leaf: a code of 16 (or 32) bits
//	       lone     one prefix alone: up to 26 bits of it, its code, and the code
//	                of all around it, in the word itself
//	       skip ──▶ block: 128 bits of address, the word that leads on where they
//	                agree, the word for where they do not
//
// An inner word consumes 4 bits, its slots. It says by one bit each which have a
// kid and at which a leaf begins that is not the leaf before it, so a count of
// bits finds either. Leaves and runs stand in one block, leaves just before the
// place that the word names, runs behind it:
//
//	… leaf 3, leaf 2, leaf 1 │ run of the first kid │ run of the second │ …
//	                   block ┘
//
// How many bits more its kids are apart, e, is what level compression chooses
// (stride.go): more bits are fewer steps and more memory, and the table is
// fastest where it fits the processor's second-level cache. A prefix that is alone
// in its region ends the way there, however long it is. Where all prefixes of a
// region share many bits, a skip word passes over them: so /128s cost no long
// chains. A reader sees 60 bits from the last skip, so the second half of an
// address always comes behind one.
//
// A code is one more than a GroupID; 0 says that no prefix covers the address but
// those of up to 12 bits, which are in a table of their own, and the default
// route, which is one word. So these change without touching the trie.
//
// # Publishing
//
// The trie is leaf-pushed: what a word says of its region holds by itself,
// whatever is above. An update makes one new block beside the old one and stores
// the word that leads to it; the words above stay, and so do all blocks below that
// have not changed, which both lead to.
//
//	before   word ──▶ block ─┬▶ X       a reader that loaded word goes on in the
//	                         └▶ Y       old block, which stays as it is
//	after    word'─▶ block'─┬▶ X        X and Y are shared, and followed in both
//	                        └▶ Y'
//
// A leaf or a word of a run that changes by itself is stored where it is. So a
// reader needs no lock and retries nothing: wherever it is, what it finds was right
// when its block was retired, or is right now.
//
// The short prefixes and the default route are not of one piece with the trie.
// A reader looks there after the trie, so the writer, before it changes them,
// waits for all that may have looked at the trie before its last change: for the
// time of a batch, and only for the first such change after one of the trie. A
// reader that does not leave in time (StuckReaders) is not waited for: what it
// finds in that one batch may be a route that its address never had.
//
// # What an update shows
//
// For each address, a lookup gives the answer from before an update or the one
// from after it, never a third, and the later one once Add or Remove has
// returned. That is all a caller may count on. In particular, while a prefix that
// covers others is added, changed or removed, it spreads word by word: the
// addresses that it serves do not change over all at once, and the answers of one
// LookupBatch may be from before for one address and from after for another.
//
// Changes of a Table and of Groups are apart: a reader may combine a GroupID from
// before one change with a Group from after another. The writer keeps this right
// by order: a group is added before a prefix leads to it, and removed after no
// prefix does, and its ID rests in quarantine until no reader can hold it
// (Groups.Release).
//
// # Reclamation
//
// A Reader says when it may hold something (Enter, Leave: a batch). A retired
// block is used again when every reader that was busy then has left since
// (epoch.go). A reader that sleeps has left and holds nothing up; one that never
// leaves keeps memory from being used again, and is counted (StuckReaders).
//
// # Memory
//
// Blocks are cut from one half of the memory that the table is given. In time
// they scatter, and strides no longer fit the table; then Tidy makes the trie anew
// in the other half, word by word of the roots, while lookups and updates go on,
// and the halves change places. When more than 65,534 groups are in use, values
// need 32 bits, and the trie is made anew likewise, once, under a head of its own.
// Memory is full when an update may find no room: then Add says ErrFull, and
// nothing has changed. An update that runs out of it all the same has the whole
// trie made anew; if a stuck reader is in the way of that, readers find no routes
// at all until it leaves (Lost), and never a wrong one.
//
// # Forms of a lookup
//
// LookupBatch has three forms (Variants): plain Go, which every machine runs; one
// of AVX2 that takes 16 addresses along, and one of AVX-512 that takes 64. They
// walk the same words and give the same answers. Lookup has a plain form and one
// for processors with BMI2, without branches. The variable FWD6_CPU of the
// environment (generic, avx2, avx512) chooses.
//
// # Who owns what
//
//	thing                         writer                        readers
//	sorted list of prefixes       controller                    controller
//	words of the trie             controller                    anyone, by atomic load
//	                                                            between Enter and Leave
//	slots of Groups               controller                    anyone, by atomic load
//	a Group                       nobody, once made             anyone
//	free and quarantined IDs      controller                    controller
//	a Reader's epoch              its goroutine                 controller
package fib
