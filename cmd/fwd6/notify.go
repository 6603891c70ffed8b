package main

import (
	"fmt"
	"net"
	"os"
)

// notify tells the service manager that started fwd6 about a change of state,
// as sd_notify(3) does. Without a service manager it does nothing.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET") // net takes a leading @ as an abstract name, too
	if path == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify service manager of %s: %w", state, err)
	}
	return nil
}
