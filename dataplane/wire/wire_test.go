package wire

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

func halves(s string) (hi, lo uint64) {
	b := netip.MustParseAddr(s).As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

func TestSpecial(t *testing.T) {
	tests := []struct {
		addr string
		want bool
	}{
		{"::", true},
		{"::1", true},
		{"::2", false},
		{"::fffe:ffff:ffff", false},
		{"::ffff:0.0.0.0", true},
		{"::ffff:192.0.2.1", true},
		{"::1:0:0:0", false},
		{"1::1", false},
		{"64:ff9b::192.0.2.1", false},
		{"2001:db8::1", false},
		{"fdff:ffff::1", false},
		{"fe7f:ffff::1", false},
		{"fe80::", true},
		{"fe80::1", true},
		{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
		{"fec0::1", false},
		{"feff:ffff::", false},
		{"ff00::", true},
		{"ff02::1", true},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
	}
	for _, tt := range tests {
		if got := Special(halves(tt.addr)); got != tt.want {
			t.Errorf("Special(%s) = %v, want %v", tt.addr, got, tt.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	var h Headers
	h.SetEthernet(&[14]byte{12: 0x86, 13: 0xdd})
	copy(h[14:], []byte{0x6a, 0xbc, 0xde, 0xf1, 0x12, 0x34, 17, 64})
	src, dst := netip.MustParseAddr("2001:db8::1").As16(), netip.MustParseAddr("2001:db8:ffff::2").As16()
	copy(h[22:], src[:])
	copy(h[38:], dst[:])
	h.DecrementHopLimit()
	srcHi, srcLo := h.Src()
	dstHi, dstLo := h.Dst()
	got := []uint64{
		uint64(h.EtherType()), uint64(h.Version()), uint64(h.FlowLabel()), uint64(h.PayloadLen()), uint64(h.NextHeader()),
		uint64(h.HopLimit()), srcHi, srcLo, dstHi, dstLo,
	}
	want := []uint64{0x86dd, 6, 0xcdef1, 0x1234, 17, 63, 0x20010db800000000, 1, 0x20010db8ffff0000, 2}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("field %d = %#x, want %#x", i, got[i], want[i])
		}
	}
}
