package dataplane

import (
	"bytes"
	"testing"

	"github.com/fwd6/fwd6/fib"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		name  string
		frame []byte
		want  Reason
	}{
		{"plain", frame(), Forward},
		{"no payload", frame(size(40)), Forward},
		{"largest", frame(size(1500)), Forward},
		{"padded", frame(pad(6)), Forward},
		{"fragment", frame(nextHeader(44)), Forward},
		{"routing header", frame(nextHeader(43)), Forward},
		{"no next header", frame(nextHeader(59)), Forward},
		{"hop limit 1 is judged after the lookup", frame(hopLimit(1)), Forward},
		{"global to unique local", frame(dst("fd00::1")), Forward},
		{"site-local is plain unicast (RFC 3879)", frame(dst("fec0::1")), Forward},

		{"Ethernet header only", frame(cut(14)), PuntHeader},
		{"one byte short of a header", frame(cut(53)), PuntHeader},
		{"IPv4", frame(etherType(0x0800)), PuntHeader},
		{"VLAN", frame(etherType(0x8100)), PuntHeader},
		{"version 4", frame(version(4)), PuntHeader},
		{"version 7", frame(version(7)), PuntHeader},
		{"hop-by-hop options", frame(nextHeader(0)), PuntHopByHop},
		{"jumbogram", frame(nextHeader(0), payloadLen(0)), PuntHopByHop},
		{"payload one byte too long", frame(payloadLen(65)), DropTruncated},
		{"payload far too long", frame(payloadLen(65535)), DropTruncated},
		{"header whole, payload missing", frame(cut(54)), DropTruncated},

		{"to multicast", frame(dst("ff0e::1")), PuntSpecial},
		{"from multicast", frame(src("ff02::1")), PuntSpecial},
		{"to link-local", frame(dst("fe80::1")), PuntSpecial},
		{"from link-local", frame(src("fe80::1")), PuntSpecial},
		{"from unspecified", frame(src("::")), PuntSpecial},
		{"to unspecified", frame(dst("::")), PuntSpecial},
		{"from loopback", frame(src("::1")), PuntSpecial},
		{"to loopback", frame(dst("::1")), PuntSpecial},
		{"from v4-mapped", frame(src("::ffff:192.0.2.1")), PuntSpecial},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := batchOf(1<<20, tt.frame)
			b.classify()
			if got := b.reason[0]; got != tt.want {
				t.Errorf("classify = %v, want %v", got, tt.want)
			}
			if want := (fib.Addr{}); tt.want != Forward && b.dst[0] != want {
				t.Errorf("destination of a packet off the line = %v, want %v", b.dst[0], want)
			}
		})
	}
}

// TestTrim cuts padding off frames in one piece and in several: what remains is
// the packet, and every piece is kept or freed, none twice.
func TestTrim(t *testing.T) {
	for _, chunk := range []int{1 << 20, 256, 100, 64} {
		for _, payload := range []int{40, 41, 64, 86, 200, 242, 243, 300} {
			for _, padding := range []int{0, 1, 6, 63, 64, 100, 150} {
				whole := frame(size(payload))
				first, last := frame(size(payload), pad(padding)), frame()
				b := batchOf(chunk, first, last)
				b.classify()
				if b.reason[0] != Forward || b.n != 2 {
					t.Fatalf("chunk %d size %d padding %d: %d packets, the first %v", chunk, payload, padding, b.n, b.reason[0])
				}
				if got := b.bytesOf(0); !bytes.Equal(got, whole) {
					t.Errorf("chunk %d size %d padding %d: %d bytes remain, want %d", chunk, payload, padding, len(got), len(whole))
				}
				if got := b.bytesOf(1); !bytes.Equal(got, last) {
					t.Errorf("chunk %d size %d padding %d: the next packet changed", chunk, payload, padding)
				}
				if d := b.pieceDescs(0); d[len(d)-1].Options != 0 {
					t.Errorf("chunk %d size %d padding %d: the last piece says that the frame goes on", chunk, payload, padding)
				}
				kept := int(b.pieces[0]) + int(b.pieces[1])
				if kept+b.freed != b.used {
					t.Errorf("chunk %d size %d padding %d: %d pieces kept, %d freed, want %d", chunk, payload, padding, kept, b.freed, b.used)
				}
			}
		}
	}
}

// FuzzClassify feeds the checks with anything. Whatever passes them must be a
// packet that lies whole in its frame.
func FuzzClassify(f *testing.F) {
	f.Add(frame(), 2048)
	f.Add(frame(pad(8)), 64)
	f.Add(frame(nextHeader(0)), 100)
	f.Add(frame(cut(20)), 16)
	f.Fuzz(func(t *testing.T, data []byte, chunk int) {
		if chunk < 54 || len(data) == 0 || len(data) > 16*chunk || len(data) > 20000 {
			return
		}
		b := batchOf(chunk, data)
		b.classify()
		if b.reason[0] != Forward {
			return
		}
		got := b.bytesOf(0)
		if len(got) != 14+int(b.length[0]) || !bytes.HasPrefix(data, got) {
			t.Fatalf("forwards %d bytes of a %d-byte frame with an IPv6 length of %d", len(got), len(data), b.length[0])
		}
	})
}
