package xdptest

import (
	"bytes"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Cmd is an exec.Cmd whose process starts inside a namespace. Use it as an
// exec.Cmd; it is not safe for use by several goroutines either.
type Cmd struct {
	*exec.Cmd
	ns *Namespace
}

// Command prepares a process inside the namespace. The process is killed when
// the namespace is closed or this process ends; send it a signal and Wait to
// end it earlier and in order. It sees the /sys of the namespace outside.
func (n *Namespace) Command(name string, args ...string) *Cmd {
	cmd := exec.Command(name, args...)
	// Death of the parent means death of the thread that started the child.
	// That is the namespace's own thread, which lives until Close.
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	return &Cmd{Cmd: cmd, ns: n}
}

// Start is as exec.Cmd.Start, inside the namespace.
func (c *Cmd) Start() error { return c.ns.onOwnThread(c.Cmd.Start) }

// Run is as exec.Cmd.Run, inside the namespace.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output is as exec.Cmd.Output, inside the namespace, without ExitError.Stderr.
func (c *Cmd) Output() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run()
	return out.Bytes(), err
}

// CombinedOutput is as exec.Cmd.CombinedOutput, inside the namespace.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}
