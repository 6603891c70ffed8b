// Package xdptest is what tests of every package, and the demonstration, stand
// on.
//
// Rings gives a backend whose rings lie in plain memory, with the kernel's ends
// in the hands of the test: it needs no privilege. Lab gives two hosts and a
// router in network namespaces, with real devices and the real kernel: it needs
// root, and nothing else. Senders and Captures put frames onto the Lab's links
// and take them off.
package xdptest
