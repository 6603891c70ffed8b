package dataplane

import (
	"fmt"
	"strings"

	"github.com/fwd6/fwd6/xdp"
)

// The words that Config takes; the first of each is the usual one.
var (
	// Backends are ways to use AF_XDP sockets: "shared" passes frames from
	// port to port in one UMEM, "asavie" has a UMEM for each socket and copies
	// each frame once.
	Backends = []string{"shared", "asavie"}

	// XDPModes are ways to attach the XDP program: "auto" is native, or
	// generic where the driver cannot.
	XDPModes = []string{"auto", "native", "generic"}

	// BindModes say who writes the UMEM: "auto" is the driver (zero-copy), or
	// the kernel where a driver cannot.
	BindModes = []string{"auto", "zerocopy", "copy"}
)

// modes are the words of a Config, understood.
type modes struct {
	open   func(xdp.SocketConfig, []xdp.Queue) (xdp.Backend, error)
	attach xdp.AttachMode
	bind   xdp.BindMode
}

func (c Config) parse() (m modes, err error) {
	switch c.Backend {
	case "shared":
		m.open = xdp.OpenShared
	case "asavie":
		m.open = xdp.OpenAsavie
	default:
		return m, unknown("backend", c.Backend, Backends)
	}
	if m.attach, err = xdp.ParseAttachMode(c.XDPMode); err != nil {
		return m, err
	}
	switch c.Bind {
	case "auto":
		m.bind = xdp.BindAuto
	case "zerocopy":
		m.bind = xdp.BindZeroCopy
	case "copy":
		m.bind = xdp.BindCopy
	default:
		return m, unknown("bind mode", c.Bind, BindModes)
	}
	return m, nil
}

func unknown(what, word string, words []string) error {
	return fmt.Errorf("%s %q: must be one of %s", what, word, strings.Join(words, ", "))
}
