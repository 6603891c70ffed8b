package dataplane

import "github.com/fwd6/fwd6/fib"

// lookup finds every packet's next hop: prefix → group → leg. Packets that
// have left the line are looked up with the rest, because a full batch is
// cheaper than a choice; nobody reads what they find.
func (b *Batch) lookup(f *FIB) {
	f.Routes.LookupBatch(b.dst[:b.n], b.group[:b.n])
	for i := range b.n {
		if b.reason[i] != Forward {
			continue
		}
		b.nextHop[i] = pick(f.Groups.Get(b.group[i]), b, i)
	}
}

// pick chooses the leg of packet i. Most groups have only one.
func pick(g *fib.Group, b *Batch, i int) fib.NextHopID {
	if g.Single() {
		return g.Select(0)
	}
	return g.Select(flowHash(b.headers(i)))
}
