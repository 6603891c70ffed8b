package demo

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/fwd6/fwd6/xdp/xdptest"
)

// pings is what became of some echo requests.
type pings struct {
	sent, answered int
	median         time.Duration // until the answer
}

const (
	pingCount   = 100
	pingEvery   = 10 * time.Millisecond
	pingTimeout = time.Second // after the last one

	echoRequest = 128 // RFC 4443 section 4.1
	echoReply   = 129
	echoID      = 0x6636
	echoSize    = 8 + 8 // header and the time of sending
)

// ping sends echo requests from a namespace and counts the answers. A first
// one, not counted, lets all neighbors find one another.
func ping(ctx context.Context, from *xdptest.Namespace, to netip.Addr) (p pings, err error) {
	var conn net.PacketConn
	if err := from.Do(func() (err error) {
		conn, err = net.ListenPacket("ip6:ipv6-icmp", "::")
		return err
	}); err != nil {
		return p, fmt.Errorf("open a socket for pings: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	if err := sendPing(conn, to, 0); err != nil {
		return p, err
	}
	if replies := readPings(conn, 1, time.Now().Add(pingTimeout)); len(replies) == 0 {
		return p, fmt.Errorf("no answer from %v to a first ping: packets do not get through", to)
	}
	trips := make(chan []time.Duration, 1)
	go func() {
		trips <- readPings(conn, pingCount, time.Now().Add(pingCount*pingEvery+pingTimeout))
	}()
	for sequence := range pingCount {
		if err := sendPing(conn, to, uint16(sequence+1)); err != nil {
			return p, err
		}
		time.Sleep(pingEvery)
	}
	answered := <-trips
	p = pings{sent: pingCount, answered: len(answered)}
	if len(answered) > 0 {
		slices.Sort(answered)
		p.median = answered[len(answered)/2]
	}
	return p, ctx.Err()
}

func sendPing(conn net.PacketConn, to netip.Addr, sequence uint16) error {
	request := []byte{echoRequest, 0, 0, 0} // the kernel fills in the checksum
	request = binary.BigEndian.AppendUint16(request, echoID)
	request = binary.BigEndian.AppendUint16(request, sequence)
	request = binary.BigEndian.AppendUint64(request, uint64(time.Now().UnixNano()))
	if _, err := conn.WriteTo(request, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return fmt.Errorf("send ping %d to %v: %w", sequence, to, err)
	}
	return nil
}

// readPings takes answers until there are so many or the time is over, each
// sequence number once, and returns how long they took.
func readPings(conn net.PacketConn, count int, deadline time.Time) (trips []time.Duration) {
	if conn.SetReadDeadline(deadline) != nil {
		return nil // closed
	}
	seen := make(map[uint16]bool)
	for buffer := make([]byte, 1500); len(trips) < count; {
		n, _, err := conn.ReadFrom(buffer)
		if err != nil {
			return trips
		}
		sequence := binary.BigEndian.Uint16(buffer[6:])
		if n != echoSize || buffer[0] != echoReply || binary.BigEndian.Uint16(buffer[4:]) != echoID || seen[sequence] {
			continue
		}
		seen[sequence] = true
		sent := time.Unix(0, int64(binary.BigEndian.Uint64(buffer[8:])))
		trips = append(trips, time.Since(sent))
	}
	return trips
}
