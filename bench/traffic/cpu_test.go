package traffic

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// burn keeps a processor busy for a while, with this goroutine tied to it.
func burn(t *testing.T, cpu int, d time.Duration) {
	runtime.LockOSThread() // and never unlocked: the thread goes with the goroutine
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Error(err)
	}
	for start := time.Now(); time.Since(start) < d; {
	}
}

func TestFreeCPU(t *testing.T) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	want := last(allowed)
	if got, err := freeCPU(0); err != nil || got != want {
		t.Errorf("free processor beside nobody = %d, %v, want %d", got, err, want)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		burn(t, want, 200*time.Millisecond)
	}()
	time.Sleep(50 * time.Millisecond)
	others := allowed
	others.Clear(want)
	if others.Count() > 0 {
		want = last(others)
	}
	if got, err := freeCPU(os.Getpid()); err != nil || got != want {
		t.Errorf("free processor beside a worker on the last one = %d, %v, want %d", got, err, want)
	}
	<-done
}

func TestUsage(t *testing.T) {
	cpu, err := freeCPU(0)
	if err != nil {
		t.Fatal(err)
	}
	before, err := readUsage()
	if err != nil {
		t.Fatal(err)
	}
	const d = 300 * time.Millisecond
	done := make(chan struct{})
	go func() {
		defer close(done)
		burn(t, cpu, d)
	}()
	<-done
	after, err := readUsage()
	if err != nil {
		t.Fatal(err)
	}
	// Other processes may have had a part of the processor, or used others.
	u := after.since(before, cpu)
	if u.Source < d/3 || u.Busy < u.Source || u.Forwarding != u.Busy-u.Source {
		t.Errorf("%v of one processor's work counted as %+v", d, u)
	}
	elsewhere := after.since(before, cpu+1)
	if elsewhere.Busy != u.Busy || elsewhere.Forwarding < d/3 {
		t.Errorf("%v of work on processor %d, seen from another one, counted as %+v", d, cpu, elsewhere)
	}
}

func TestDue(t *testing.T) {
	for _, tt := range []struct {
		plan    plan
		elapsed time.Duration
		want    uint64
	}{
		{plan{count: 100}, 0, 100},
		{plan{count: unlimited}, time.Hour, unlimited},
		{plan{count: unlimited, perSecond: 1000}, 0, 0},
		{plan{count: unlimited, perSecond: 1000}, 1500 * time.Millisecond, 1500},
		{plan{count: 1200, perSecond: 1000}, 1500 * time.Millisecond, 1200},
	} {
		if got := tt.plan.due(tt.elapsed); got != tt.want {
			t.Errorf("due(%v) of %+v = %d, want %d", tt.elapsed, tt.plan, got, tt.want)
		}
	}
}
