// Package traffic floods a forwarder and judges what comes out of it.
//
//	namespace A               R               namespace B
//	generate ──▶ a0 ─── r0  forwarder  r1 ─── b0 ──▶ sink
//	    ▲                                             │
//	    └────────────── packets counted ──────────────┘
//
// Both ends are XDP programs, so they cost little beside what is measured:
// generate runs by BPF_PROG_TEST_RUN on frames that never see a socket, sink
// drops what it has counted. Every packet carries a sequence number under a
// UDP checksum; sink finds packets that are damaged, repeated, or that the
// forwarder did not rewrite as it should, and lets everything else pass.
//
// Three kinds of load: a closed loop, in which no more than a window of
// packets is on the way, goes as fast as the forwarder and loses nothing by
// overload; a paced one; and an open one, as fast as the generator.
package traffic

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel flood bpf/flood.c -- -mcpu=v3 -O2 -Wall -Wextra -Werror -I/usr/include/x86_64-linux-gnu
