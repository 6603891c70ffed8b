package xdptest

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Sender puts whole Ethernet frames onto a link, as they are.
//
// One goroutine at a time may use it.
type Sender struct {
	port *Port
	fd   int
	to   unix.SockaddrLinklayer
}

// Sender opens a raw socket on the port. Close it.
func (p *Port) Sender() (*Sender, error) {
	fd, err := p.packetSocket(0, 0)
	if err != nil {
		return nil, err
	}
	return &Sender{port: p, fd: fd, to: unix.SockaddrLinklayer{Ifindex: p.Ifindex}}, nil
}

// Send sends one frame, of at least 14 bytes and at most the MTU plus 14.
func (s *Sender) Send(frame []byte) error {
	if err := unix.Sendto(s.fd, frame, 0, &s.to); err != nil {
		return fmt.Errorf("send frame of %d bytes on %s: %w", len(frame), s.port.Name, err)
	}
	return nil
}

// Close closes the socket.
func (s *Sender) Close() error { return unix.Close(s.fd) }

// packetSocket opens an AF_PACKET socket in the port's namespace. Protocol 0
// receives nothing.
func (p *Port) packetSocket(protocol uint16, flags int) (int, error) {
	fd := -1
	err := p.NS.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|flags, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("open packet socket on %s: %w", p.Name, err)
	}
	if protocol == 0 {
		return fd, nil
	}
	address := &unix.SockaddrLinklayer{Protocol: bigEndian(protocol), Ifindex: p.Ifindex}
	if err := unix.Bind(fd, address); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind packet socket to %s: %w", p.Name, err)
	}
	return fd, nil
}

// bigEndian gives the number whose bytes in memory are v's in network order.
func bigEndian(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
