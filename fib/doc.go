// Package fib answers the one question of forwarding: which next-hop group
// serves this destination. It knows no socket, clock or device; a port is a
// number and a next hop is an index.
package fib
