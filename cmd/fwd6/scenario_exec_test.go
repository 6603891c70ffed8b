package main

import "os"

// The scenario tests run fwd6 as a process of its own. It is the test binary,
// with this variable in its environment, so that they test the code that they
// were built with, the race detector included.
func init() {
	if os.Getenv("FWD6_TEST_RUN") != "" {
		main()
	}
}
