package workload

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// ReadFile reads the IPv6 prefixes of a real table, sorted and each once. See
// Read for what the file may be.
func ReadFile(name string) ([]netip.Prefix, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	defer file.Close()
	table, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", name, err)
	}
	return table, nil
}

// Read reads either text, one prefix a line, or an MRT dump of the kind
// TABLE_DUMP_V2, of which it takes the prefixes of IPv6 unicast. Both may be
// compressed by gzip or bzip2. What it is shows in its first bytes.
//
// Anything malformed is an error, which says where.
func Read(r io.Reader) ([]netip.Prefix, error) {
	content, err := decompress(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	read := readText
	if isMRT(content) {
		read = readMRT
	}
	table, err := read(content)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(table, netip.Prefix.Compare)
	return slices.Compact(table), nil
}

func decompress(r *bufio.Reader) (*bufio.Reader, error) {
	start, _ := r.Peek(3) // fewer are not compressed
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}): // RFC 1952 §2.3.1
		plain, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		return bufio.NewReader(plain), nil
	case bytes.Equal(start, []byte("BZh")):
		return bufio.NewReader(bzip2.NewReader(r)), nil
	}
	return r, nil
}

func readText(r *bufio.Reader) ([]netip.Prefix, error) {
	var table []netip.Prefix
	for n := 1; ; n++ {
		line, err := r.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if line == "" {
			return table, nil
		}
		p, err := parse(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		table = append(table, p)
	}
}

func parse(line string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(line)
	switch {
	case err != nil:
		return netip.Prefix{}, err
	case !p.Addr().Is6():
		return netip.Prefix{}, fmt.Errorf("%v: want an IPv6 prefix", p)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%v: want no bits behind the prefix, as in %v", p, p.Masked())
	}
	return p, nil
}
