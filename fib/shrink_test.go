package fib_test

import (
	"slices"
	"testing"
)

// shrink returns the shortest part of ops that it finds to fail still: it leaves
// out ever smaller pieces (Zeller's ddmin, without its complements).
func shrink[T any](ops []T, fails func([]T) bool) []T {
	for size := (len(ops) + 1) / 2; size > 0; {
		left := false
		for at := 0; at < len(ops); {
			fewer := slices.Delete(slices.Clone(ops), at, min(at+size, len(ops)))
			if fails(fewer) {
				ops, left = fewer, true
			} else {
				at += size
			}
		}
		if !left || size > 1 {
			size /= 2
		}
	}
	return ops
}

func TestShrink(t *testing.T) {
	ops := make([]int, 1000)
	for i := range ops {
		ops[i] = i
	}
	fails := func(ops []int) bool { return slices.Contains(ops, 17) && slices.Contains(ops, 800) }
	if got := shrink(ops, fails); !slices.Equal(got, []int{17, 800}) {
		t.Errorf("shrink = %v, want 17 and 800", got)
	}
}
