// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Hands a frame to the kernel as if it had just arrived on a link.
 *
 * Never attached: BPF_PROG_TEST_RUN runs it on an skb made of the frame, with
 * its orders in skb->cb. The copy that bpf_clone_redirect queues on the link
 * goes the way of every received frame from there: local delivery, forwarding,
 * ICMPv6 errors.
 *
 * A test run takes little more than 3000 bytes. What is longer lies in tail.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

#include "sort.h"
#include "inject.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tail);
} tail SEC(".maps");

static __always_inline int append_tail(struct __sk_buff *skb)
{
	__u32 zero = 0, head = skb->len, len = skb->cb[CB_LEN];
	struct tail *rest = bpf_map_lookup_elem(&tail, &zero);
	int err;

	if (!rest)
		return -EMSGSIZE;
	err = bpf_skb_change_tail(skb, len, 0);
	if (err)
		return err;
	len -= head;
	/* The verifier wants to see the bounds on the register that it passes. */
	asm volatile("" : "+r"(len));
	if (len == 0 || len > MAX_TAIL)
		return -EMSGSIZE;
	return bpf_skb_store_bytes(skb, head, rest->bytes, len, 0);
}

/* Returns 0, 1 (NET_RX_DROP: the kernel did not take the frame) or a negative
 * errno, which is -EINVAL if there is no such link. */
SEC("tc")
int fwd6_inject(struct __sk_buff *skb)
{
	const __u64 mac = INJECTED_MAC;
	int err = 0;

	if (skb->cb[CB_LEN] > skb->len)
		err = append_tail(skb);
	if (!err && skb->cb[CB_MARK])
		err = bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_source),
					  &mac, ETH_ALEN, 0);
	if (err)
		return err;
	return bpf_clone_redirect(skb, skb->cb[CB_IFINDEX], BPF_F_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
