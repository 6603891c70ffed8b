package workload_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fwd6/fwd6/bench/workload"
)

// bzip2ed decodes what bzip2 made of the text below: Go only reads it.
func bzip2ed(t testing.TB, base string) string {
	b, err := base64.StdEncoding.DecodeString(base)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// record is one MRT record. Its arguments are numbers and strings of bytes.
func record(typ, subtype uint16, body ...any) string {
	content := encode(body...)
	return encode(uint32(1_700_000_000), typ, subtype, uint32(len(content))) + content
}

func encode(values ...any) string {
	var b bytes.Buffer
	for _, v := range values {
		if s, ok := v.(string); ok {
			b.WriteString(s)
		} else if err := binary.Write(&b, binary.BigEndian, v); err != nil {
			panic(err)
		}
	}
	return b.String()
}

// peers is a table of two peers, one of IPv4 and a short AS, one of neither.
var peers = record(13, 1, "CCCC", uint16(4), "view", uint16(2),
	byte(0), "IDEN", "4444", uint16(65000),
	byte(3), "IDEN", "6666666666666666", uint32(4_200_000_000))

// route is a record for a prefix that a peer announces.
func route(subtype uint16, prefix string, peer uint16) string {
	p := netip.MustParsePrefix(prefix)
	addr := p.Addr().AsSlice()[:(p.Bits()+7)/8]
	pathID := ""
	if subtype == 10 {
		pathID = "path"
	}
	return record(13, subtype, uint32(7), byte(p.Bits()), string(addr), uint16(1),
		peer, "TIME", pathID, uint16(5), "attrs")
}

func TestRead(t *testing.T) {
	const text = "2001:db8::/32\n::/0\n2001:db8::/32\n2001:db8::1/128"
	mrt := peers + route(4, "2001:db8::/32", 1) + route(2, "::/0", 0) + route(10, "2001:db8::1/128", 0) +
		route(4, "::/0", 0) + record(13, 4, uint32(0), byte(8), " ", uint16(0)) // nobody announces 2000::/8
	want := prefixes("::/0", "2001:db8::/32", "2001:db8::1/128")
	for _, tt := range []struct {
		name, content string
		want          []netip.Prefix
	}{
		{"text", text, want},
		{"text, gzip", gzipped(text), want},
		{"text, bzip2", bzip2ed(t, "QlpoOTFBWSZTWX+ZxzwAAAtZAAAQAAD4UBQAIAAxADAZBiReiKgsOnMssOVEJx4BMs+On4u5IpwoSD/M454A"), want},
		{"MRT", mrt, want},
		{"MRT, gzip", gzipped(mrt), want},
		{"MRT, bits behind the prefix", peers + record(13, 4, uint32(0), byte(12), "\x20\x1f", uint16(1),
			uint16(0), "TIME", uint16(0)), prefixes("2010::/12")},
		{"nothing", "", nil},
	} {
		name := filepath.Join(t.TempDir(), "table")
		if err := os.WriteFile(name, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := workload.ReadFile(name); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v (%v), want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := peers + route(4, "2001:db8::/32", 1)
	for _, tt := range []struct{ name, content, want string }{
		{"no prefix", "2001:db8::/32\nmelon\n", "line 2"},
		{"an empty line", "2001:db8::/32\n\n::/0\n", "line 2"},
		{"IPv4", "192.0.2.0/24\n", "line 1: 192.0.2.0/24: want an IPv6 prefix"},
		{"host bits", "2001:db8::1/32\n", "2001:db8::/32"},
		{"cut gzip", gzipped("2001:db8::/32\n")[:20], "unexpected EOF"},
		{"cut header", good + "\x00\x00\x00\x00", "offset 96 of the uncompressed dump: record ends too early"},
		{"cut body", good + route(4, "::/0", 0)[:20], "offset 96 of the uncompressed dump: record ends too early"},
		{"another type", good + record(16, 4), "type 16"},
		{"too long", good + encode(uint32(0), uint16(13), uint16(4), uint32(1<<31)), "2147483648 bytes"},
		{"129 bits", good + record(13, 4, uint32(0), byte(129), strings.Repeat("x", 17), uint16(0)), "129 bits"},
		{"no such peer", good + route(4, "::/0", 2), "peer 2 of 2"},
		{"no peers", route(4, "::/0", 0), "offset 0 of the uncompressed dump: a route before"},
		{"bytes left over", good + record(13, 4, uint32(0), byte(0), uint16(0), "x"), "1 bytes are left over"},
		{"cut attributes", good + record(13, 4, uint32(0), byte(0), uint16(1), uint16(0), "TIME", uint16(5), "attr"), "ends too early"},
		{"cut peers", peers + record(13, 1, "CCCC", uint16(0), uint16(2), byte(0), "IDEN", "4444", uint16(1)), "ends too early"},
	} {
		if table, err := workload.Read(strings.NewReader(tt.content)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v (%v), want an error with %q", tt.name, table, err, tt.want)
		}
	}
}

// FuzzReadMRT reads dumps that are damaged: prefixes or an error, and nothing
// that is no prefix of IPv6.
func FuzzReadMRT(f *testing.F) {
	good := peers + route(4, "2001:db8::/32", 1) + route(10, "2001:db8::1/128", 0)
	f.Add([]byte(good))
	f.Add([]byte(good[:len(good)-3]))
	f.Add([]byte(peers + record(13, 4, uint32(0), byte(129))))
	f.Fuzz(func(t *testing.T, dump []byte) {
		table, err := workload.Read(bytes.NewReader(dump))
		if err != nil && table != nil {
			t.Errorf("%d prefixes beside the error %v", len(table), err)
		}
		for i, p := range table {
			if !p.IsValid() || !p.Addr().Is6() || p != p.Masked() || i > 0 && table[i-1].Compare(p) >= 0 {
				t.Errorf("prefix %d is %v", i, p)
			}
		}
	})
}
