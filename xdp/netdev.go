package xdp

import (
	"errors"
	"fmt"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// Queues is how many queues a device receives on and sends on: what its driver
// says, or 1 if it does not say. It looks in the network namespace of the
// calling thread.
func Queues(name string) (rx, tx int, err error) {
	c, err := sys.EthtoolChannels(name)
	switch {
	case errors.Is(err, sys.ErrNoEthtool):
		return 1, 1, nil
	case err != nil:
		return 0, 0, fmt.Errorf("ask %s for its queues: %w", name, err)
	}
	return int(max(1, c.Rx+c.Combined)), int(max(1, c.Tx+c.Combined)), nil
}
