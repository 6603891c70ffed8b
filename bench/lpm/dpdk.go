package lpm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/fwd6/fwd6/fib"
)

// dpdk is DPDK's rte_fib6, which a process of its own asks: bench/peers, made
// by `make peers`. It does one thing at a time, so its updates have no readers
// beside them.
//
// DPDK 22.11 runs out of room after many updates, although the table is always
// the same: not every removal gives back what adding took.
type dpdk struct {
	program, dir string
	process      *exec.Cmd
	errors       bytes.Buffer // its standard error
	bytes        int

	mu       sync.Mutex // one command at a time
	commands io.WriteCloser
	answers  *bufio.Reader
}

func openDPDK() (Table, error) {
	_, here, _, _ := runtime.Caller(0)
	program := filepath.Join(filepath.Dir(here), "../peers/rte_fib6")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("needs DPDK and `make peers`: %w", err)
	}
	dir, err := os.MkdirTemp("", "rte_fib6")
	if err != nil {
		return nil, err
	}
	return &dpdk{program: program, dir: dir}, nil
}

func (d *dpdk) file(name string) string { return filepath.Join(d.dir, name) }

func (d *dpdk) Build(routes []Route) (time.Duration, error) {
	var b []byte // of struct route
	for _, r := range routes {
		a := r.Prefix.Addr().As16()
		b = append(b, a[:]...)
		b = binary.NativeEndian.AppendUint32(b, uint32(r.Prefix.Bits()))
		b = binary.NativeEndian.AppendUint32(b, uint32(r.Group))
	}
	if err := os.WriteFile(d.file("routes"), b, 0o600); err != nil {
		return 0, err
	}
	if err := d.start(); err != nil {
		return 0, err
	}
	return d.answer("built %d %d", &d.bytes)
}

// start starts the process, on the processor of the calling thread.
func (d *dpdk) start() (err error) {
	d.process = exec.Command(d.program, d.file("routes"))
	d.process.Stderr = &d.errors
	if d.commands, err = d.process.StdinPipe(); err != nil {
		return err
	}
	out, err := d.process.StdoutPipe()
	if err != nil {
		return err
	}
	d.answers = bufio.NewReader(out)
	if err := d.process.Start(); err != nil {
		return fmt.Errorf("start %s: %w", d.program, err)
	}
	return nil
}

// answer reads a line that is a time, in nanoseconds, and perhaps more.
func (d *dpdk) answer(format string, more ...any) (time.Duration, error) {
	line, err := d.answers.ReadString('\n')
	if err != nil { // it ends by saying why
		err = errors.Join(err, d.process.Wait())
		d.process = nil
		return 0, fmt.Errorf("ask %s: %w: %s", filepath.Base(d.program), err, bytes.TrimSpace(d.errors.Bytes()))
	}
	var elapsed time.Duration
	if _, err := fmt.Sscanf(strings.TrimSpace(line), format, append([]any{&elapsed}, more...)...); err != nil {
		return 0, fmt.Errorf("ask %s: answer %q: %w", d.program, line, err)
	}
	return elapsed, nil
}

// ask sends a command and waits for how long it took.
func (d *dpdk) ask(format string, args ...any) (time.Duration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := fmt.Fprintf(d.commands, format+"\n", args...); err != nil {
		return 0, fmt.Errorf("ask %s: %w", d.program, err)
	}
	return d.answer("took %d")
}

func (d *dpdk) Set(r Route) (time.Duration, error) {
	return d.ask("set %v %d %d", r.Prefix.Addr(), r.Prefix.Bits(), r.Group)
}

func (d *dpdk) Remove(p netip.Prefix) (time.Duration, error) {
	return d.ask("remove %v %d", p.Addr(), p.Bits())
}

func (d *dpdk) Bytes() int                 { return d.bytes }
func (d *dpdk) NewReader() (Reader, error) { return dpdkReader{d}, nil }

func (d *dpdk) Close() error {
	var err error
	if d.process != nil {
		err = errors.Join(d.commands.Close(), d.process.Wait())
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

type dpdkReader struct{ peer *dpdk }

func (r dpdkReader) Close() error { return nil }

func (r dpdkReader) Lookup(mode Mode, d Destinations, out []fib.GroupID) (time.Duration, error) {
	var b []byte
	for _, a := range d.Fib {
		b = binary.BigEndian.AppendUint64(b, a.Hi)
		b = binary.BigEndian.AppendUint64(b, a.Lo)
	}
	from, into := r.peer.file("destinations"), r.peer.file("answers")
	if err := os.WriteFile(from, b, 0o600); err != nil {
		return 0, err
	}
	elapsed, err := r.peer.ask("lookup %d %s %s", int(mode), from, into)
	if err != nil {
		return 0, err
	}
	if b, err = os.ReadFile(into); err != nil {
		return 0, err
	}
	if len(b) != 4*len(out) {
		return 0, fmt.Errorf("%s has %d bytes, want %d", into, len(b), 4*len(out))
	}
	for i := range out {
		out[i] = fib.GroupID(binary.NativeEndian.Uint32(b[4*i:]))
	}
	return elapsed, nil
}
