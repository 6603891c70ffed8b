// Command fibbench measures package fib beside other implementations of
// longest-prefix match, on the tables and loads of package workload.
//
//	go run ./bench/fibbench [-quick] [-table FILE] [-sizes 1000,100000] [-peers fwd6,bart] [-out DIR]
//
// All peers hold the same table at the same time and take turns, several
// rounds of each measurement, of which the median counts:
//
//	table ──▶ build ──▶ agree? ──▶ lookups ──▶ updates ──▶ churn ──▶ next table
//	          each       all       load × mode   each        each
//	          peer     answers     × round ×     beside    beside two
//	                                 peer       a reader    readers
//
// What it finds goes into DIR: results.json with every figure, results.md with
// a table per workload, and a picture per workload and quantity. A peer that
// this machine cannot run is named there with the reason.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/fwd6/fwd6/bench/lpm"
	"github.com/fwd6/fwd6/bench/workload"
)

func main() {
	log.SetFlags(log.Ltime)
	table := flag.String("table", "", "real table to measure besides grown ones: one prefix a line or an MRT dump, perhaps compressed")
	sizes := flag.String("sizes", "", "sizes of the tables, comma-separated")
	peers := flag.String("peers", "", "peers to measure, comma-separated; fwd6 stands for all its variants (default all)")
	out := flag.String("out", "fibbench.out", "directory for the results")
	quick := flag.Bool("quick", false, "take some 3 minutes: fewer sizes and rounds, shorter measurements")
	flag.Parse()
	if err := run(*table, *sizes, *peers, *out, *quick); err != nil {
		log.Fatal(err)
	}
}

func run(table, sizes, peers, out string, quick bool) error {
	plan := full
	if quick {
		plan = brief
	}
	if err := errors.Join(plan.setSizes(sizes), plan.setPeers(peers)); err != nil {
		return err
	}
	if table != "" {
		prefixes, err := workload.ReadFile(table)
		if err != nil {
			return err
		}
		plan.real = prefixes
	}
	report, err := plan.measure(func(format string, args ...any) { log.Printf(format, args...) })
	if err != nil {
		return err
	}
	if err := report.write(out); err != nil {
		return err
	}
	report.markdown(os.Stdout)
	return nil
}

// plan is what to measure and for how long.
type plan struct {
	sizes []int
	peers []lpm.Peer
	real  []netip.Prefix // nil without a file

	settings
}

func (p *plan) setSizes(list string) error {
	if list == "" {
		return nil
	}
	p.sizes, p.internet = nil, false
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("size %q: want a number of routes", s)
		}
		p.sizes = append(p.sizes, n)
	}
	return nil
}

func (p *plan) setPeers(list string) error {
	p.peers = lpm.Peers()
	if list == "" {
		return nil
	}
	var chosen []lpm.Peer
	for _, name := range strings.Split(list, ",") {
		before := len(chosen)
		for _, peer := range p.peers {
			if peer.Name == name || strings.HasPrefix(peer.Name, name+"/") {
				chosen = append(chosen, peer)
			}
		}
		if len(chosen) == before {
			return fmt.Errorf("peer %q: there is none of that name", name)
		}
	}
	p.peers = chosen
	return nil
}
