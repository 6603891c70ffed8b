package xdp

import (
	"errors"
	"sync"

	"github.com/fwd6/fwd6/xdp/internal/sys"
)

// sockets is the Kernel of real sockets: their descriptors and all that has to
// be given back.
type sockets struct {
	fds      []sys.XSK
	rings    []Rings
	zeroCopy []bool
	memory   []byte
	poll     *sys.PollSet

	mu     sync.Mutex // guards closed: Stats may come from any goroutine
	closed bool
}

func (k *sockets) FD(s int) int        { return int(k.fds[s]) }
func (k *sockets) ZeroCopy(s int) bool { return k.zeroCopy[s] }

func (k *sockets) WakeTransmit(s int) sys.Wake { return k.fds[s].WakeTransmit() }
func (k *sockets) WakeReceive(s int) sys.Wake  { return k.fds[s].WakeReceive() }

func (k *sockets) Wait(milliseconds int, stuck []bool) error {
	for i := range stuck {
		k.poll.WatchTransmit(i, stuck[i])
	}
	return k.poll.Wait(milliseconds)
}

var errClosed = errors.New("sockets are closed")

func (k *sockets) Stats(s int) (SocketStats, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return SocketStats{}, errClosed
	}
	return socketStats(k.fds[s])
}

func socketStats(x sys.XSK) (SocketStats, error) {
	st, err := x.Statistics()
	return SocketStats{
		RxDropped:     st.Rx_dropped,
		RxInvalid:     st.Rx_invalid_descs,
		TxInvalid:     st.Tx_invalid_descs,
		RxRingFull:    st.Rx_ring_full,
		FillRingEmpty: st.Rx_fill_ring_empty_descs,
		TxRingEmpty:   st.Tx_ring_empty_descs,
	}, err
}

// Close gives everything back. A queue stays bound as long as a ring of its
// socket is mapped.
func (k *sockets) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	var errs []error
	for i, x := range k.fds {
		r := k.rings[i]
		errs = append(errs, r.Fill.Unmap(), r.Completion.Unmap(), r.RX.Unmap(), r.TX.Unmap(), x.Close())
	}
	return errors.Join(append(errs, sys.Unmap(k.memory))...)
}
