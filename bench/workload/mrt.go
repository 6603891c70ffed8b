package workload

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// What RFC 6396 §4 and RFC 8050 §4 call the records.
const (
	tableDumpV2 = 13

	peerIndexTable        = 1
	ribIPv6Unicast        = 4
	ribIPv6UnicastAddPath = 10
)

// recordHeader is the size of what is before every record (RFC 6396 §2).
const recordHeader = 12

// maxRecord bounds a record, in bytes: a route that 4,000 peers announce with
// 4 KiB of attributes each.
const maxRecord = 16 << 20

var errShort = errors.New("record ends too early")

// isMRT looks at the first record's type. Text has no byte that is zero.
func isMRT(r *bufio.Reader) bool {
	start, _ := r.Peek(6)
	return len(start) == 6 && start[4] == 0
}

// readMRT reads a dump: first whose routes it has, then a record per prefix.
func readMRT(r *bufio.Reader) ([]netip.Prefix, error) {
	d := dump{r: r, peers: -1}
	for {
		start := d.offset
		switch err := d.record(); {
		case errors.Is(err, io.EOF):
			return d.table, nil
		case err != nil:
			return nil, fmt.Errorf("MRT record at offset %d of the uncompressed dump: %w", start, err)
		}
	}
}

// dump is an MRT dump that is being read.
type dump struct {
	r      io.Reader
	offset int64 // bytes read
	peers  int   // in the table of peers; -1 before it was seen
	body   bytes.Buffer
	table  []netip.Prefix
}

// record reads one record. It returns io.EOF if there is none.
func (d *dump) record() error {
	var header [recordHeader]byte
	n, err := io.ReadFull(d.r, header[:])
	d.offset += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errShort
	} else if err != nil {
		return err
	}
	typ, subtype := binary.BigEndian.Uint16(header[4:]), binary.BigEndian.Uint16(header[6:])
	length := int64(binary.BigEndian.Uint32(header[8:]))
	switch {
	case typ != tableDumpV2:
		return fmt.Errorf("type %d: want %d, TABLE_DUMP_V2", typ, tableDumpV2)
	case length > maxRecord:
		return fmt.Errorf("%d bytes: want at most %d", length, maxRecord)
	}
	d.body.Reset()
	copied, err := io.CopyN(&d.body, d.r, length)
	d.offset += copied
	if errors.Is(err, io.EOF) {
		return errShort
	} else if err != nil {
		return err
	}
	return d.interpret(subtype, fields{rest: d.body.Bytes()})
}

// interpret takes what is wanted from a record: other families are passed over.
func (d *dump) interpret(subtype uint16, f fields) error {
	switch subtype {
	case peerIndexTable:
		d.peers = f.peers()
	case ribIPv6Unicast, ribIPv6UnicastAddPath:
		if d.peers < 0 {
			return errors.New("a route before the table of peers")
		}
		if p, announced := f.route(d.peers, subtype == ribIPv6UnicastAddPath); announced {
			d.table = append(d.table, p)
		}
	default:
		return nil
	}
	if f.err == nil && len(f.rest) > 0 {
		return fmt.Errorf("%d bytes are left over", len(f.rest))
	}
	return f.err
}
