package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// Report is all that was found out, and what results.json shows.
type Report struct {
	Machine   Machine
	Peers     []string // in the order of tables and pictures
	Reference string   // the peer that others are compared with
	Missing   []Missing
	Notes     []string
	Runs      []*Run
}

// Missing is a peer that did not run, and why.
type Missing struct {
	Peer, Reason string
	Workload     string `json:",omitempty"` // empty: anywhere
	Routes       int    `json:",omitempty"`
}

// Run is one table.
type Run struct {
	Workload string
	Routes   int
	Results  []*Result // one a peer
}

// Result is what one peer did with one table.
type Result struct {
	Peer          string
	BuildMS       float64
	BytesPerRoute float64 `json:",omitempty"` // 0 is unknown
	Depth         float64 `json:",omitempty"` // mean steps of a lookup; 0 is unknown
	Lookups       []Lookup
	Updates       []Update
	Churn         *Churn `json:",omitempty"`
}

// Lookup is the time of one lookup, in nanoseconds: the median of all rounds,
// and the fastest and slowest of them.
type Lookup struct {
	Load, Mode     string
	NS, Best, Most float64
}

// Update is how long updates of a kind took, in nanoseconds.
type Update struct {
	Kind                     string
	Count                    int
	Median, P99, P999, Worst float64
	Reader                   bool // a reader was looking up meanwhile
}

// Churn is updates as fast as they go, beside two readers.
type Churn struct {
	UpdatesPerSecond float64
	SlowdownPercent  float64 // of the readers, compared with no updates
}

// of is what a peer did, nil if it did not take part.
func (r *Run) of(peer string) *Result {
	for _, result := range r.Results {
		if result.Peer == peer {
			return result
		}
	}
	return nil
}

// lookup is the median of one measurement.
func (r *Result) lookup(load, mode string) (float64, bool) {
	for _, l := range r.Lookups {
		if l.Load == load && l.Mode == mode {
			return l.NS, true
		}
	}
	return 0, false
}

// fastest is the median of the fastest mode in which lookups need not wait for
// one another.
func (r *Result) fastest(load string) (ns float64, ok bool) {
	for _, mode := range modes[1:] {
		if t, found := r.lookup(load, mode.String()); found && (!ok || t < ns) {
			ns, ok = t, true
		}
	}
	return ns, ok
}

// write writes all files of the report.
func (r *Report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	var b strings.Builder
	r.markdown(&b)
	if err := os.WriteFile(filepath.Join(dir, "results.md"), []byte(b.String()), 0o644); err != nil {
		return err
	}
	return r.plots(dir)
}
