package main

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestUsageErrors(t *testing.T) {
	tests := []struct {
		line string // what follows fwd6
		want string // the one line on stderr
	}{
		{"", "fwd6: what to do? `fwd6 help` lists the commands"},
		{"rnu", "fwd6: no such command: \"rnu\": did you mean `fwd6 run`?"},
		{"stat", "fwd6: no such command: \"stat\": did you mean `fwd6 status` or `fwd6 stats`?"},
		{"frob", "fwd6: no such command: \"frob\": `fwd6 help` lists those there are"},
		{"help frob", "fwd6: no such command: \"frob\": `fwd6 help` lists those there are"},
		{"help stat", "fwd6: no such command: \"stat\": did you mean `fwd6 status` or `fwd6 stats`?"},
		{"help route gte", "fwd6: no such command: \"route gte\": did you mean `fwd6 route get`?"},
		{"route frob", "fwd6: no such command: \"route frob\": `fwd6 help route` lists those there are"},
		{"run", "fwd6: --ports is missing: name the devices to forward through, as in --ports eth1,eth2"},
		{"run --ports r0,r1,r0", "fwd6: --ports: r0 is named twice"},
		{"run --ports r0,,r1", `fwd6: --ports: "" is no name of a device`},
		{"run --ports r0 r1", "fwd6: \"r1\" is too much: `fwd6 run` takes nothing but flags, as in `fwd6 run --ports eth1,eth2`"},
		{"run --ports r0 --backend dpdk", `fwd6: invalid argument "dpdk" for "--backend" flag: allowed are shared, asavie`},
		{"run --ports r0 --xdp-mode offload", `fwd6: invalid argument "offload" for "--xdp-mode" flag: allowed are auto, native, generic`},
		{"run --ports r0 --bind-mode zero", `fwd6: invalid argument "zero" for "--bind-mode" flag: allowed are auto, zerocopy, copy`},
		{"run --ports r0 --log-level all", `fwd6: invalid argument "all" for "--log-level" flag: allowed are debug, info, warn, error`},
		{"run --ports r0 --workers -1", "fwd6: --workers -1: a number from 0 on, please"},
		{"run --ports r0 --workers many", `fwd6: invalid argument "many" for "--workers" flag: strconv.ParseInt: parsing "many": invalid syntax`},
		{"run --porst r0", "fwd6: unknown flag: --porst"},
		{"status now", "fwd6: \"now\" is too much: `fwd6 status` takes nothing but flags, as in `fwd6 status`"},
		{"route", "fwd6: route what? `fwd6 route get ADDR` or `fwd6 route show`"},
		{"route get", "fwd6: the address is missing: name one, as in `fwd6 route get 2001:db8::1`"},
		{"route get ::1 ::2", "fwd6: \"::2\" is too much: `fwd6 route get` takes one address, as in `fwd6 route get 2001:db8::1`"},
		{"route get 192.0.2.1", "fwd6: 192.0.2.1 is an IPv4 address: the kernel forwards those, ask `ip route get 192.0.2.1`"},
		{"route get gw", `fwd6: "gw" is no address: write it like 2001:db8::1`},
		{"route show --table foo", `fwd6: --table: "foo" is no routing table: write main, local, all or a number up to 4294967295`},
		{"route show --table 4294967296", `fwd6: --table: "4294967296" is no routing table: write main, local, all or a number up to 4294967295`},
		{"route show --table -1", `fwd6: --table: "-1" is no routing table: write main, local, all or a number up to 4294967295`},
		{"route show 10.0.0.0/8", `fwd6: "10.0.0.0/8" is no IPv6 prefix: write it like 2001:db8::/32, 2001:db8::1 or default`},
	}
	for _, tt := range tests {
		var stdout, stderr strings.Builder
		code := execute(strings.Fields(tt.line), &stdout, &stderr)
		if code != 2 || stderr.String() != tt.want+"\n" || stdout.String() != "" {
			t.Errorf("fwd6 %s: exit %d, stderr %q, stdout %q, want exit 2 and %q", tt.line, code, stderr.String(), stdout.String(), tt.want)
		}
	}
}

