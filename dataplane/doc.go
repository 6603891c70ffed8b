// Package dataplane forwards packets.
//
// A packet walks a straight line, one stage after the other, in batches:
//
//	  RX ring
//	     │ receive    descriptors become a Batch       worker.go, batch.go
//	     ▼
//	  classify        is the header whole and plain?   classify.go
//	     ▼
//	  lookup          address → group → next hop       lookup.go, flow.go
//	     ▼
//	  rewrite         hop limit, MTU, Ethernet header  rewrite.go
//	     ▼
//	  transmit        acts on reasons                  transmit.go
//	     │   │  │
//	     ▼   │  └──▶ queue ──▶ punter ──▶ kernel       punt.go, punter.go
//	TX rings │
//	         └──▶ free frames
//
// A packet that leaves the line has a Reason (reason.go); the zero Reason means
// that it goes out.
//
// Each Worker is a goroutine tied to a thread and a processor. It owns its
// batch, its sockets (an xdp.Backend) and its counters, and reads the FIB,
// which the controller publishes word by word (fib.go). Workers write nothing
// that another worker writes, but for an adjacency's mark that it is in use.
// On the packet's way nothing allocates, locks, logs or reads the clock.
//
// A Forwarder (forwarder.go) attaches the ports, opens the sockets, runs the
// workers and the punter, and undoes all of it.
package dataplane
