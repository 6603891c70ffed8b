package traffic

import (
	"fmt"
	"strings"
	"time"
)

// Counts is what the sink has seen.
type Counts struct {
	Good  uint64 // packets just as they should be
	Bytes uint64 // of the good, with Ethernet headers

	WrongMAC      uint64
	WrongHopLimit uint64
	WrongChecksum uint64 // so addresses, ports or sequence number are damaged
	WrongLength   uint64
	Repeated      uint64 // packets that had arrived before
	Late          uint64 // packets that an earlier run had given up, or millions behind others
}

// Arrived is how many different packets of the run have come, good or wrong.
func (c Counts) Arrived() uint64 {
	return c.Good + c.WrongMAC + c.WrongHopLimit + c.WrongChecksum + c.WrongLength
}

// Wrong is how many packets came that should not have come, or not like that.
// Late ones are not among them: they were lost before.
func (c Counts) Wrong() uint64 { return c.Arrived() - c.Good + c.Repeated }

func (c Counts) minus(o Counts) Counts {
	c.Good -= o.Good
	c.Bytes -= o.Bytes
	c.WrongMAC -= o.WrongMAC
	c.WrongHopLimit -= o.WrongHopLimit
	c.WrongChecksum -= o.WrongChecksum
	c.WrongLength -= o.WrongLength
	c.Repeated -= o.Repeated
	c.Late -= o.Late
	return c
}

// String names the counts that are not zero.
func (c Counts) String() string {
	var parts []string
	for _, part := range []struct {
		count uint64
		name  string
	}{
		{c.Good, "good"},
		{c.WrongMAC, "wrong MAC"},
		{c.WrongHopLimit, "wrong hop limit"},
		{c.WrongChecksum, "wrong checksum"},
		{c.WrongLength, "wrong length"},
		{c.Repeated, "repeated"},
		{c.Late, "late"},
	} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.name))
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Counted adds up what the sink has seen since Open.
func (f *Flood) Counted() (Counts, error) {
	var tallies [maxCPUs]floodTally
	if err := f.objects.Tallies.Get(&tallies); err != nil {
		return Counts{}, fmt.Errorf("read the sink's counters: %w", err)
	}
	var c Counts
	for _, t := range tallies {
		c.Good += t.Good
		c.Bytes += t.Bytes
		c.WrongMAC += t.WrongMac
		c.WrongHopLimit += t.WrongHopLimit
		c.WrongChecksum += t.WrongChecksum
		c.WrongLength += t.WrongLength
		c.Repeated += t.Repeated
		c.Late += t.Late
	}
	return c, nil
}

// Result is one run.
type Result struct {
	Sent    uint64 // packets
	Elapsed time.Duration
	CPU     Usage
	Counts  // of this run
}

// Lost is how many packets never came.
func (r Result) Lost() uint64 { return r.Sent - min(r.Sent, r.Arrived()) }

// PerSecond is how many good packets came in a second.
func (r Result) PerSecond() float64 { return float64(r.Good) / r.Elapsed.Seconds() }

// CPUPerPacket is how much processor time a good packet took, without making
// it (see Usage.Forwarding).
func (r Result) CPUPerPacket() time.Duration {
	if r.Good == 0 {
		return 0
	}
	return time.Duration(float64(r.CPU.Forwarding) / float64(r.Good))
}
