package sys

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Inode is the number by which /proc names the socket fd.
func Inode(fd int) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("stat socket: %w", err)
	}
	return st.Ino, nil
}

// CloseOnExec keeps fd from children.
func CloseOnExec(fd int) { unix.CloseOnExec(fd) }

// mapping is a piece of address space that belongs to a socket.
type mapping struct {
	start, end uintptr
	inode      uint64
}

// SocketMappings lists the inodes of the sockets of which this process has
// memory mapped.
func SocketMappings() (map[uint64]bool, error) {
	mappings, err := socketMappings()
	inodes := make(map[uint64]bool)
	for _, m := range mappings {
		inodes[m.inode] = true
	}
	return inodes, err
}

// UnmapSocket unmaps all memory of a socket that nobody uses any more.
func UnmapSocket(inode uint64) error {
	mappings, err := socketMappings()
	if err != nil {
		return err
	}
	for _, m := range mappings {
		if m.inode != inode {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MUNMAP, m.start, m.end-m.start, 0); errno != 0 {
			return fmt.Errorf("unmap rings of socket %d: %w", inode, errno)
		}
	}
	return nil
}

// socketMappings reads the lines of /proc/self/maps that end in socket:[inode].
func socketMappings() ([]mapping, error) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, fmt.Errorf("list mappings: %w", err)
	}
	defer f.Close()
	var all []mapping
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		inode, ok := socketInode(fields[len(fields)-1])
		if !ok {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 == nil && err2 == nil {
			all = append(all, mapping{uintptr(start), uintptr(end), inode})
		}
	}
	return all, nil
}

// OpenSockets lists the inodes of this process's open sockets.
func OpenSockets() (map[uint64]bool, error) {
	fds, err := filepath.Glob("/proc/self/fd/*")
	inodes := make(map[uint64]bool)
	for _, fd := range fds {
		name, err := os.Readlink(fd)
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := socketInode(name); ok {
			inodes[inode] = true
		}
	}
	return inodes, err
}

// socketInode parses "socket:[12345]".
func socketInode(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64)
	return inode, err == nil
}
