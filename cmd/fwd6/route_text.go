package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/fwd6/fwd6/control"
	"github.com/fwd6/fwd6/dataplane"
	"github.com/fwd6/fwd6/xdp"
)

// words is a line of iproute2's: keywords and values.
type words []string

// add appends keyword and value, unless the value is empty.
func (w *words) add(keyword string, value string) {
	if value != "" {
		*w = append(*w, keyword, value)
	}
}

func (w words) String() string { return strings.Join(w, " ") }

// routeText is r as `ip -6 route show` prints it. What fwd6 leaves to the
// kernel has its reason at the end.
func routeText(r control.RouteInfo) string { return routeTextTo(r.Destination(), r) }

// routeTextTo is r with another destination, as `ip -6 route get` prints it.
func routeTextTo(dst string, r control.RouteInfo) string {
	var line words
	if r.Type != "unicast" {
		line = append(line, r.Type)
	}
	line = append(line, dst)
	if r.NextHop != 0 {
		line.add("nhid", fmt.Sprint(r.NextHop))
	}
	if len(r.Legs) == 1 {
		line.addHop(r.Legs[0])
	}
	if name := r.TableName(); name != "main" {
		line.add("table", name)
	}
	if name := r.ProtocolName(); name != "boot" { // as iproute2: added by hand goes without saying
		line.add("proto", name)
	}
	line.add("src", known(r.PrefSrc))
	line.add("metric", fmt.Sprint(r.Metric))
	line = append(line, r.Flags...)
	if r.MTU != 0 {
		line.add("mtu", fmt.Sprint(r.MTU))
	}
	line.add("pref", r.PrefName())
	line.addReason(r.Counter(r.Effective()))
	text := line.String() + "\n"
	if len(r.Legs) > 1 {
		for _, leg := range r.Legs {
			text += "\t" + legLine(leg, r.Counter(leg.Reason)) + "\n"
		}
	}
	return text
}

// legLine is one of several next hops as iproute2 prints it, and its reason.
func legLine(leg control.LegInfo, reason string) string {
	line := words{"nexthop"}
	line.addHop(leg)
	line.add("weight", fmt.Sprint(leg.Weight))
	line = append(line, leg.Flags...)
	line.addReason(reason)
	return line.String()
}

func (w *words) addHop(leg control.LegInfo) {
	w.add("via", known(leg.Gateway))
	w.add("dev", leg.Dev)
}

func (w *words) addReason(name string) {
	if name != dataplane.Forward.String() {
		w.add("reason", name)
	}
}

// known is a as text, or nothing if there is none.
func known(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// match is the answer to `fwd6 route get`: the route that packets to an
// address take.
type match struct {
	control.RouteInfo
	addr netip.Addr
}

// matches is a list of one, because iproute2's JSON is a list.
type matches []match

// MarshalJSON writes the address as dst, as iproute2 does, and the route's own
// destination as match.
func (m match) MarshalJSON() ([]byte, error) {
	r := m.RouteInfo
	r.Dst = netip.PrefixFrom(m.addr, 128)
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(data[:len(data)-1], `,"match":%q}`, m.Destination()), nil
}

// printMatches writes the route in iproute2's words, then what fwd6 does with it.
func printMatches(w io.Writer, ms matches) error {
	for _, m := range ms {
		verdict := words{"match", m.Destination()}
		if len(m.Legs) == 1 {
			verdict.add("lladdr", m.Legs[0].MAC)
		}
		if _, err := fmt.Fprintf(w, "%s    %s: %s\n", routeTextTo(m.addr.String(), m.RouteInfo), verdict, fate(m.RouteInfo)); err != nil {
			return err
		}
	}
	return nil
}

// fate says what becomes of packets that take r.
func fate(r control.RouteInfo) string {
	switch reason := r.Effective(); {
	case r.Pass == xdp.PassPassing:
		return "left to the kernel, as all traffic is: " + r.Why
	case r.Pass != xdp.Steered:
		return "left to the kernel: " + r.Why
	case reason != dataplane.Forward:
		return "left to the kernel: " + reason.Text()
	}
	return "forwarded by fwd6"
}
