/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the sorting program and the Go code around it agree on. bpf2go makes Go
 * of the types; the constants are repeated in Go and compared by a test. */
#ifndef FWD6_SORT_H
#define FWD6_SORT_H

#define MAX_QUEUES 1024
#define MAX_LOCAL 65536

#define MAC_MASK ((1ULL << 48) - 1)
#define PORT_PASSING (1ULL << 48) /* everything goes to the kernel */
#define PORT_GENERIC (1ULL << 49) /* injected frames come by here again */

/* Source MAC 02:66:77:64:36:00 ("fwd6") of frames injected on a port in
 * generic mode, whose program sees them a second time. */
#define INJECTED_MAC 0x003664776602ULL

#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

enum verdict {
	STEER,
	PASS_NOT_IPV6,
	PASS_SHORT,
	PASS_VERSION,
	PASS_MULTICAST,
	PASS_LINK_LOCAL,
	PASS_RESERVED,
	PASS_HOP_BY_HOP,
	PASS_OTHER_MAC,
	PASS_LOCAL,
	PASS_VLAN,
	PASS_INJECTED,
	PASS_PASSING,
	PASS_STALE,
	PASS_NO_SOCKET,
	NUM_VERDICTS,
};

/* One cache line each: workers and CPUs write them at full speed. */
struct heartbeat {
	__u64 count;
	__u64 pad[7];
};

struct queue {
	__u32 worker; /* serving it, plus one; 0: none */
	__u32 pad0;
	__u64 seen;   /* the worker's heartbeat at the last packet */
	__u64 since;  /* when that value was new, in ticks */
	__u64 pad[5];
};

/* Six bytes of a MAC as the low bits of a word; the two bytes behind it must
 * be in the frame too. */
static __always_inline __u64 mac_at(const __u8 *mac)
{
	return *(const __u64 *)mac & MAC_MASK;
}

#endif
