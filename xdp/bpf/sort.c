// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Sorts the frames that arrive on one port.
 *
 * Plain IPv6 transit goes to the AF_XDP socket of the queue it arrived on;
 * all else goes to the kernel, as if fwd6 were not there. Whatever is in doubt
 * goes to the kernel too: losing fwd6 must never mean losing the host.
 *
 * Each port has its own instance of this program, with its own port, queues,
 * sockets and counters; heartbeats and local belong to all ports.
 *
 * It is there twice: fwd6_sort runs everywhere, fwd6_sort_asking asks the
 * driver for VLAN tags too, and is bound to its device for that.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "sort.h"

/* The port's word: MAC in the low 48 bits, in the order of the frame's bytes,
 * flags above. One word, so that a reader never sees half a change. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} port SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_QUEUES);
	__type(key, __u32);
	__type(value, struct queue);
} queues SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NUM_VERDICTS);
	__type(key, enum verdict);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the loader sets it to the number of workers */
	__type(key, __u32);
	__type(value, struct heartbeat);
} heartbeats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_LOCAL);
	__type(key, struct in6_addr);
	__type(value, __u8);
} local SEC(".maps");

/* How many timer ticks a heartbeat may stay the same; set by the loader. Ticks,
 * because reading the clock costs ten times as much (30 ns to 3). */
const volatile __u64 stale_ticks = 1;

/* A worker adds one to its heartbeat in every round of its loop, idle or not,
 * so a value that no longer changes means that it hangs or is gone.
 *
 * Only packets drive this check: after a pause the first one sees another value
 * than the last one before the pause, if the worker has lived at all since then.
 * A worker that stopped during the pause is thus trusted for as long once more.
 *
 * A queue is served by one CPU at a time. Should two meet here (generic mode
 * with RPS), since is in place before seen says that it counts.
 */
static __always_inline enum verdict check_worker(__u32 index)
{
	struct queue *q = bpf_map_lookup_elem(&queues, &index);
	struct heartbeat *beat;
	__u64 seen, now;
	__u32 worker;

	if (!q)
		return PASS_NO_SOCKET;
	worker = READ_ONCE(q->worker);
	if (worker == 0)
		return PASS_NO_SOCKET;
	worker--;
	beat = bpf_map_lookup_elem(&heartbeats, &worker);
	if (!beat)
		return PASS_STALE;

	seen = READ_ONCE(beat->count);
	now = bpf_jiffies64();
	if (seen != READ_ONCE(q->seen)) {
		WRITE_ONCE(q->since, now);
		WRITE_ONCE(q->seen, seen);
		return STEER;
	}
	return now - READ_ONCE(q->since) > stale_ticks ? PASS_STALE : STEER;
}

static __always_inline enum verdict check_addr(const struct in6_addr *a)
{
	const __be32 *w = a->in6_u.u6_addr32;

	if ((w[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000))
		return PASS_MULTICAST;
	if ((w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000))
		return PASS_LINK_LOCAL;
	/* ::/96 holds unspecified and loopback, ::ffff:0:0/96 is IPv4-mapped. */
	if (!w[0] && !w[1] && (!w[2] || w[2] == bpf_htonl(0xffff)))
		return PASS_RESERVED;
	return STEER;
}

static __always_inline enum verdict check_packet(struct ipv6hdr *ip6, void *end)
{
	enum verdict v;

	if ((void *)(ip6 + 1) > end)
		return PASS_SHORT;
	if (ip6->version != 6)
		return PASS_VERSION;
	v = check_addr(&ip6->daddr);
	if (v != STEER)
		return v;
	v = check_addr(&ip6->saddr);
	if (v != STEER)
		return v;
	if (ip6->nexthdr == 0)
		return PASS_HOP_BY_HOP;
	return STEER;
}

/* Linux 6.8. A program that is not bound to a device does not load with it. */
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *proto,
					__u16 *tci) __ksym __weak;

/* Whether the frame has a VLAN tag that is not among its bytes: one that the
 * device took out, or that a veth's peer left to the device. A socket gets
 * only the bytes: the frame would leave its VLAN. */
static __always_inline int has_tag_beside(struct xdp_md *ctx)
{
	__be16 proto = 0;
	__u16 tci = 0;

	return bpf_xdp_metadata_rx_vlan_tag(ctx, &proto, &tci) == 0;
}

static __always_inline enum verdict check(struct xdp_md *ctx, int asking)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	__u32 zero = 0;
	__u64 *word = bpf_map_lookup_elem(&port, &zero), port_word;
	enum verdict v;

	if (!word)
		return PASS_PASSING;
	port_word = READ_ONCE(*word);
	if (port_word & PORT_PASSING)
		return PASS_PASSING;
	if ((void *)(eth + 1) > end)
		return PASS_SHORT;
	if (eth->h_proto != bpf_htons(ETH_P_IPV6))
		return PASS_NOT_IPV6;
	if ((port_word & PORT_GENERIC) && mac_at(eth->h_source) == INJECTED_MAC)
		return PASS_INJECTED;
	v = check_packet(ip6, end);
	if (v != STEER)
		return v;
	if (mac_at(eth->h_dest) != (port_word & MAC_MASK))
		return PASS_OTHER_MAC;
	if (bpf_map_lookup_elem(&local, &ip6->daddr))
		return PASS_LOCAL;
	/* Late, so that only what would be steered pays for it. */
	if (asking && has_tag_beside(ctx))
		return PASS_VLAN;
	return check_worker(ctx->rx_queue_index);
}

static __always_inline int sort(struct xdp_md *ctx, int asking)
{
	__u32 v = check(ctx, asking);
	int action = XDP_PASS;
	__u64 *count;

	if (v == STEER) {
		action = bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
		if (action == XDP_PASS)
			v = PASS_NO_SOCKET;
	}
	count = bpf_map_lookup_elem(&counters, &v);
	if (count)
		(*count)++;
	return action;
}

SEC("xdp.frags")
int fwd6_sort(struct xdp_md *ctx)
{
	return sort(ctx, 0);
}

SEC("xdp.frags")
int fwd6_sort_asking(struct xdp_md *ctx)
{
	return sort(ctx, 1);
}

char _license[] SEC("license") = "Dual BSD/GPL";
