package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is what figures depend on.
type Machine struct {
	Processor string
	CPUs      int // that this process may use
	Kernel    string
	Go        string
}

func thisMachine() (Machine, error) {
	cpus, err := allowed()
	if err != nil {
		return Machine{}, err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return Machine{}, fmt.Errorf("ask for the kernel's release: %w", err)
	}
	return Machine{
		Processor: processor(),
		CPUs:      len(cpus),
		Kernel:    unix.ByteSliceToString(name.Release[:]),
		Go:        runtime.Version(),
	}, nil
}

// processor is the first processor's name.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// allowed are the processors that this process may use.
func allowed() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(os.Getpid(), &set); err != nil {
		return nil, fmt.Errorf("ask for the allowed processors: %w", err)
	}
	var cpus []int
	for cpu := range 64 * len(set) {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// pin ties the calling goroutine to the last processor but back, counted
// around, until it ends.
func pin(cpus []int, back int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	cpu := cpus[len(cpus)-1-back%len(cpus)]
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("move to processor %d: %w", cpu, err)
	}
	return nil
}
