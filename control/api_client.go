package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fwd6/fwd6/dataplane"
)

// Client asks a running fwd6. All methods may be called by any goroutine.
type Client struct {
	path string
	http *http.Client
	pid  atomic.Int64 // of the process that listens, once connected; 0: unknown
}

// answerTimeout bounds how long the first byte of an answer may take.
const answerTimeout = 3 * time.Second

// maxLine is how long a line of /routes may be, in bytes: a route with the
// most next hops that fit into a netlink message stays far below.
const maxLine = 1 << 24

// NewClient makes a client of the fwd6 that listens at path. It connects with
// the first question.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:           c.dial,
		ResponseHeaderTimeout: answerTimeout,
	}}
	return c
}

func (c *Client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.path)
	if err == nil {
		c.pid.Store(int64(listenerPID(conn)))
	}
	return conn, err
}

// Close ends the client's idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status says how the forwarder is.
func (c *Client) Status(ctx context.Context) (s StatusInfo, err error) {
	return s, c.get(ctx, "/status", &s)
}

// Stats says what it has counted since it began.
func (c *Client) Stats(ctx context.Context) (dataplane.Stats, error) {
	var s StatsInfo
	err := c.get(ctx, "/stats", &s)
	return dataplane.Stats(s), err
}

// RouteGet says which route packets to addr take. Without one, the answer's
// Dst is invalid.
func (c *Client) RouteGet(ctx context.Context, addr netip.Addr) (r RouteInfo, err error) {
	return r, c.get(ctx, "/route?addr="+url.QueryEscape(addr.String()), &r)
}

// Neighbors says which neighbors it knows.
func (c *Client) Neighbors(ctx context.Context) (n []NeighborInfo, err error) {
	return n, c.get(ctx, "/neigh", &n)
}

// Routes calls f for each route, until f fails.
func (c *Client) Routes(ctx context.Context, f func(RouteInfo) error) error {
	body, err := c.open(ctx, "/routes")
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		route, err := decodeRoute(lines.Bytes())
		if err != nil {
			return err
		}
		if err := f(route); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read routes from %s: %w", c.path, err)
	}
	return nil
}

// decodeRoute reads one line of /routes: a route, or why there are no more.
func decodeRoute(line []byte) (r RouteInfo, err error) {
	if !bytes.HasPrefix(line, []byte(`{"error":`)) {
		return r, r.UnmarshalJSON(line)
	}
	var p problem
	if err := json.Unmarshal(line, &p); err != nil {
		return r, err
	}
	return r, errors.New(p.Error)
}

// get asks for one JSON value.
func (c *Client) get(ctx context.Context, question string, v any) error {
	body, err := c.open(ctx, question)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(v); err != nil {
		return fmt.Errorf("read %s from %s: %w", question, c.path, err)
	}
	return nil
}

// open asks and returns the answer's body, or the error that it holds.
func (c *Client) open(ctx context.Context, question string) (io.ReadCloser, error) {
	// The host means nothing; the transport dials the socket whatever it is.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://fwd6"+question, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(question, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var p problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || p.Error == "" {
		return nil, fmt.Errorf("ask %s at %s: %s: is it a fwd6 that listens there?", question, c.path, resp.Status)
	}
	return nil, errors.New(p.Error)
}

// explain says what to do about err, which came of connecting or asking.
func (c *Client) explain(question string, err error) error {
	const remedy = "is fwd6 running? start it with `fwd6 run --ports …`, or name its socket with --socket"
	var dial *net.OpError
	var late net.Error
	switch {
	case errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("ask %s at %s: %s", question, c.path, c.silent())
	case c.noSocket():
		return fmt.Errorf("connect %s: it is no socket: name the one of a running fwd6 with --socket", c.path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("connect %s: no such file: %s", c.path, remedy)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("connect %s: nobody listens there any more: %s", c.path, remedy)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("connect %s: permission denied: be root, or in the group that owns it", c.path)
	case errors.As(err, &dial):
		return fmt.Errorf("connect %s: %w", c.path, dial.Err)
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return fmt.Errorf("ask fwd6 at %s: %w", c.path, err)
}

// silent says what to do about a process that listens and does not answer.
func (c *Client) silent() string {
	pid := c.pid.Load()
	if pid == 0 {
		return "who listens there does not answer: see what it does"
	}
	return fmt.Sprintf("process %d is there but does not answer: ask again; if it is stopped, `kill -CONT %[1]d` lets it go on; "+
		"if it hangs, `kill -9 %[1]d` ends it, and the kernel forwards", pid)
}

// noSocket says whether something else is where the socket should be.
func (c *Client) noSocket() bool {
	info, err := os.Stat(c.path)
	return err == nil && info.Mode().Type() != fs.ModeSocket
}
