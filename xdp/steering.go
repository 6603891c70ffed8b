package xdp

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// bpf/check.sh checks that what is committed is what these give.
//
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -type verdict sort bpf/sort.c -- -mcpu=v3 -Wall -Wextra -Werror -I/usr/include/x86_64-linux-gnu
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel inject bpf/inject.c -- -mcpu=v3 -Wall -Wextra -Werror -I/usr/include/x86_64-linux-gnu

// staleAfter is how long a worker may be silent before its packets go to the
// kernel: five times the longest sleep of an idle worker, and short enough to
// lose little. The program counts it in timer ticks.
const staleAfter = 10 * time.Millisecond

// Steering is what the XDP programs of all ports share: the host's addresses
// and the workers' heartbeats.
//
// Any goroutine may call its methods. Close comes after the workers' end and
// after the Close of every Program.
type Steering struct {
	workers    int
	staleTicks uint64
	heartbeats *ebpf.Map
	local      *ebpf.Map
	beats      *sys.Words

	mu      sync.Mutex
	generic atomic.Pointer[map[int]bool] // ifindexes in generic mode; replaced, never changed
}

// NewSteering prepares steering to the given number of workers.
func NewSteering(workers int) (*Steering, error) {
	if workers < 1 {
		return nil, fmt.Errorf("prepare steering: %d workers", workers)
	}
	// Kernels before 5.11 count BPF maps as locked memory. If the limit stays,
	// creating maps fails, and says so.
	_ = rlimit.RemoveMemlock()
	tick, err := sys.Tick()
	if err != nil {
		return nil, fmt.Errorf("prepare steering: %w", err)
	}
	s := &Steering{workers: workers, staleTicks: max(1, uint64(staleAfter/tick))}
	s.generic.Store(&map[int]bool{})
	spec, err := s.spec()
	if err != nil {
		return nil, fmt.Errorf("prepare steering: %w", err)
	}
	if err := s.create(spec); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare steering: %w", withAdvice(err)), s.Close())
	}
	return s, nil
}

// spec is the program and its maps as they are to be loaded.
func (s *Steering) spec() (*ebpf.CollectionSpec, error) {
	spec, err := loadSort()
	if err != nil {
		return nil, err
	}
	spec.Maps[sortMapHeartbeats].MaxEntries = uint32(s.workers)
	return spec, spec.Variables[sortVarStaleTicks].Set(s.staleTicks)
}

func (s *Steering) create(spec *ebpf.CollectionSpec) (err error) {
	if s.local, err = ebpf.NewMap(spec.Maps[sortMapLocal]); err != nil {
		return err
	}
	if s.heartbeats, err = ebpf.NewMap(spec.Maps[sortMapHeartbeats]); err != nil {
		return err
	}
	s.beats, err = sys.MapWords(s.heartbeats.FD(), s.workers*wordsPerLine)
	return err
}

// wordsPerLine is the number of words in a cache line, which is the size of
// struct heartbeat and struct queue in bpf/sort.h.
const wordsPerLine = 8

// AddLocal has the programs pass packets to addr to the kernel. Adding an
// address twice is as good as once.
func (s *Steering) AddLocal(addr netip.Addr) error {
	if err := s.local.Put(addr.As16(), uint8(1)); err != nil {
		return fmt.Errorf("add local address %v: %w", addr, err)
	}
	return nil
}

// RemoveLocal undoes AddLocal. That addr is not there is no error.
func (s *Steering) RemoveLocal(addr netip.Addr) error {
	if err := s.local.Delete(addr.As16()); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("remove local address %v: %w", addr, err)
	}
	return nil
}

// Heartbeat is the word that worker w, and nobody else, has to add to in every
// round of its loop, at least every 2 ms. Its value does not matter, only that
// it moves. Nothing may touch it after Close.
func (s *Steering) Heartbeat(w int) *atomic.Uint64 { return s.beats.At(w * wordsPerLine) }

// setGeneric notes whether a port is in generic mode, for injectors.
func (s *Steering) setGeneric(ifindex int, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := make(map[int]bool)
	for i := range *s.generic.Load() {
		changed[i] = true
	}
	if on {
		changed[ifindex] = true
	} else {
		delete(changed, ifindex)
	}
	s.generic.Store(&changed)
}

// isGeneric says whether a port is in generic mode.
func (s *Steering) isGeneric(ifindex int) bool { return (*s.generic.Load())[ifindex] }

// Close frees what the programs share. Twice is fine.
func (s *Steering) Close() error {
	var errs []error
	if s.beats != nil {
		errs = append(errs, s.beats.Close())
	}
	// Closing a nil Map is fine, and so is closing one twice.
	return errors.Join(append(errs, s.heartbeats.Close(), s.local.Close())...)
}
