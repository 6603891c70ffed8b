package main

import (
	"errors"
	"slices"

	"github.com/fwd6/fwd6/bench/lpm"
)

// build lets every peer build the table, in turns, several times. The last one
// stays.
func (b *bench) build(run *Run, routes []lpm.Route) []*contender {
	contenders := make([]*contender, len(b.peers))
	for i, peer := range b.peers {
		contenders[i] = &contender{Peer: peer, result: &Result{Peer: peer.Name}}
	}
	times := make([][]float64, len(b.peers)) // in milliseconds
	for range b.builds {
		for i, c := range contenders {
			if c.gone {
				continue
			}
			ms, err := c.rebuild(routes)
			if err != nil {
				b.drop(run, c, err)
				continue
			}
			times[i] = append(times[i], ms)
		}
	}
	for i, c := range contenders {
		if c.gone {
			continue
		}
		c.result.BuildMS = median(times[i])
		c.result.BytesPerRoute = float64(c.table.Bytes()) / float64(len(routes))
		if d, ok := c.table.(lpm.Depther); ok {
			c.result.Depth, _ = d.Depth()
		}
		run.Results = append(run.Results, c.result)
	}
	return slices.DeleteFunc(contenders, func(c *contender) bool {
		if c.gone {
			c.close()
		}
		return c.gone
	})
}

// rebuild lets go of the last table and builds a new one.
func (c *contender) rebuild(routes []lpm.Route) (ms float64, err error) {
	if err := c.close(); err != nil {
		return 0, err
	}
	if c.table, err = c.Open(); err != nil {
		return 0, err
	}
	quietly(func() {
		elapsed, e := c.table.Build(routes)
		ms, err = elapsed.Seconds()*1e3, e
	})
	if err != nil {
		return 0, err
	}
	c.reader, err = c.table.NewReader()
	return ms, err
}

func (c *contender) close() error {
	var errs []error
	if c.reader != nil {
		errs = append(errs, c.reader.Close())
	}
	if c.table != nil {
		errs = append(errs, c.table.Close())
	}
	c.reader, c.table = nil, nil
	return errors.Join(errs...)
}

func (b *bench) close(contenders []*contender) {
	for _, c := range contenders {
		if err := c.close(); err != nil {
			b.log("close %s: %v", c.Name, err)
		}
	}
}
