// Package lpm puts implementations of longest-prefix match side by side, so
// that one benchmark measures them all and one test compares their answers.
//
//	                  ┌─ fwd6/…        every lookup variant of package fib
//	Route ──Build──▶  ├─ bart, bart-fast         another Go table, both kinds
//	                  ├─ linux-fib6    ┐ BPF programs that look up in a loop,
//	Destinations ──▶  ├─ linux-trie    ┘ timed by the kernel's test run
//	        Lookup    └─ dpdk-fib6     a process of its own, see bench/peers
//	  answers ◀──
//
// Every peer gives the same answers: the group of the longest prefix, 0 if none
// covers the address. In the kernel's table the group is the last half of the
// route's gateway.
//
// A peer that this machine cannot run says why when it is opened.
package lpm

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel lookup bpf/lookup.c -- -mcpu=v3 -O2 -Wall -Wextra -Werror -I/usr/include/x86_64-linux-gnu
