package fib_test

import (
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

func hop(s *fib.Groups, id fib.GroupID) fib.NextHopID { return s.Get(id).Select(12345) }

func single(t testing.TB, h fib.NextHopID) *fib.Group {
	return mustGroup(t, []fib.Leg{{NextHop: h, Weight: 1}})
}

func mustAddGroup(t testing.TB, s *fib.Groups, g *fib.Group) fib.GroupID {
	t.Helper()
	id, err := s.Add(g)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestGroups(t *testing.T) {
	s := fib.NewGroups()
	if h := hop(s, fib.NoRoute); h != 0 {
		t.Errorf("NoRoute leads to next hop %d, want 0", h)
	}
	a, b := mustAddGroup(t, s, single(t, 10)), mustAddGroup(t, s, single(t, 20))
	if a == b || a == fib.NoRoute || b == fib.NoRoute {
		t.Fatalf("IDs %d and %d: want two that differ, and not NoRoute", a, b)
	}
	s.Set(a, single(t, 11))
	if got := [...]fib.NextHopID{hop(s, a), hop(s, b)}; got != [...]fib.NextHopID{11, 20} {
		t.Errorf("next hops %v, want 11 and 20", got)
	}
	if h := hop(s, fib.MaxGroups-1); h != 0 {
		t.Errorf("an ID never used leads to next hop %d, want 0", h)
	}
	if s.Len() != 2 {
		t.Errorf("Len = %d, want 2", s.Len())
	}
}

// An ID comes back only after Release, and until then means what it meant.
func TestQuarantine(t *testing.T) {
	s := fib.NewGroups()
	var ids []fib.GroupID
	for h := range fib.NextHopID(4) {
		ids = append(ids, mustAddGroup(t, s, single(t, h+1)))
	}
	s.Remove(ids[0])
	s.Remove(ids[1])
	n := s.Quarantined() // from here on, two readers' worth of batches pass …
	s.Remove(ids[2])     // … but not since this
	if n != 2 || s.Len() != 1 || s.Quarantined() != 3 {
		t.Fatalf("Quarantined %d, then %d, Len %d, want 2, 3, 1", n, s.Quarantined(), s.Len())
	}
	fresh := mustAddGroup(t, s, single(t, 50))
	for i, id := range ids {
		if id == fresh {
			t.Errorf("ID %d given out again before Release", id)
		}
		if h := hop(s, id); h != fib.NextHopID(i+1) {
			t.Errorf("ID %d in quarantine leads to next hop %d, want %d as before", id, h, i+1)
		}
	}
	s.Release(n)
	for i, want := range []fib.NextHopID{0, 0, 3, 4} {
		if h := hop(s, ids[i]); h != want {
			t.Errorf("after Release ID %d leads to next hop %d, want %d", ids[i], h, want)
		}
	}
	again := map[fib.GroupID]bool{mustAddGroup(t, s, single(t, 51)): true, mustAddGroup(t, s, single(t, 52)): true}
	if !again[ids[0]] || !again[ids[1]] {
		t.Errorf("after Release Add gave %v, want %v", again, ids[:2])
	}
	if third := mustAddGroup(t, s, single(t, 53)); third == ids[2] {
		t.Errorf("ID %d given out again, removed after Quarantined was read", third)
	}
	if s.Quarantined() != 1 || s.Len() != 5 {
		t.Errorf("Quarantined %d, Len %d, want 1 and 5", s.Quarantined(), s.Len())
	}
}

func TestGroupsFull(t *testing.T) {
	s, g := fib.NewGroups(), single(t, 1)
	for range fib.MaxGroups - 1 {
		mustAddGroup(t, s, g)
	}
	if id, err := s.Add(g); !errors.Is(err, fib.ErrGroupsFull) || id != fib.NoRoute {
		t.Errorf("Add to full = %d, %v, want NoRoute, ErrGroupsFull", id, err)
	}
	s.Remove(77)
	if _, err := s.Add(g); !errors.Is(err, fib.ErrGroupsFull) {
		t.Errorf("Add before Release = %v, want ErrGroupsFull", err)
	}
	s.Release(1)
	if id := mustAddGroup(t, s, g); id != 77 {
		t.Errorf("Add after Release = %d, want 77", id)
	}
}

func TestGroupMisuse(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(s *fib.Groups, id fib.GroupID)
	}{
		{"removed twice", func(s *fib.Groups, id fib.GroupID) { s.Remove(id); s.Remove(id) }},
		{"set after remove", func(s *fib.Groups, id fib.GroupID) { s.Remove(id); s.Set(id, s.Get(id)) }},
		{"never added", func(s *fib.Groups, id fib.GroupID) { s.Remove(id + 1) }},
		{"NoRoute", func(s *fib.Groups, id fib.GroupID) { s.Remove(fib.NoRoute) }},
		{"released too many", func(s *fib.Groups, id fib.GroupID) { s.Remove(id); s.Release(2) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := fib.NewGroups()
			id := mustAddGroup(t, s, single(t, 1))
			defer func() {
				if recover() == nil {
					t.Error("want a panic")
				}
			}()
			tt.do(s, id)
		})
	}
}

// TestNeverAnothersGroup moves prefixes between short-lived groups while readers
// look them up in two steps, as workers do. Prefix i may only ever lead to next
// hops of i.
func TestNeverAnothersGroup(t *testing.T) {
	const prefixes, readers, rounds = 8, 3, 3000
	tab, groups := fib.New(), fib.NewGroups()
	var ps [prefixes]netip.Prefix
	var addrs [prefixes]fib.Addr
	var ids [prefixes]fib.GroupID
	for i := range ps {
		addrs[i] = fib.Addr{Hi: 0x20010db8<<32 | uint64(i)<<16}
		ps[i] = netip.PrefixFrom(addrs[i].Netip(), 48)
		ids[i] = mustAddGroup(t, groups, single(t, fib.NextHopID(i+1)))
		if err := tab.Add(ps[i], ids[i]); err != nil {
			t.Fatal(err)
		}
	}

	var passed [readers]atomic.Uint64 // batches that a reader has finished
	var stop atomic.Bool
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			var out [prefixes]fib.GroupID
			for !stop.Load() {
				tab.LookupBatch(addrs[:], out[:])
				runtime.Gosched() // stay in the middle of the batch for a while
				for i, id := range out {
					if h := hop(groups, id); h%prefixes != fib.NextHopID(i+1)%prefixes {
						t.Errorf("prefix %d led to next hop %d", i, h)
						stop.Store(true)
					}
				}
				passed[r].Add(1)
			}
		})
	}

	var at [readers]uint64 // passed, when waiting was read off Quarantined
	waiting, released := 0, 0
	for round := range rounds {
		if stop.Load() {
			break
		}
		i := round % prefixes
		old := ids[i]
		ids[i] = mustAddGroup(t, groups, single(t, fib.NextHopID(prefixes*(round+1)+i+1)))
		if err := tab.Add(ps[i], ids[i]); err != nil {
			t.Fatal(err)
		}
		groups.Remove(old)
		all := true
		for r := range readers {
			all = all && passed[r].Load() > at[r] // the batch begun before has ended
		}
		if all {
			groups.Release(waiting)
			released += waiting
			waiting = groups.Quarantined()
			for r := range readers {
				at[r] = passed[r].Load()
			}
		}
		runtime.Gosched()
	}
	stop.Store(true)
	wg.Wait()
	if released == 0 {
		t.Error("nothing was released: the test showed nothing")
	}
	t.Logf("%d of %d IDs released", released, rounds)
}
