package xdp

import "errors"

var (
	// ErrNotSupported matches any error meaning "this kernel, driver or
	// processor cannot".
	ErrNotSupported = errors.New("not supported")

	// ErrBusy matches any error meaning "somebody else holds it".
	ErrBusy = errors.New("busy")

	// ErrGone matches any error meaning that a port's device does not exist
	// any more, or not in this network namespace.
	ErrGone = errors.New("device is gone")
)
