package xdp

// Missing says how many frames of a backend are neither free nor on a ring.
// The worker must hold none. In copy mode the kernel may keep one a socket: a
// frame that it took from the fill ring before it found the RX ring full.
func Missing(b Backend) int {
	switch b := b.(type) {
	case *Shared:
		n := len(b.frames.stack) - b.frames.free
		for i := range b.sockets {
			s := &b.sockets[i]
			n -= s.fill.pending() + s.tx.pending() + s.rx.pending() + s.completion.pending()
		}
		return n
	default:
		return missingElsewhere(b)
	}
}

// Unsent says how many descriptors wait to be taken by the kernel.
func Unsent(b Backend) (n int) {
	switch b := b.(type) {
	case *Shared:
		for i := range b.sockets {
			n += b.sockets[i].tx.pending()
		}
	default:
		n = unsentElsewhere(b)
	}
	return n
}

func (p *Producer[T]) pending() int { return int(p.next - p.peer.Load()) }
func (c *Consumer[T]) pending() int { return int(c.peer.Load() - c.next) }
