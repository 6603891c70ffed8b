package wire

import (
	"net"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

func TestPartialChecksum(t *testing.T) {
	for _, n := range []int{0, 1, 2, 63, 64, 1000, 1441} {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i * 7)
		}
		ip := &layers.IPv6{
			Version: 6, HopLimit: 64,
			SrcIP: net.ParseIP("2001:db8:ffff::2"), DstIP: net.ParseIP("2001:db8:b:ffff::ffff"),
		}
		for _, transport := range []interface {
			gopacket.SerializableLayer
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}{
			&layers.TCP{SrcPort: 1, DstPort: 2, SYN: true},
			&layers.UDP{SrcPort: 1, DstPort: 2},
			&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)},
		} {
			ip.NextHeader = map[gopacket.LayerType]layers.IPProtocol{
				layers.LayerTypeTCP: 6, layers.LayerTypeUDP: 17, layers.LayerTypeICMPv6: 58,
			}[transport.LayerType()]
			if err := transport.SetNetworkLayerForChecksum(ip); err != nil {
				t.Fatal(err)
			}
			buffer := gopacket.NewSerializeBuffer()
			options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
			if err := gopacket.SerializeLayers(buffer, options, ip, transport, gopacket.Payload(data)); err != nil {
				t.Fatal(err)
			}
			packet := buffer.Bytes()
			if PartialChecksum(packet) {
				t.Errorf("%v of %d bytes: a good checksum is taken for a partial one", ip.NextHeader, n)
			}
			at := map[layers.IPProtocol]int{6: 40 + 16, 17: 40 + 6, 58: 40 + 2}[ip.NextHeader]
			pseudo := fold(sum(uint32(len(packet)-40)+uint32(ip.NextHeader), packet[8:40]))
			packet[at], packet[at+1] = byte(pseudo>>8), byte(pseudo)
			if got, want := PartialChecksum(packet), ip.NextHeader != 58; got != want {
				t.Errorf("%v of %d bytes: partial checksum found = %v, want %v", ip.NextHeader, n, got, want)
			}
			for cut := range packet {
				PartialChecksum(packet[:cut]) // does not panic
			}
		}
	}
}
