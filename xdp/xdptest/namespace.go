package xdptest

import (
	"fmt"
	"os"
	"runtime"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace without a name: file descriptors and one
// thread keep it, so it and all that is in it end with the process, however
// the process ends.
//
// Any goroutine may call its methods; Close once, when no other is running.
type Namespace struct {
	Name string // for messages only

	fd    int
	calls chan func() // run one after another on the namespace's own thread
	gone  chan struct{}

	conn *netlink.Conn
}

// onThread runs f on a thread that no other goroutine will use, neither during
// f nor after it.
//
// The main thread is left alone: /proc/self/net shows the main thread's
// namespace, and it cannot be thrown away.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			done := make(chan struct{})
			onThread(func() { defer close(done); f() })
			<-done
			runtime.UnlockOSThread()
			return
		}
		f() // the thread ends with this goroutine, because it stays locked
	}()
}

// NewNamespace makes a namespace in which only the loopback device exists.
// Close it.
func NewNamespace(name string) (*Namespace, error) {
	n := &Namespace{Name: name, fd: -1, calls: make(chan func()), gone: make(chan struct{})}
	made := make(chan error)
	onThread(func() {
		defer close(n.gone)
		err := n.unshare()
		made <- err
		if err != nil {
			return
		}
		for f := range n.calls {
			f()
		}
	})
	if err := <-made; err != nil {
		return nil, err
	}
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: n.fd})
	if err != nil {
		n.Close()
		return nil, fmt.Errorf("open netlink in namespace %s: %w", name, err)
	}
	n.conn = conn
	return n, nil
}

// unshare moves the calling thread into a new namespace and opens it.
func (n *Namespace) unshare() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make network namespace %s: %w", n.Name, err)
	}
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", n.Name, err)
	}
	n.fd = fd
	return nil
}

// FD is the namespace's descriptor, for setns. It stays valid until Close.
func (n *Namespace) FD() int { return n.fd }

// Do runs f in the namespace, on a thread of its own that is thrown away
// afterwards, and returns f's error. Sockets opened by f stay in the namespace;
// goroutines started by f are outside it. f must not call FailNow or Skip.
func (n *Namespace) Do(f func() error) error {
	result := make(chan error, 1)
	onThread(func() {
		if err := unix.Setns(n.fd, unix.CLONE_NEWNET); err != nil {
			result <- fmt.Errorf("enter network namespace %s: %w", n.Name, err)
			return
		}
		result <- f()
	})
	return <-result
}

// onOwnThread runs f on the thread that lives as long as the namespace.
func (n *Namespace) onOwnThread(f func() error) error {
	result := make(chan error, 1)
	n.calls <- func() { result <- f() }
	return <-result
}

// Close lets the namespace go. The kernel removes it with its devices, shortly
// after the last socket and process in it are gone.
func (n *Namespace) Close() error {
	if n.conn != nil {
		n.conn.Close()
	}
	close(n.calls)
	<-n.gone
	return unix.Close(n.fd)
}

// Sysctl sets a value below /proc/sys/net, such as "ipv6/conf/all/forwarding".
func (n *Namespace) Sysctl(key, value string) error {
	return n.Do(func() error {
		if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0); err != nil {
			return fmt.Errorf("set sysctl in namespace %s: %w", n.Name, err)
		}
		return nil
	})
}
