package control

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestListenMakesSocketAndRemovesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "fwd6", "s")
	l, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]fs.FileMode{path: fs.ModeSocket | 0o660, filepath.Dir(path): fs.ModeDir | 0o755} {
		if info, err := os.Stat(file); err != nil || info.Mode() != want {
			t.Errorf("mode of %s = %v, %v, want %v", file, info.Mode(), err, want)
		}
	}
	l.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there after Close: %v", err)
	}
}

func TestListenReplacesStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false) // as if killed
	dead.Close()
	l, err := listen(path)
	if err != nil {
		t.Fatalf("listen = %v, want the dead process's socket replaced", err)
	}
	l.Close()
}

func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	mute := filepath.Join(dir, "mute")
	l, err := net.Listen("unix", mute)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	defer l.Close()
	tests := []struct{ name, path, want string }{
		{"a fwd6 that is alive", startAPI(t, &canned{status: StatusInfo{PID: 4711}}),
			"another fwd6 (pid 4711) listens there: stop it, or name another path with --socket"},
		{"some other process", mute, "another process listens there: stop it, or name another path with --socket"},
		{"a file", file, "something that is no socket is there: remove it, or name another path with --socket"},
		{"a file for directory", file + "/s", "not a directory"},
		{"a long path", "/tmp/" + strings.Repeat("x", 103), "the path has 108 bytes, of 107 allowed: name a shorter one with --socket"},
	}
	for _, tt := range tests {
		l, err := listen(tt.path)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "listen on "+tt.path+": ") || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%s: listen = %v, want listen on %s: … %s", tt.name, err, tt.path, tt.want)
		}
	}
	if data, _ := os.ReadFile(file); string(data) != "precious" {
		t.Error("listen destroyed a file")
	}
}

func TestNobodyListens(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead")
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const remedy = "is fwd6 running? start it with `fwd6 run --ports …`, or name its socket with --socket"
	tests := []struct{ path, want string }{
		{dir + "/none", "connect " + dir + "/none: no such file: " + remedy},
		{file, "connect " + file + ": it is no socket: name the one of a running fwd6 with --socket"},
		{dir, "connect " + dir + ": it is no socket: name the one of a running fwd6 with --socket"},
		{dead, "connect " + dead + ": nobody listens there any more: " + remedy},
	}
	for _, tt := range tests {
		if _, err := NewClient(tt.path).Status(context.Background()); err == nil || err.Error() != tt.want {
			t.Errorf("Status = %v, want %s", err, tt.want)
		}
	}
}

// A process that is there but hangs is named, with what to do.
func TestNobodyAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it accepts nothing, as a stopped process does
	ctx, cancel := context.WithTimeout(context.Background(), 2*answerTimeout)
	defer cancel()
	_, err = NewClient(path).Status(ctx)
	want := fmt.Sprintf("ask /status at %s: process %d is there but does not answer: ask again; if it is stopped, `kill -CONT %[2]d` lets it go on; "+
		"if it hangs, `kill -9 %[2]d` ends it, and the kernel forwards", path, os.Getpid())
	if err == nil || err.Error() != want || ctx.Err() != nil {
		t.Errorf("Status = %v, want %s", err, want)
	}
}

func TestConnectDenied(t *testing.T) {
	denied := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}
	got := NewClient("/s").explain("/status", denied).Error()
	if want := "connect /s: permission denied: be root, or in the group that owns it"; got != want {
		t.Errorf("explain = %s, want %s", got, want)
	}
}
