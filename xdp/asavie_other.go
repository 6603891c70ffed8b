//go:build !amd64

package xdp

import "fmt"

// OpenAsavie is for amd64 only: github.com/asavie/xdp reads and writes ring
// indices with plain loads and stores, which other processors may reorder.
func OpenAsavie(SocketConfig, []Queue) (Backend, error) {
	return nil, fmt.Errorf("asavie backend: %w on this processor, only on amd64; use the shared backend", ErrNotSupported)
}
