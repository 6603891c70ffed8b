package fib_test

import (
	"net/netip"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

// everyThird builds a table of n /48s, with one missing between any two and now
// and then more.
func everyThird(t *testing.T, n int) *fib.Table {
	t.Helper()
	tab := fib.New()
	err := tab.Build(func(yield func(netip.Prefix, fib.GroupID) bool) {
		for i := range n {
			a := fib.Addr{Hi: 0x2001<<48 + uint64(2*i+i/3)<<16}
			if !yield(netip.PrefixFrom(a.Netip(), 48), fib.GroupID(i*7%100)) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// What is forecast for as many prefixes again is what they take, more or less.
func TestForecast(t *testing.T) {
	if n := fib.New().Stats().Forecast(1 << 20); n != 0 {
		t.Errorf("forecast of an empty table: %d bytes, want 0: nothing is known", n)
	}
	const n = 1 << 16
	now, twice := everyThird(t, n).Stats(), everyThird(t, 2*n).Stats()
	got, want := now.Forecast(n), 8*(twice.UsedWords-now.UsedWords)
	if got < want*3/4 || got > want*5/4 {
		t.Errorf("forecast of %d bytes for %d prefixes more, they take %d", got, n, want)
	}
}

func TestStatsAddUp(t *testing.T) {
	s := everyThird(t, 10_000).Stats()
	ends := 0
	for _, n := range s.Depths {
		ends += n
	}
	if ends != s.Lone+s.Leaves {
		t.Errorf("%d ends by depth, want the %d lone words and %d leaves", ends, s.Lone, s.Leaves)
	}
	if s.Prefixes != 10_000 || s.UsedWords <= 0 || s.UsedWords+s.FreeWords+s.RetiredWords > s.ReservedWords {
		t.Errorf("%+v does not add up", s)
	}
}
