package xdp_test

import (
	"runtime"
	"testing"

	"github.com/fwd6/fwd6/xdp"
	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// newRing makes both ends of a ring whose indices stand at start.
func newRing(size int, start uint32) (*xdp.Producer[uint64], *xdp.Consumer[uint64], *sys.Ring[uint64]) {
	r := sys.NewRing[uint64](size)
	r.Producer.Store(start)
	r.Consumer.Store(start)
	p, c := xdp.NewProducer(r), xdp.NewConsumer(r)
	return &p, &c, r
}

func TestRingReserveAndPeek(t *testing.T) {
	p, c, _ := newRing(4, 0)
	steps := []struct {
		name string
		got  int
		want int
	}{
		{"peek at an empty ring", c.Peek(1), 0},
		{"reserve less than the size", p.Reserve(3), 3},
		{"reserve more than the size", p.Reserve(9), 4},
		{"submit nothing", p.Submit(), 0},
		{"submit three", func() int { p.Put([]uint64{1, 2, 3}); return p.Submit() }(), 3},
		{"reserve with one free", p.Reserve(2), 1},
		{"peek at three", c.Peek(9), 3},
		{"peek at fewer", c.Peek(2), 2},
		{"reserve before the release", p.Reserve(2), 1},
		{"reserve after it", func() int { c.Release(2); return p.Reserve(4) }(), 3},
	}
	for _, s := range steps {
		if s.got != s.want {
			t.Errorf("%s: got %d, want %d", s.name, s.got, s.want)
		}
	}
}

// What is put is not seen before it is submitted.
func TestRingSubmit(t *testing.T) {
	p, c, _ := newRing(4, 0)
	p.Put([]uint64{7})
	if n := c.Peek(1); n != 0 {
		t.Errorf("Peek before Submit = %d, want 0", n)
	}
	if !p.Empty() {
		t.Error("Empty before Submit = false")
	}
	p.Submit()
	if p.Empty() {
		t.Error("Empty after Submit = true")
	}
	c.Release(c.Peek(1))
	if !p.Empty() {
		t.Error("Empty after Release = false")
	}
}

// Entries keep their order around the end of the ring and of the index.
func TestRingWraps(t *testing.T) {
	for _, start := range []uint32{0, 5, 1<<32 - 3} {
		p, c, _ := newRing(8, start)
		next, want := uint64(0), uint64(0)
		for n := range 100 {
			n = n%8 + 1
			values := make([]uint64, n)
			for i := range values {
				values[i] = next
				next++
			}
			if got := p.Reserve(n); got != n {
				t.Fatalf("start %d: Reserve(%d) = %d", start, n, got)
			}
			p.Put(values)
			p.Submit()
			got := make([]uint64, c.Peek(9))
			c.Get(got)
			c.Release(len(got))
			if len(got) != n {
				t.Fatalf("start %d: Peek = %d, want %d", start, len(got), n)
			}
			for _, v := range got {
				if v != want {
					t.Fatalf("start %d: got %d, want %d", start, v, want)
				}
				want++
			}
		}
	}
}

func TestRingNeedWakeup(t *testing.T) {
	p, _, r := newRing(4, 0)
	if p.NeedWakeup() {
		t.Error("NeedWakeup of a new ring")
	}
	r.Flags.Store(sys.RingNeedWakeup)
	if !p.NeedWakeup() {
		t.Error("NeedWakeup is not seen")
	}
}

// The two ends may run on different cores. The race detector sees to it that
// entries are ordered with the indices.
func TestRingConcurrent(t *testing.T) {
	p, c, _ := newRing(64, 0)
	const total = 200_000
	go func() {
		var values [16]uint64
		for next := uint64(0); next < total; {
			n := p.Reserve(min(len(values), int(total-next)))
			if n == 0 {
				runtime.Gosched()
			}
			for i := range n {
				values[i] = next
				next++
			}
			p.Put(values[:n])
			p.Submit()
		}
	}()
	var values [24]uint64
	for want := uint64(0); want < total; {
		n := c.Peek(len(values))
		if n == 0 {
			runtime.Gosched()
		}
		c.Get(values[:n])
		c.Release(n)
		for _, v := range values[:n] {
			if v != want {
				t.Fatalf("got %d, want %d", v, want)
			}
			want++
		}
	}
}
