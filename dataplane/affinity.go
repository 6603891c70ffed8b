package dataplane

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// allowedCPUs lists the processors that this process may run on.
func allowedCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("ask for the allowed processors: %w", err)
	}
	var cpus []int
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// workerNice is the priority of a worker's thread. The kernel takes a worker
// that it has kept from its processor for 10 ms for dead, and forwards itself.
const workerNice = -10

// pin ties the calling goroutine to a thread of its own, for good (the thread
// ends with the goroutine), that thread to a processor, and puts it before
// other threads there. What fails leaves the rest in force.
func pin(cpu int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	var errs []error
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		errs = append(errs, fmt.Errorf("pin to processor %d: %w", cpu, err))
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, workerNice); err != nil {
		errs = append(errs, fmt.Errorf("set priority %d: %w: add CAP_SYS_NICE, lest the kernel forward whenever other work delays the worker", workerNice, err))
	}
	return errors.Join(errs...)
}

// makeRoom lets the Go scheduler run other goroutines beside workers that
// never yield: the controller must not wait for a worker's time slice to end.
func makeRoom(workers int) {
	if want := workers + 2; runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
}
