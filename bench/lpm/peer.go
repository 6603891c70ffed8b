package lpm

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/fwd6/fwd6/fib"
)

// Peer is an implementation that can be asked for tables.
type Peer struct {
	Name string

	// Open makes an empty table, or says why there is none on this machine.
	Open func() (Table, error)

	// Alone says that its tables are not looked up while they are changed.
	Alone bool
}

// Peers are all peers, fwd6's variants first. The last of these is what fwd6
// chooses by itself, and what others are compared with.
func Peers() []Peer {
	var all []Peer
	for _, variant := range fib.Variants() {
		all = append(all, Peer{Name: "fwd6/" + variant, Open: func() (Table, error) { return newFwd6(variant), nil }})
	}
	return append(all,
		Peer{Name: "bart", Open: func() (Table, error) { return newBart(tableOps), nil }},
		Peer{Name: "bart-fast", Open: func() (Table, error) { return newBart(fastOps), nil }},
		Peer{Name: "linux-fib6", Open: openFib6},
		Peer{Name: "linux-trie", Open: openTrie},
		Peer{Name: "dpdk-fib6", Open: openDPDK, Alone: true},
	)
}

// Table is one peer's table.
//
// All methods but NewReader belong to one goroutine, the writer. Readers may
// look up while it writes, unless the peer is one that is Alone.
type Table interface {
	// Build fills the empty table, once, with routes in the order of
	// netip.Prefix.Compare, and says how long that took.
	Build(routes []Route) (time.Duration, error)

	// NewReader makes a reader. Any goroutine may call it; close the reader
	// before the table.
	NewReader() (Reader, error)

	// Set adds a route or changes its group, Remove takes one away that is
	// there. They say how long that took.
	Set(Route) (time.Duration, error)
	Remove(netip.Prefix) (time.Duration, error)

	// Bytes is the memory that the routes take, 0 if it cannot be found out.
	// Changes made since Build may be missing.
	Bytes() int

	Close() error
}

// Reader looks up for one goroutine.
type Reader interface {
	// Lookup looks up all destinations, puts their groups in out, which is as
	// long, and says how long that took, without getting there. A mode that
	// the peer does not have is errors.ErrUnsupported.
	Lookup(mode Mode, d Destinations, out []fib.GroupID) (time.Duration, error)

	Close() error
}

// Depther is a Table that knows how many steps its lookups take.
type Depther interface {
	Depth() (mean float64, ok bool)
}

// Route is a prefix and the group it leads to.
type Route struct {
	Prefix netip.Prefix
	Group  fib.GroupID
}

// timed says how long f takes.
func timed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}

// groups is how many groups routes lead to.
const groups = 1000

// Routes gives every prefix of a table a group, neighbors always different
// ones: a table that merges equal neighbors has nothing to merge.
func Routes(table []netip.Prefix) []Route {
	routes := make([]Route, len(table))
	for i, p := range table {
		routes[i] = Route{p, fib.GroupID(i%groups + 1)}
	}
	return routes
}

// Mode is how lookups follow one another: Serial, Independent, or in batches of
// so many.
type Mode int

// The modes that are no batches.
const (
	// Serial lookups each wait for the last: where to find the address depends
	// on its answer. This is the time of one lookup.
	Serial Mode = 0

	// Independent lookups are called one by one, but the processor may run
	// several at once. This is their rate.
	Independent Mode = 1
)

func (m Mode) String() string {
	switch m {
	case Serial:
		return "serial"
	case Independent:
		return "independent"
	}
	return fmt.Sprintf("batch of %d", int(m))
}

// never is zero, which the compiler does not know. What a lookup answered, anded
// with it and added to the next index, makes the next lookup wait.
var never fib.GroupID

// Destinations are addresses to look up, in the forms that peers want.
type Destinations struct {
	Fib   []fib.Addr
	Netip []netip.Addr
}

// NewDestinations converts addresses.
func NewDestinations(addrs []netip.Addr) Destinations {
	d := Destinations{Fib: make([]fib.Addr, len(addrs)), Netip: addrs}
	for i, a := range addrs {
		d.Fib[i] = fib.AddrFrom(a)
	}
	return d
}

// Len is how many addresses there are.
func (d Destinations) Len() int { return len(d.Fib) }

// Slice are those from i up to j.
func (d Destinations) Slice(i, j int) Destinations {
	return Destinations{d.Fib[i:j], d.Netip[i:j]}
}
