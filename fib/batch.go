package fib

// LookupBatch looks up every address of addrs and puts its group at the same
// place of out, which must be at least as long. Each answer for itself is right
// as one of Lookup is, at some moment during the call.
//
// It is fastest for 64 addresses or a multiple.
func (t *Table) LookupBatch(addrs []Addr, out []GroupID) {
	out = out[:len(addrs)]
	v := t.view.Load()
	if k := chosen.Load(); k.lanes > 0 {
		v.vectorBatch(k, addrs, out)
		return
	}
	v.plainBatch(addrs, out)
}

func (v *view) plainBatch(addrs []Addr, out []GroupID) {
	for i, a := range addrs {
		out[i] = v.lookup(a).group()
	}
}

// vectorBatch looks up as many at a time as the kernel takes, and fills the last
// of it up with any.
func (v *view) vectorBatch(k *kernel, addrs []Addr, out []GroupID) {
	mem, head := &v.mem[0], &v.mem[v.head]
	for ; len(addrs) >= k.lanes; addrs, out = addrs[k.lanes:], out[k.lanes:] {
		k.run(v.wide, mem, head, &addrs[0], &out[0])
	}
	if len(addrs) > 0 {
		var rest [maxLanes]Addr
		var groups [maxLanes]GroupID
		copy(rest[:], addrs)
		k.run(v.wide, mem, head, &rest[0], &groups[0])
		copy(out, groups[:])
	}
}
