package fib_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

// shares returns how many buckets lead to each next hop, and how many there
// are, by trying hashes: a group's buckets are a power of two up to 4096.
func shares(g *fib.Group) (counts map[fib.NextHopID]int, total int) {
	var hops []fib.NextHopID
	for hash := range uint32(4096) {
		hops = append(hops, g.Select(hash))
	}
	for total = 1; total < len(hops); total *= 2 {
		if slices.Equal(hops, slices.Repeat(hops[:total], 4096/total)) {
			break
		}
	}
	counts = make(map[fib.NextHopID]int)
	for _, h := range hops[:total] {
		counts[h]++
	}
	return counts, total
}

func legs(weights ...uint32) (legs []fib.Leg) {
	for i, w := range weights {
		legs = append(legs, fib.Leg{NextHop: fib.NextHopID(i + 1), Weight: w})
	}
	return legs
}

func mustGroup(t testing.TB, legs []fib.Leg) *fib.Group {
	t.Helper()
	g, err := fib.NewGroup(legs)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestBuckets(t *testing.T) {
	const huge = math.MaxUint32
	for _, tt := range []struct {
		name    string
		weights []uint32
		want    []int
	}{
		{"one", []uint32{1}, []int{1}},
		{"one, heavy", []uint32{huge}, []int{1}},
		{"two", []uint32{1, 1}, []int{1, 1}},
		{"two, heavy", []uint32{huge, huge}, []int{1, 1}},
		{"1 to 3", []uint32{1, 3}, []int{1, 3}},
		{"3 to 1, not reduced", []uint32{300, 100}, []int{3, 1}},
		{"three", []uint32{1, 1, 1}, []int{43, 43, 42}},
		{"1 to 2", []uint32{1, 2}, []int{21, 43}},
		{"five", []uint32{1, 1, 1, 1, 1}, []int{52, 51, 51, 51, 51}},
		{"1 to 255", []uint32{1, 255}, []int{1, 255}},
		{"1 to 256", []uint32{1, 256}, []int{1, 255}},
		{"1 to very many", []uint32{1, huge}, []int{1, 4095}},
		{"two negligible", []uint32{1, huge, 1}, []int{1, 4094, 1}},
		{"the heavy give way to the light", []uint32{1, 1, 1, huge, huge}, []int{1, 1, 1, 2046, 2047}},
	} {
		counts, total := shares(mustGroup(t, legs(tt.weights...)))
		var got []int
		sum := 0
		for i, w := range tt.want {
			got = append(got, counts[fib.NextHopID(i+1)])
			sum += w
		}
		// shares finds the period: a group whose buckets repeat shows fewer.
		if !slices.Equal(got, tt.want) || total != sum {
			t.Errorf("%s: %v of %d, want %v of %d", tt.name, got, total, tt.want, sum)
		}
	}
}

// TestWorstShare holds random groups to the two bounds that NewGroup states.
func TestWorstShare(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	worst := 0.0
	for range 2000 {
		n := 1 + rng.IntN(20)
		if rng.IntN(50) == 0 {
			n = 1 + rng.IntN(fib.MaxLegs)
		}
		limit := []uint64{1, 4, 100, 65536, math.MaxUint32}[rng.IntN(5)]
		weights, sum := make([]uint32, n), 0.0
		for i := range weights {
			weights[i] = uint32(1 + rng.Uint64N(limit))
			sum += float64(weights[i])
		}
		counts, total := shares(mustGroup(t, legs(weights...)))
		lightest := float64(slices.Min(weights)) / sum
		for i, w := range weights {
			c := counts[fib.NextHopID(i+1)]
			due := float64(w) / sum
			off := math.Abs(float64(c)/float64(total) - due)
			switch {
			case c == 0:
				t.Fatalf("%v: leg %d has no bucket", weights, i)
			case n > 1 && off >= float64(n)/4096 && off > due/64+1e-12:
				t.Fatalf("%v: leg %d is off by %v, want below %v", weights, i, off, float64(n)/4096)
			case lightest >= 1.0/64 && off > due/64+1e-12:
				t.Fatalf("%v: leg %d is off by %v of its due, want at most 1/64", weights, i, off/due)
			case lightest >= 1.0/64:
				worst = max(worst, off/due)
			}
		}
	}
	t.Logf("worst share among groups without a light leg: %.4f of its due, bound %.4f", worst, 1.0/64)
}

func TestGroupIsDeterministic(t *testing.T) {
	in := legs(5, 1, 3)
	a, b := mustGroup(t, in), mustGroup(t, in)
	in[0] = fib.Leg{NextHop: 99, Weight: 99} // the group has its own copy
	for hash := range uint32(4096) {
		if a.Select(hash) != b.Select(hash) || a.Select(hash) == 99 {
			t.Fatalf("Select(%d) = %d and %d, want the same leg of the original", hash, a.Select(hash), b.Select(hash))
		}
	}
	a.Legs()[0].Weight = 99
	if got := a.Legs(); !slices.Equal(got, legs(5, 1, 3)) {
		t.Errorf("Legs = %v, want %v", got, legs(5, 1, 3))
	}
}

func TestBadGroups(t *testing.T) {
	for _, tt := range []struct {
		name string
		legs []fib.Leg
		want error
	}{
		{"none", nil, fib.ErrBadGroup},
		{"weight 0", legs(1, 0), fib.ErrBadGroup},
		{"most", legs(slices.Repeat([]uint32{1}, fib.MaxLegs)...), nil},
		{"one too many", legs(slices.Repeat([]uint32{1}, fib.MaxLegs+1)...), fib.ErrBadGroup},
	} {
		if g, err := fib.NewGroup(tt.legs); !errors.Is(err, tt.want) || (g == nil) != (tt.want != nil) {
			t.Errorf("%s: %v, %v, want error %v", tt.name, g != nil, err, tt.want)
		}
	}
}
