package fib

import (
	"math"
	"math/bits"
	"slices"
)

// assign returns how many buckets each leg gets, and their total, a power of
// two. NewGroup states the rule.
func assign(legs []Leg) (counts []int64, total int64) {
	var weight int64 // below 2^42, so that times maxBuckets it fits
	for _, l := range legs {
		weight += int64(l.Weight)
	}
	for total = 1 << bits.Len(uint(len(legs)-1)); ; total *= 2 {
		counts = apportion(legs, weight, total)
		if total >= maxBuckets || fair(legs, counts, weight, total) {
			return counts, total
		}
	}
}

// apportion deals total buckets, of which there are at least as many as legs.
// All arithmetic is exact: a bucket is worth weight units, and a leg of weight w
// is due w*total of them.
func apportion(legs []Leg, weight, total int64) []int64 {
	counts := make([]int64, len(legs))
	left := total
	for i, l := range legs {
		counts[i] = max(1, int64(l.Weight)*total/weight)
		left -= counts[i]
	}
	for ; left > 0; left-- { // rounded down: one more for the leg that lacks most
		counts[neediest(legs, counts, weight, total)]++
	}
	for ; left < 0; left++ { // legs lifted to 1: who has most feels it least
		counts[slices.Index(counts, slices.Max(counts))]--
	}
	return counts
}

// neediest returns the first of the legs that lack most.
func neediest(legs []Leg, counts []int64, weight, total int64) int {
	best, most := 0, int64(math.MinInt64)
	for i, l := range legs {
		if lack := int64(l.Weight)*total - counts[i]*weight; lack > most {
			best, most = i, lack
		}
	}
	return best
}

// fair says whether every leg has what it is due, give or take 1/fairness.
func fair(legs []Leg, counts []int64, weight, total int64) bool {
	for i, l := range legs {
		due := int64(l.Weight) * total
		off := due - counts[i]*weight
		if max(off, -off) > due/fairness {
			return false
		}
	}
	return true
}
