package dataplane

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
		b.reason[i] = b.admit(i, adj)
		if b.reason[i] != Forward {
			continue
		}
		frame := b.frame(i)
		copy(frame[:len(adj.Rewrite)], adj.Rewrite[:])
		b.packet(i).DecrementHopLimit()
		b.egress[i] = adj.Port
	}
}

// admit says whether packet i may leave by adj.
func (b *Batch) admit(i int, adj *Adjacency) Reason {
	if adj.Reason != Forward {
		return adj.Reason
	}
	// RFC 8200 §3: discard a packet whose hop limit "was zero when received
	// or is decremented to zero". One comparison covers both.
	if b.packet(i).HopLimit() <= 1 {
		return PuntHopLimit
	}
	if adj.Port == b.port {
		return PuntRedirect
	}
	if b.length[i] > adj.MTU {
		return PuntTooBig
	}
	return Forward
}
