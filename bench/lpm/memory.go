package lpm

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// kernelMemory is what the kernel uses for its own structures, in bytes: of the
// whole machine, so it is to be read before and after something large.
func kernelMemory() (int, error) {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read the kernel's memory: %w", err)
	}
	sum := 0
	for line := range strings.Lines(string(info)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "Slab:" && fields[0] != "Percpu:" {
			continue
		}
		kib, err := strconv.Atoi(fields[1])
		if err != nil {
			return 0, fmt.Errorf("read the kernel's memory from %q: %w", line, err)
		}
		sum += kib << 10
	}
	return sum, nil
}
