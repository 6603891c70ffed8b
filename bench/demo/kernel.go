package demo

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// kernelForwarded is how many IPv6 packets the kernel has forwarded in a
// namespace: Ip6OutForwDatagrams (RFC 4293).
func kernelForwarded(ns *xdptest.Namespace) (count uint64, err error) {
	err = ns.Do(func() error {
		snmp, err := os.ReadFile("/proc/thread-self/net/snmp6")
		if err != nil {
			return fmt.Errorf("ask the kernel what it forwarded: %w", err)
		}
		for line := range strings.Lines(string(snmp)) {
			fields := strings.Fields(line)
			if len(fields) == 2 && fields[0] == "Ip6OutForwDatagrams" {
				count, err = strconv.ParseUint(fields[1], 10, 64)
				return err
			}
		}
		return fmt.Errorf("ask the kernel what it forwarded: no Ip6OutForwDatagrams in /proc/net/snmp6")
	})
	return count, err
}
