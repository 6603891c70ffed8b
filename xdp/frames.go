package xdp

// frames is a UMEM and the stack of its free frames. Last in, first out: the
// frame sent last is the one whose lines are still in the cache.
//
// It belongs to one worker. It never grows: putting more frames back than
// were taken is a bug in the caller and panics.
type frames struct {
	memory []byte
	mask   uint64   // takes an address to the start of its frame
	stack  []uint64 // addresses; those below free are free
	free   int
}

// newFrames cuts memory into frames of size bytes, a power of two. All are
// free.
func newFrames(memory []byte, size int) frames {
	f := frames{
		memory: memory,
		mask:   ^uint64(size - 1),
		stack:  make([]uint64, len(memory)/size),
	}
	f.free = len(f.stack)
	for i := range f.stack { // the lowest on top
		f.stack[i] = uint64((len(f.stack) - 1 - i) * size)
	}
	return f
}

// take removes n frames, which must be there. They are valid until frames are
// put back.
func (f *frames) take(n int) []uint64 {
	f.free -= n
	return f.stack[f.free : f.free+n]
}

// put makes the frames of descs free.
func (f *frames) put(descs []Desc) {
	for i := range descs {
		f.stack[f.free] = descs[i].Addr & f.mask
		f.free++
	}
}

// reap makes all frames free that the kernel has completed, and says how many.
func (f *frames) reap(completion *Consumer[uint64]) int {
	n := completion.Peek(len(f.stack))
	if n == 0 {
		return 0
	}
	done := f.stack[f.free : f.free+n]
	completion.Get(done)
	completion.Release(n)
	for i := range done {
		done[i] &= f.mask
	}
	f.free += n
	return n
}

// refill gives the kernel as many free frames as the fill ring takes.
func (f *frames) refill(fill *Producer[uint64]) {
	if n := fill.Reserve(f.free); n > 0 {
		fill.Put(f.take(n))
		fill.Submit()
	}
}
