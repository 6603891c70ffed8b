package xdptest

import (
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// RouteConn changes routes one at a time over one connection, so that what it
// takes is the change. After an error the connection is of no more use.
//
// One goroutine at a time may use it.
type RouteConn struct {
	ns   *Namespace
	conn *netlink.Conn
}

// OpenRoutes opens a connection. Close it.
func (n *Namespace) OpenRoutes() (*RouteConn, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: n.fd, Strict: true})
	if err != nil {
		return nil, fmt.Errorf("open netlink in namespace %s: %w", n.Name, err)
	}
	return &RouteConn{n, conn}, nil
}

// Replace is as ReplaceRoutes, for one route.
func (c *RouteConn) Replace(r Route) error {
	if err := writeRoutes(c.conn, unix.RTM_NEWROUTE, netlink.Create|netlink.Replace, []Route{r}); err != nil {
		return fmt.Errorf("replace a route in namespace %s: %w", c.ns.Name, err)
	}
	return nil
}

// Remove is as RemoveRoutes, for one route.
func (c *RouteConn) Remove(r Route) error {
	if err := writeRoutes(c.conn, unix.RTM_DELROUTE, 0, []Route{r}); err != nil {
		return fmt.Errorf("remove a route in namespace %s: %w", c.ns.Name, err)
	}
	return nil
}

// Close closes the connection.
func (c *RouteConn) Close() error { return c.conn.Close() }
