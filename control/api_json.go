package control

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/fwd6/fwd6/xdp"
)

// iproute2's JSON names most of what there is to say about routes and
// neighbors, so scripts written for `ip -6 -j` work here. What fwd6 adds:
// reason (the name of a counter), why, lladdr of a next hop, and used of a
// neighbor. As in iproute2, what
// goes without saying is left out: type unicast, table main, protocol boot.

// routeJSON is a route in iproute2's keys and order.
type routeJSON struct {
	Type     string        `json:"type,omitempty"`
	Dst      string        `json:"dst"`
	NextHop  uint32        `json:"nhid,omitempty"`
	Gateway  netip.Addr    `json:"gateway,omitzero"`
	Dev      string        `json:"dev,omitempty"`
	Table    string        `json:"table,omitempty"`
	Protocol string        `json:"protocol,omitempty"`
	PrefSrc  netip.Addr    `json:"prefsrc,omitzero"`
	Metric   uint32        `json:"metric"`
	Flags    []string      `json:"flags"`
	Metrics  []metricsJSON `json:"metrics,omitempty"`
	Pref     string        `json:"pref"`
	Legs     []legJSON     `json:"nexthops,omitempty"`
	MAC      string        `json:"lladdr,omitempty"`
	Reason   string        `json:"reason"`
	Why      string        `json:"why,omitempty"`
}

type legJSON struct {
	Gateway netip.Addr `json:"gateway,omitzero"`
	Dev     string     `json:"dev,omitempty"`
	Weight  int        `json:"weight"`
	Flags   []string   `json:"flags"`
	MAC     string     `json:"lladdr,omitempty"`
	Reason  string     `json:"reason"`
}

type metricsJSON struct {
	MTU int `json:"mtu"`
}

// MarshalJSON writes the route in iproute2's keys. A single next hop stands in
// the route itself, and the reason is then why its packets do not leave by it.
func (r RouteInfo) MarshalJSON() ([]byte, error) {
	j := routeJSON{
		Dst: r.Destination(), NextHop: r.NextHop, PrefSrc: r.PrefSrc, Metric: r.Metric,
		Flags: notNil(r.Flags), Pref: r.PrefName(), Reason: r.Counter(r.Effective()), Why: r.Why,
	}
	if r.Type != typeUnicast {
		j.Type = r.Type
	}
	if r.Table != tableMain {
		j.Table = r.TableName()
	}
	if r.Protocol != protocolBoot {
		j.Protocol = r.ProtocolName()
	}
	if r.MTU != 0 {
		j.Metrics = []metricsJSON{{MTU: r.MTU}}
	}
	if len(r.Legs) == 1 {
		j.Gateway, j.Dev, j.MAC = r.Legs[0].Gateway, r.Legs[0].Dev, r.Legs[0].MAC
		return json.Marshal(j)
	}
	for _, l := range r.Legs {
		j.Legs = append(j.Legs, legJSON{l.Gateway, l.Dev, l.Weight, notNil(l.Flags), l.MAC, r.Counter(l.Reason)})
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *RouteInfo) UnmarshalJSON(data []byte) (err error) {
	var j routeJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*r = RouteInfo{
		Type: typeUnicast, Table: tableMain, Protocol: protocolBoot,
		NextHop: j.NextHop, PrefSrc: j.PrefSrc, Metric: j.Metric, Flags: j.Flags, Why: j.Why,
	}
	if err := r.setCounter(j.Reason); err != nil {
		return err
	}
	if j.Type != "" {
		r.Type = j.Type
	}
	if len(j.Metrics) > 0 {
		r.MTU = j.Metrics[0].MTU
	}
	if j.Gateway.IsValid() || j.Dev != "" {
		r.Legs = []LegInfo{{Gateway: j.Gateway, Dev: j.Dev, Weight: 1, MAC: j.MAC, Reason: r.Reason}}
	}
	if err := r.setLegs(j.Legs); err != nil {
		return err
	}
	return r.setNames(j)
}

// setLegs adds the next hops of a route that has several.
func (r *RouteInfo) setLegs(legs []legJSON) error {
	for _, l := range legs {
		leg := LegInfo{Gateway: l.Gateway, Dev: l.Dev, Weight: l.Weight, MAC: l.MAC, Flags: l.Flags}
		if r.Pass == xdp.Steered {
			var err error
			if leg.Reason, err = reasonOf(l.Reason); err != nil {
				return err
			}
		}
		r.Legs = append(r.Legs, leg)
	}
	return nil
}

// setNames turns the names of j that stand for numbers back into them.
func (r *RouteInfo) setNames(j routeJSON) (err error) {
	if j.Dst != "" {
		if r.Dst, err = ParseDestination(j.Dst); err != nil {
			return err
		}
	}
	if j.Table != "" {
		if r.Table, err = numberOf[uint32](tableNames, j.Table); err != nil {
			return fmt.Errorf("table %w", err)
		}
	}
	if j.Protocol != "" {
		if r.Protocol, err = numberOf[uint8](protocolNames, j.Protocol); err != nil {
			return fmt.Errorf("protocol %w", err)
		}
	}
	if r.Pref, err = numberOf[uint8](prefNames, j.Pref); err != nil {
		return fmt.Errorf("pref %w", err)
	}
	return nil
}

// neighborJSON is a neighbor in iproute2's keys and order.
type neighborJSON struct {
	Addr   netip.Addr      `json:"dst"`
	Dev    string          `json:"dev"`
	MAC    string          `json:"lladdr,omitempty"`
	Router json.RawMessage `json:"router,omitempty"` // iproute2 says "router":null, or nothing
	States []string        `json:"state"`
	Used   bool            `json:"used"`
}

// MarshalJSON writes the neighbor in iproute2's keys.
func (n NeighborInfo) MarshalJSON() ([]byte, error) {
	j := neighborJSON{Addr: n.Addr, Dev: n.Dev, MAC: n.MAC, States: notNil(n.States), Used: n.Used}
	if n.Router {
		j.Router = json.RawMessage("null")
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *NeighborInfo) UnmarshalJSON(data []byte) error {
	var j neighborJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*n = NeighborInfo{Addr: j.Addr, Dev: j.Dev, MAC: j.MAC, States: j.States, Router: j.Router != nil, Used: j.Used}
	return nil
}

// notNil makes an absent list an empty one, [] rather than null.
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