func TestNoForwarder(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	for _, line := range []string{"status", "stats", "neigh", "route show", "route show -j", "route get ::1"} {
		var stdout, stderr strings.Builder
		code := execute(append(strings.Fields(line), "--socket", socket), &stdout, &stderr)
		want := "fwd6: connect " + socket + ": no such file: is fwd6 running? start it with `fwd6 run --ports …`, or name its socket with --socket\n"
		if code != 1 || stderr.String() != want || stdout.String() != "" {
			t.Errorf("fwd6 %s: exit %d, stderr %q, stdout %q, want exit 1 and %q", line, code, stderr.String(), stdout.String(), want)
		}
	}
}

// Every command has a help text with an example of its own.
func TestHelp(t *testing.T) {
	for _, line := range []string{"", "run", "status", "stats", "route", "route get", "route show", "neigh", "version", "demo", "help"} {
		var stdout, stderr strings.Builder
		code := execute(append([]string{"help"}, strings.Fields(line)...), &stdout, &stderr)
		example := strings.TrimSpace("fwd6 " + line)
		use := "\nUsage:\n  " + example
		if line == "" || line == "route" {
			use += " COMMAND\n"
		}
		got := stdout.String()
		if code != 0 || stderr.String() != "" || !strings.Contains(got, "Examples:\n  "+example) || !strings.Contains(got, use) {
			t.Errorf("fwd6 help %s: exit %d, stderr %q, want %q and an example of it in\n%s", line, code, stderr.String(), use, got)
		}
	}
}

func TestVersion(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := execute([]string{"version"}, &stdout, &stderr); code != 0 || !strings.HasPrefix(stdout.String(), "fwd6 ") {
		t.Errorf("exit %d, %q", code, stdout.String())
	}
}

// TestQueries prints what a forwarder answers that has the routes and
// neighbors of testdata.
func TestQueries(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range decode[json.RawMessage](t, "route.json") {
		lines = append(lines, string(r))
	}
	mux := http.NewServeMux()
	send := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) })
	}
	send("/routes", strings.Join(lines, "\n"))
	send("/route", lines[1])
	send("/neigh", string(readFile(t, "neigh.json")))
	send("/status", `{"version":"v0.1.0","ports":[{"name":"r0","state":"forwarding"}]}`)
	send("/stats", `{"reasons":{"forwarded":7},"ports":[]}`)
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	defer server.Close()

	tests := []struct {
		line, want string // want: a part of stdout
	}{
		{"neigh", string(readFile(t, "neigh.txt"))},
		{"neigh -j", `[{"dst":"fe80::1","dev":"r0","lladdr":"02:00:00:00:00:aa","router":null,"state":["REACHABLE"],"used":false},{`},
		{"route show --table 100", "2001:db8:8::/48 via 2001:db8:b::2 dev r1 table 100 proto 77 metric 1024 linkdown pref high\n"},
		{"route show default", "default via 2001:db8:b::2 dev r1 proto bgp metric 20 linkdown pref medium\n"},
		{"route show --table all", string(readFile(t, "route.txt"))},
		{"route show 2001:db8:5::1 -j", `[{"dst":"2001:db8:5::1","dev":"r1","protocol":"zebra","metric":1024,"flags":["linkdown"],"pref":"medium","reason":"forwarded"}]`},
		{"route get 2001:db8:1::1", "2001:db8:1::1 via fe80::1 dev r0 proto static metric 1024 pref medium\n    match 2001:db8:1::/48: forwarded by fwd6\n"},
		{"status", "r0    forwarding"},
		{"status -j -p", "{\n    \"version\": \"v0.1.0\","},
		{"stats", "forwarded        7  sent to the next hop\n"},
		{"stats -j", `"forwarded":7,`},
	}
	for _, tt := range tests {
		var stdout, stderr strings.Builder
		code := execute(append(strings.Fields(tt.line), "--socket", socket), &stdout, &stderr)
		if code != 0 || stderr.String() != "" || !strings.Contains(stdout.String(), tt.want) {
			t.Errorf("fwd6 %s: exit %d, stderr %q, stdout\n%s, want\n%s", tt.line, code, stderr.String(), stdout.String(), tt.want)
		}
	}
}
