package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// listen opens the unix socket for the API. It makes the directory, replaces
// the socket that a killed process left behind, and refuses one that is alive.
// Closing the listener removes the socket.
func listen(path string) (net.Listener, error) {
	// struct sockaddr_un has 108 bytes, one of them for the terminating zero;
	// longer paths would give only "invalid argument".
	if len(path) > 107 {
		return nil, fmt.Errorf("listen on %s: the path has %d bytes, of 107 allowed: name a shorter one with --socket", path, len(path))
	}
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

// makeDir makes dir, if it is not there, one that everyone may pass through,
// whatever the umask: who may connect is the socket's business.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// removeStale removes the socket at path if nobody listens there any more.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("something that is no socket is there: remove it, or name another path with --socket")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return fmt.Errorf("%s listens there: stop it, or name another path with --socket", listener(path))
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// listener names who listens at path.
func listener(path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	client := NewClient(path)
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return "another process"
	}
	return fmt.Sprintf("another fwd6 (pid %d)", status.PID)
}
