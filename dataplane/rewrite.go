package dataplane

import "github.com/fwd6/fwd6/dataplane/wire"

// rewrite turns a packet that came in into the packet that goes out: one off
// the hop limit, a new Ethernet header. The checks stand in the order of
// ip6_forward in net/ipv6/ip6_output.c, so that of two reasons for an answer
// the kernel gives the same one.
func (b *Batch) rewrite(f *FIB) {
	for i := range b.n {
		if b.reason[i] != Forward {
			continue
		}
		adj := f.Adjacencies.Get(b.nextHop[i])
		adj.markUsed()
		h := b.headers(i)
		b.reason[i] = admit(h, b.length[i], b.port, adj)
		if b.reason[i] != Forward {
			continue
		}
		h.SetEthernet(&adj.Rewrite)
		h.DecrementHopLimit()
		b.egress[i] = adj.Port
	}
}

// admit says whether a packet of length bytes that came in by port from may
// leave by adj.
func admit(h *wire.Headers, length uint32, from PortID, adj *Adjacency) Reason {
	if adj.Reason != Forward {
		return adj.Reason
	}
	// RFC 8200 §3: discard a packet whose hop limit "was zero when received
	// or is decremented to zero". One comparison covers both.
	if h.HopLimit() <= 1 {
		return PuntHopLimit
	}
	if adj.Port == from {
		return PuntRedirect
	}
	if length > adj.MTU {
		return PuntTooBig
	}
	return Forward
}
