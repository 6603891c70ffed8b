package traffic

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is processor time spent during a run, by everything on the machine.
type Usage struct {
	Busy time.Duration // of all processors, all kinds, the source included

	// Source is time on the source's processor outside soft interrupts: making
	// packets, handing them to the veth, and waiting for the window to open.
	Source time.Duration

	// Forwarding is the rest. It includes the sink, which costs every
	// forwarder the same.
	Forwarding time.Duration
}

// cpuTimes is one processor's line in /proc/stat.
type cpuTimes struct{ task, interrupt time.Duration }

// usage is what /proc/stat has counted so far, by processor.
type usage map[int]cpuTimes

// userHZ is the unit of /proc/stat: the kernel shows hundredths of a second
// whatever its own clock.
const userHZ = 100

// readUsage reads the processor times of the whole machine. The kernel finds
// them by sampling at its timer ticks: over a second or more the error is a
// few percent.
func readUsage() (usage, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, fmt.Errorf("read processor times: %w", err)
	}
	u := make(usage)
	for line := range strings.Lines(string(stat)) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !strings.HasPrefix(fields[0], "cpu") || fields[0] == "cpu" {
			continue
		}
		cpu, err := strconv.Atoi(fields[0][len("cpu"):])
		if err != nil {
			return nil, fmt.Errorf("read processor times from %q: %w", line, err)
		}
		var ticks [7]time.Duration // user nice system idle iowait irq softirq
		for i := range ticks {
			n, err := strconv.ParseInt(fields[1+i], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read processor times from %q: %w", line, err)
			}
			ticks[i] = time.Duration(n) * (time.Second / userHZ)
		}
		u[cpu] = cpuTimes{task: ticks[0] + ticks[1] + ticks[2], interrupt: ticks[5] + ticks[6]}
	}
	return u, nil
}

// since is the time spent since before, seen from a source on processor cpu.
func (u usage) since(before usage, cpu int) Usage {
	var sum Usage
	for n, now := range u {
		task, interrupt := now.task-before[n].task, now.interrupt-before[n].interrupt
		sum.Busy += task + interrupt
		if n == cpu {
			sum.Source = task
		}
	}
	sum.Forwarding = sum.Busy - sum.Source
	return sum
}

// Beside moves the source to a processor that no thread of the forwarder is
// tied to, because a worker that shares its processor with the source measures
// the source. It is the last such processor that this process may use, or the
// last at all. Until Beside is called, the source runs on the last one. Pid is
// the forwarder's process; 0 stands for the kernel, which has no choice.
func (f *Flood) Beside(pid int) (err error) {
	f.cpu, err = freeCPU(pid)
	return err
}

func freeCPU(pid int) (int, error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return 0, fmt.Errorf("ask for the allowed processors: %w", err)
	}
	free := allowed
	if pid != 0 {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return 0, fmt.Errorf("look for the threads of process %d: %w", pid, err)
		}
		for _, task := range tasks {
			var set unix.CPUSet
			tid, err := strconv.Atoi(task.Name())
			if err != nil || unix.SchedGetaffinity(tid, &set) != nil || set.Count() != 1 {
				continue // not a number, gone, or not tied
			}
			free.Clear(last(set))
		}
	}
	if free.Count() == 0 {
		free = allowed
	}
	return last(free), nil
}

// last is the highest processor of a set that is not empty.
func last(set unix.CPUSet) int {
	cpu := 0
	for n := range maxCPUs {
		if set.IsSet(n) {
			cpu = n
		}
	}
	return cpu
}

// Busy is how many processors are busy on average during d, with anything.
func Busy(d time.Duration) (float64, error) {
	before, err := readUsage()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	time.Sleep(d)
	after, err := readUsage()
	if err != nil {
		return 0, err
	}
	return after.since(before, 0).Busy.Seconds() / time.Since(start).Seconds(), nil
}
