package sys

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Tick is the length of the kernel's timer tick, in which it counts jiffies.
func Tick() (time.Duration, error) {
	var res unix.Timespec
	// The coarse clock moves once a tick.
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &res); err != nil {
		return 0, os.NewSyscallError("clock_getres", err)
	}
	return time.Duration(res.Nano()), nil
}
