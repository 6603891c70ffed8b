package xdptest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Frame is an Ethernet frame that arrived, and when.
type Frame struct {
	Time time.Time
	Data []byte
}

// Capture collects every frame that arrives at a port, except those that the
// port's own host sends. Frames that an XDP program on the port drops or
// redirects do not arrive.
//
// Any goroutine may call its methods.
type Capture struct {
	port *Port
	file *os.File
	keep func(frame []byte) bool
	done chan struct{}

	mu     sync.Mutex
	grown  *sync.Cond // frames or err changed
	frames []Frame
	err    error
}

// captureBytes is the receive queue; the kernel counts a small frame as about
// 800 bytes, so it holds some 80,000 of them.
const captureBytes = 64 << 20

// Capture begins to collect the frames for which keep is true, which runs on
// another goroutine. A nil keep keeps all. Close it.
func (p *Port) Capture(keep func(frame []byte) bool) (*Capture, error) {
	fd, err := p.packetSocket(0, unix.SOCK_NONBLOCK)
	if err != nil {
		return nil, err
	}
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBytes},
		{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
		{unix.SOL_PACKET, unix.PACKET_AUXDATA, 1},
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("prepare capture on %s: %w", p.Name, err)
		}
	}
	address := &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: p.Ifindex}
	if err := unix.Bind(fd, address); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind capture to %s: %w", p.Name, err)
	}
	if keep == nil {
		keep = func([]byte) bool { return true }
	}
	c := &Capture{port: p, file: os.NewFile(uintptr(fd), "capture "+p.Name), keep: keep, done: make(chan struct{})}
	c.grown = sync.NewCond(&c.mu)
	go c.read()
	return c, nil
}

// Take returns the frames collected since the last Take, once there are n of
// them or the time is over. Frames may have been lost if err is not nil.
func (c *Capture) Take(n int, timeout time.Duration) ([]Frame, error) {
	deadline := time.Now().Add(timeout)
	timer := time.AfterFunc(timeout, c.grown.Broadcast)
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.frames) < n && c.err == nil && time.Now().Before(deadline) {
		c.grown.Wait()
	}
	frames := c.frames
	c.frames = nil
	return frames, c.err
}

// Close ends the capture.
func (c *Capture) Close() error {
	err := c.file.Close()
	<-c.done
	return err
}

// read moves frames from the socket to the list until the file is closed.
func (c *Capture) read() {
	defer close(c.done)
	conn, err := c.file.SyscallConn()
	if err != nil {
		c.fail(err)
		return
	}
	data, control := make([]byte, 1<<16), make([]byte, 256)
	for {
		var n, cn int
		var cause error
		err := conn.Read(func(fd uintptr) bool {
			n, cn, _, _, cause = unix.Recvmsg(int(fd), data, control, 0)
			return !errors.Is(cause, unix.EAGAIN)
		})
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err := errors.Join(err, cause); err != nil {
			c.fail(err)
			if errors.Is(err, unix.ENETDOWN) {
				continue // the port is down; it may come up again
			}
			return
		}
		c.add(data[:n], control[:cn])
	}
}

func (c *Capture) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !errors.Is(err, unix.ENETDOWN) {
		c.err = fmt.Errorf("capture on %s: %w", c.port.Name, err)
	}
	c.grown.Broadcast()
}

func (c *Capture) add(data, control []byte) {
	frame := Frame{Time: time.Now()}
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		c.fail(err)
		return
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS:
			frame.Time = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		case m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA:
			frame.Data = withVLAN(data, m.Data)
		}
	}
	if frame.Data == nil {
		frame.Data = append([]byte(nil), data...)
	}
	if !c.keep(frame.Data) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = append(c.frames, frame)
	c.grown.Broadcast()
}

// withVLAN copies a frame and puts back the tag that the kernel took out and
// passes beside it, in struct tpacket_auxdata.
func withVLAN(data, aux []byte) []byte {
	status := binary.NativeEndian.Uint32(aux)
	if status&unix.TP_STATUS_VLAN_VALID == 0 {
		return append([]byte(nil), data...)
	}
	tci, tpid := binary.NativeEndian.Uint16(aux[16:]), uint16(unix.ETH_P_8021Q)
	if status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
		tpid = binary.NativeEndian.Uint16(aux[18:])
	}
	frame := append(make([]byte, 0, len(data)+4), data[:12]...)
	frame = binary.BigEndian.AppendUint16(frame, tpid)
	frame = binary.BigEndian.AppendUint16(frame, tci)
	return append(frame, data[12:]...)
}
