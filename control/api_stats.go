package control

import (
	"encoding/json"
	"fmt"

	"github.com/fwd6/fwd6/dataplane"
)

// StatsInfo is dataplane.Stats as JSON: counters by their names, which stay.
// Every reason is there, also those that never happened.
type StatsInfo dataplane.Stats

type statsJSON struct {
	Reasons map[string]uint64 `json:"reasons"`
	Ports   []portStatsJSON   `json:"ports"`
}

type portStatsJSON struct {
	Name      string            `json:"name"`
	RxPackets uint64            `json:"rx_packets"`
	RxBytes   uint64            `json:"rx_bytes"`
	TxPackets uint64            `json:"tx_packets"`
	TxBytes   uint64            `json:"tx_bytes"`
	RxDropped uint64            `json:"rx_dropped"`
	Sorted    map[string]uint64 `json:"xdp"`
}

// MarshalJSON writes the counters by name.
func (s StatsInfo) MarshalJSON() ([]byte, error) {
	j := statsJSON{Reasons: map[string]uint64{}, Ports: []portStatsJSON{}}
	for r, n := range s.Reasons {
		j.Reasons[dataplane.Reason(r).String()] = n
	}
	for _, p := range s.Ports {
		sorted := p.Sorted
		if sorted == nil {
			sorted = map[string]uint64{}
		}
		j.Ports = append(j.Ports, portStatsJSON{
			p.Name, p.RxPackets, p.RxBytes, p.TxPackets, p.TxBytes, p.RxDropped, sorted,
		})
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *StatsInfo) UnmarshalJSON(data []byte) error {
	var j statsJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*s = StatsInfo{}
	for name, n := range j.Reasons {
		r, err := reasonOf(name)
		if err != nil {
			return fmt.Errorf("counter of %w", err)
		}
		s.Reasons[r] = n
	}
	for _, p := range j.Ports {
		s.Ports = append(s.Ports, dataplane.PortStats{
			Name: p.Name, RxPackets: p.RxPackets, RxBytes: p.RxBytes, TxPackets: p.TxPackets, TxBytes: p.TxBytes,
			RxDropped: p.RxDropped, Sorted: p.Sorted,
		})
	}
	return nil
}
