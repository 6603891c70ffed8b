package main

import (
	"time"

	"github.com/fwd6/fwd6/bench/lpm"
)

// internetSize is how many routes the Internet has, about.
const internetSize = 160_000

// settings is how thoroughly to measure.
type settings struct {
	internet bool // a full view of internetSize as well
	builds   int  // of each table
	rounds   int  // of each measurement of lookups
	addrs    int  // addresses of each load

	// lookups is how long one round of one measurement takes, about; before it,
	// the peer runs as long to have its caches filled.
	lookups time.Duration

	// everywhere says that updates and churn are measured on every table, not
	// only on full views.
	everywhere bool

	updates time.Duration // of each kind, in each round
	count   int           // updates of each kind at most, in each round
	churn   time.Duration // without and again with a writer
}

var full = plan{
	sizes: []int{1_000, 10_000, 100_000, 1_000_000},
	settings: settings{
		internet: true, builds: 3, rounds: 7, addrs: 1 << 20, lookups: 30 * time.Millisecond,
		everywhere: true, updates: 300 * time.Millisecond, count: 5_000, churn: 3 * time.Second,
	},
}

var brief = plan{
	sizes: []int{1_000, 100_000},
	settings: settings{
		internet: true, builds: 1, rounds: 3, addrs: 1 << 18, lookups: 3 * time.Millisecond,
		updates: 200 * time.Millisecond, count: 2_000, churn: 500 * time.Millisecond,
	},
}

// modes are how lookups are made.
var modes = []lpm.Mode{lpm.Serial, lpm.Independent, 16, 32, 64, 256}

// seed makes tables and loads the same in every run.
const seed = 1
