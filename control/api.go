package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/fwd6/fwd6/dataplane"
)

// DefaultSocket is where a fwd6 answers unless told otherwise.
const DefaultSocket = "/run/fwd6/fwd6.sock"

// answers is what the API asks: the Controller, or in tests a table.
// All methods may be called by many goroutines at a time.
type answers interface {
	Status(context.Context) (StatusInfo, error)
	Stats(context.Context) (dataplane.Stats, error)
	RouteGet(context.Context, netip.Addr) (RouteInfo, error)
	// Routes calls its function for each route. The function writes to a
	// client, which may be slow: nobody must wait for it.
	Routes(context.Context, func(RouteInfo) error) error
	Neighbors(context.Context) ([]NeighborInfo, error)
}

// api answers questions over HTTP, each with one JSON value. Only /routes has
// many, one a line, and then an object with the key error if it broke off.
type api struct {
	from answers
	log  *slog.Logger
}

// serve answers until ctx ends, then cuts off who is still asking and closes l.
func (a *api) serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(l); ctx.Err() == nil {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		respond(w, r, a.from.Status)
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
		respond(w, r, func(ctx context.Context) (StatsInfo, error) {
			s, err := a.from.Stats(ctx)
			return StatsInfo(s), err
		})
	})
	mux.HandleFunc("GET /neigh", func(w http.ResponseWriter, r *http.Request) {
		respond(w, r, func(ctx context.Context) ([]NeighborInfo, error) {
			n, err := a.from.Neighbors(ctx)
			return append([]NeighborInfo{}, n...), err // none is [], not null
		})
	})
	mux.HandleFunc("GET /route", a.route)
	mux.HandleFunc("GET /routes", a.routes)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, fmt.Errorf("%s %s means nothing here: "+
			"GET /status, /stats, /route?addr=ADDRESS, /routes or /neigh", r.Method, r.URL.Path))
	})
	return mux
}

func (a *api) route(w http.ResponseWriter, r *http.Request) {
	addr, err := queriedAddr(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	respond(w, r, func(ctx context.Context) (RouteInfo, error) { return a.from.RouteGet(ctx, addr) })
}

func queriedAddr(r *http.Request) (netip.Addr, error) {
	s := r.URL.Query().Get("addr")
	if s == "" {
		return netip.Addr{}, errors.New("the address is missing: ask for /route?addr=2001:db8::1")
	}
	return ParseAddr(s)
}

// ParseAddr reads the IPv6 address to ask a route for.
func ParseAddr(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%q is no address: write it like 2001:db8::1", s)
	case addr.Is4():
		return netip.Addr{}, fmt.Errorf("%s is an IPv4 address: the kernel forwards those, ask `ip route get %[1]s`", addr)
	case addr.Zone() != "":
		return netip.Addr{}, fmt.Errorf("%s has a zone: leave %q away, routes have none", addr, "%"+addr.Zone())
	}
	return addr, nil
}

func (a *api) routes(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	buffer := bufio.NewWriterSize(w, 1<<16)
	defer func() { _ = buffer.Flush() }() // an error: the client has gone
	lines := json.NewEncoder(buffer)
	err := a.from.Routes(r.Context(), func(route RouteInfo) error { return lines.Encode(route) })
	if err != nil {
		// The status line is sent; only the end can still say it.
		_ = lines.Encode(problem{err.Error()})
	}
}

// respond sends what ask returns.
func respond[T any](w http.ResponseWriter, r *http.Request, ask func(context.Context) (T, error)) {
	v, err := ask(r.Context())
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	reply(w, http.StatusOK, v)
}

// problem is the answer to what cannot be answered.
type problem struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, status int, err error) {
	reply(w, status, problem{err.Error()})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // an error: the client has gone
}
