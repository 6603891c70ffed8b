package lpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// maxTrieRoutes is the size of the map. It takes no memory before it has them.
const maxTrieRoutes = 1 << 21

// trie is the kernel's map for BPF programs, BPF_MAP_TYPE_LPM_TRIE.
type trie struct {
	routes *ebpf.Map
	ns     *xdptest.Namespace // where its programs run, because they must somewhere
	bytes  int
}

func openTrie() (Table, error) {
	if err := kernelAllowed(); err != nil {
		return nil, err
	}
	spec, err := loadLookup()
	if err != nil {
		return nil, err
	}
	spec.Maps[lookupMapRoutes].MaxEntries = maxTrieRoutes
	routes, err := ebpf.NewMap(spec.Maps[lookupMapRoutes])
	if err != nil {
		return nil, fmt.Errorf("make a BPF trie: %w", err)
	}
	ns, err := xdptest.NewNamespace("trie")
	if err != nil {
		return nil, errors.Join(err, routes.Close())
	}
	return &trie{routes: routes, ns: ns}, nil
}

// trieKey is struct prefix of bpf/lookup.c.
type trieKey [4 + 16]byte

func newTrieKey(p netip.Prefix) (k trieKey) {
	binary.NativeEndian.PutUint32(k[:], uint32(p.Bits()))
	a := p.Addr().As16()
	copy(k[4:], a[:])
	return k
}

func (t *trie) Build(routes []Route) (time.Duration, error) {
	keys, values := make([]trieKey, len(routes)), make([]uint32, len(routes))
	for i, r := range routes {
		keys[i], values[i] = newTrieKey(r.Prefix), uint32(r.Group)
	}
	before, err := kernelMemory()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if _, err := t.routes.BatchUpdate(keys, values, nil); err != nil {
		return 0, fmt.Errorf("put %d routes into a BPF trie: %w", len(routes), err)
	}
	elapsed := time.Since(start)
	after, err := kernelMemory()
	t.bytes = max(0, after-before)
	return elapsed, err
}

func (t *trie) Set(r Route) (time.Duration, error) {
	key, group := newTrieKey(r.Prefix), uint32(r.Group)
	elapsed, err := timed(func() error { return t.routes.Put(key, group) })
	if err != nil {
		return 0, fmt.Errorf("put %v into a BPF trie: %w", r.Prefix, err)
	}
	return elapsed, nil
}

func (t *trie) Remove(p netip.Prefix) (time.Duration, error) {
	key := newTrieKey(p)
	elapsed, err := timed(func() error { return t.routes.Delete(key) })
	if err != nil {
		return 0, fmt.Errorf("delete %v from a BPF trie: %w", p, err)
	}
	return elapsed, nil
}

func (t *trie) Bytes() int { return t.bytes }

func (t *trie) NewReader() (Reader, error) {
	pick := func(p *lookupPrograms) *ebpf.Program { return p.Trie }
	const loopback = 1
	return newTestRun(pick, t.routes, t.ns, loopback)
}

func (t *trie) Close() error { return errors.Join(t.routes.Close(), t.ns.Close()) }
