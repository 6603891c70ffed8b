package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// transfer is one TCP connection whose bytes all arrived as they were sent.
type transfer struct {
	bytes int64
	took  time.Duration
}

const (
	transferBytes  = 64 << 20
	transferWithin = 20 * time.Second
	transferPort   = 6636
)

// transferTCP sends random bytes from a namespace to an address in another and
// compares checksums of what was sent and what arrived.
func transferTCP(ctx context.Context, from, to *xdptest.Namespace, addr netip.Addr) (t transfer, err error) {
	ctx, cancel := context.WithTimeout(ctx, transferWithin)
	defer cancel()
	here, there, err := connect(ctx, from, to, netip.AddrPortFrom(addr, transferPort))
	if err != nil {
		return t, fmt.Errorf("connect to %v by TCP: %w", addr, err)
	}
	defer here.Close()
	defer there.Close()
	defer context.AfterFunc(ctx, func() { here.Close(); there.Close() })()

	type outcome struct {
		hash.Hash
		err error
	}
	received := make(chan outcome, 1)
	start := time.Now()
	go func() {
		sum := sha256.New()
		_, err := io.Copy(sum, there)
		received <- outcome{sum, err}
	}()
	sum := sha256.New()
	source := io.LimitReader(rand.NewChaCha8([32]byte{seed}), transferBytes)
	_, err = io.Copy(here, io.TeeReader(source, sum))
	err = errors.Join(err, here.CloseWrite())
	got := <-received
	if err := errors.Join(err, got.err); err != nil {
		return t, fmt.Errorf("send %d MiB by TCP: %w", transferBytes>>20, err)
	}
	if [32]byte(got.Sum(nil)) != [32]byte(sum.Sum(nil)) {
		return t, fmt.Errorf("send %d MiB by TCP: other bytes arrived than were sent", transferBytes>>20)
	}
	return transfer{transferBytes, time.Since(start)}, nil
}

// connect makes one TCP connection between two namespaces.
func connect(ctx context.Context, from, to *xdptest.Namespace, addr netip.AddrPort) (here, there *net.TCPConn, err error) {
	var listener net.Listener
	if err := to.Do(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp6", addr.String())
		return err
	}); err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	if err := from.Do(func() error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp6", addr.String())
		if err == nil {
			here = conn.(*net.TCPConn)
		}
		return err
	}); err != nil {
		return nil, nil, err
	}
	// The handshake is over, so the connection waits here already.
	conn, err := listener.Accept()
	if err != nil {
		return nil, nil, errors.Join(err, here.Close())
	}
	return here, conn.(*net.TCPConn), nil
}
