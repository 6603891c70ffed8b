package main

import (
	"fmt"
	"strings"

	"github.com/fwd6/fwd6/bench/lpm"
)

// choose leaves out the peers that cannot be opened here.
func (b *bench) choose() {
	var present []lpm.Peer
	for _, peer := range b.peers {
		table, err := peer.Open()
		if err == nil {
			err = table.Close()
		}
		if err != nil {
			b.log("%s does not take part: %v", peer.Name, err)
			b.report.Missing = append(b.report.Missing, Missing{Peer: peer.Name, Reason: err.Error()})
			continue
		}
		present = append(present, peer)
		b.report.Peers = append(b.report.Peers, peer.Name)
		if strings.HasPrefix(peer.Name, "fwd6/") || b.report.Reference == "" {
			b.report.Reference = peer.Name
		}
	}
	b.peers = present
}

// note says what readers of the figures have to know.
func (b *bench) note() {
	add := func(format string, args ...any) {
		b.report.Notes = append(b.report.Notes, fmt.Sprintf(format, args...))
	}
	add("Lookups are medians of %d rounds in which all peers take turns; Go's garbage collector is off while they and updates are timed.", b.rounds)
	add("Churn runs with the garbage collector on, for %v.", b.churn)
	if len(b.cpus) < 3 {
		add("Churn wants 3 processors, for a writer and two readers. Here are %d: the writer takes its time from the readers, which is most of their slow-down.", len(b.cpus))
	}
	if len(b.cpus) < 2 {
		add("Updates and their reader share one processor: the worst updates are those that waited for it.")
	}
	for _, peer := range b.peers {
		if peer.Alone {
			add("%s is updated without a reader, and does not churn.", peer.Name)
		}
	}
}
