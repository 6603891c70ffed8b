package xdp

func missingElsewhere(b Backend) (n int) {
	for _, s := range b.(*copying).sockets {
		n += len(s.frames.stack) - s.frames.free
		n -= s.ringSize - s.lib.NumFreeFillSlots()
		n -= s.ringSize - s.lib.NumFreeTxSlots()
		n -= s.lib.NumReceived() + s.completion.pending()
		n -= s.tail - s.head + len(s.queued)
	}
	return n
}

func unsentElsewhere(b Backend) (n int) {
	for _, s := range b.(*copying).sockets {
		n += s.ringSize - s.lib.NumFreeTxSlots() + len(s.queued)
	}
	return n
}
