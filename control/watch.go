package control

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// kernel is three connections to the kernel, with a goroutine each that waits
// for it so that the controller need not: one listens to what changes, one asks
// small questions, one dumps everything when it is told to.
//
// Its channels are read by the controller alone.
type kernel struct {
	log *slog.Logger

	subscription *rtnl.Subscription
	told         chan told

	conn    *rtnl.Conn // of the goroutine that asks
	asked   chan request
	answers chan answer

	dumper *rtnl.Conn // of the dump under way
	dumped chan dump

	running sync.WaitGroup
}

// told is what the kernel told, and what went wrong after that.
type told struct {
	events []rtnl.Event
	err    error
}

// request is something to ask the kernel.
type request struct {
	links     []int              // what are they now
	heard     uint64             // what the controller had heard of them when it asked
	neighbors []rtnl.NeighborKey // look after them
	proxies   bool               // which are there
}

// answer is what came of a request.
type answer struct {
	links   []rtnl.Event
	heard   uint64   // of the request
	proxies proxySet // nil if not asked for
}

// proxySet is addresses that the kernel answers for, each on a link.
type proxySet map[rtnl.NeighborKey]struct{}

func proxyOf(key rtnl.NeighborKey) *rtnl.Neighbor {
	return &rtnl.Neighbor{Ifindex: key.Ifindex, Addr: key.Addr, Flags: ntfProxy}
}

// openKernel connects, and begins to hear what changes.
func openKernel(log *slog.Logger) (_ *kernel, err error) {
	k := &kernel{
		log:     log,
		told:    make(chan told),
		asked:   make(chan request, 16),
		answers: make(chan answer),
		dumped:  make(chan dump, 1),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	if k.subscription, err = rtnl.Subscribe(); err != nil {
		return nil, err
	}
	if k.conn, err = rtnl.Dial(); err != nil {
		return nil, err
	}
	if k.dumper, err = rtnl.Dial(); err != nil {
		return nil, err
	}
	return k, nil
}

// start runs the goroutines that listen and ask until ctx ends.
func (k *kernel) start(ctx context.Context) {
	k.running.Go(func() { k.listen(ctx) })
	k.running.Go(func() { k.askAll(ctx) })
}

// close ends what is under way. The context of start must have ended.
func (k *kernel) close() error {
	var errs []error
	if k.subscription != nil {
		errs = append(errs, k.subscription.Close())
	}
	for _, c := range []*rtnl.Conn{k.conn, k.dumper} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	k.running.Wait()
	return errors.Join(errs...)
}

func (k *kernel) listen(ctx context.Context) {
	for {
		events, err := k.subscription.Receive(ctx)
		if ctx.Err() != nil {
			return
		}
		select {
		case k.told <- told{slices.Clone(events), err}:
		case <-ctx.Done():
			return
		}
		if err != nil && !errors.Is(err, rtnl.ErrOverflow) && !errors.Is(err, rtnl.ErrMalformed) {
			return
		}
	}
}

// ask hands r to the goroutine that asks. A kernel that is behind with its
// answers is not asked more: all requests come again by themselves.
func (k *kernel) ask(r request) {
	select {
	case k.asked <- r:
	default:
		k.log.Debug("the kernel is slow to answer: not asked")
	}
}

func (k *kernel) askAll(ctx context.Context) {
	for {
		select {
		case r := <-k.asked:
			a := k.put(r)
			if len(a.links) == 0 && a.proxies == nil {
				continue
			}
			select {
			case k.answers <- a:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// put asks the kernel.
func (k *kernel) put(r request) (a answer) {
	a.heard = r.heard
	if len(r.neighbors) > 0 {
		if err := k.conn.UseNeighbors(r.neighbors); err != nil {
			k.log.Debug(err.Error())
		}
	}
	for _, ifindex := range r.links {
		l, err := k.conn.Link(ifindex)
		switch {
		case err == nil:
			a.links = append(a.links, rtnl.Event{Object: l})
		case errors.Is(err, rtnl.ErrNotExist):
			a.links = append(a.links, rtnl.Event{Deleted: true, Object: &rtnl.Link{Ifindex: ifindex}})
		default:
			k.log.Debug(err.Error())
		}
	}
	if r.proxies {
		a.proxies = k.proxies()
	}
	return a
}

func (k *kernel) proxies() proxySet {
	found := proxySet{}
	err := k.conn.DumpNeighbors(func(e rtnl.Event) error {
		if n, ok := e.Object.(*rtnl.Neighbor); ok && n.Flags&ntfProxy != 0 {
			found[rtnl.NeighborKey{Ifindex: n.Ifindex, Addr: n.Addr}] = struct{}{}
		}
		return nil
	})
	if err != nil {
		k.log.Debug(err.Error())
		return nil
	}
	return found
}
