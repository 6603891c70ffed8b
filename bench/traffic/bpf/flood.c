/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The two ends of a flood: generate makes the packets, sink judges them.
 *
 * Both live in one object so that generate can see what sink has counted: that
 * closes the loop, and the flood goes as fast as the forwarder between them.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define MAX_CPUS 256 /* a power of two */
#define SEEN (1 << 17) /* words that remember 32 sequence numbers each */

/* Offsets into the frame: Ethernet, IPv6, UDP, then the sequence number. */
#define ETHERTYPE 12
#define LENGTH 18
#define NEXT_HEADER 20
#define HOP_LIMIT 21
#define SOURCE 22
#define DESTINATION 38
#define PORTS 54
#define CHECKSUM 60
#define SEQUENCE 62
#define END 70

#define AT(type, base, offset) (*(type *)((base) + (offset)))

/* Fixed before loading. */
const volatile __u64 header[8]; /* the first 62 bytes of every frame */
const volatile __u32 header_sum; /* of what the checksum covers in it */
const volatile __u32 egress;	 /* ifindex */
const volatile __u32 destination_count;
const volatile __u32 cpus;	 /* at most MAX_CPUS */
const volatile __u64 want_macs;	 /* bytes 0 to 7 of a good frame */
const volatile __u32 want_macs_end; /* bytes 8 to 11 */
const volatile __u32 want_length;
const volatile __u8 want_hop_limit;

/* Written by Go between two runs. */
__u64 limit;	/* sequence number of the last packet to send */
__u64 window;	/* packets that may be outstanding */
__u64 forgiven; /* packets no longer waited for */
__u64 first;	/* sequence number of the first packet of this run */

/* Written by generate. */
__u64 sent; /* sequence number of the last packet sent */
__u64 waits;
__u32 next_destination;
__u64 answered; /* a lower bound of what sink and Go have settled */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* Go sets it */
	__type(key, __u32);
	__type(value, __u64[2]);
} destinations SEC(".maps");

/* Written by sink: one line per CPU. */
struct tally {
	__u64 good;
	__u64 bytes; /* of good frames, Ethernet header included */
	__u64 wrong_mac;
	__u64 wrong_hop_limit;
	__u64 wrong_checksum;
	__u64 wrong_length;
	__u64 repeated;
	__u64 late; /* sent by an earlier run, or too long ago to remember */
};
struct tally tallies[MAX_CPUS];
__u64 seen[SEEN]; /* above, the sequence number by 32 SEEN; below, a bit for each */

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline __u64 sum16(void *p)
{
	return (__u64)AT(__u32, p, 0) + AT(__u32, p, 4) + AT(__u32, p, 8) + AT(__u32, p, 12);
}

/* may_send says whether the window has room. It adds up the counters of all
 * CPUs only when the last sum says no. */
static __always_inline int may_send(void)
{
	__u64 sum = forgiven;
	__u32 i;

	if ((__s64)(sent - answered) < (__s64)window)
		return 1;
	for (i = 0; i < cpus && i < MAX_CPUS; i++) {
		volatile struct tally *t = &tallies[i & (MAX_CPUS - 1)];

		sum += t->good + t->wrong_mac + t->wrong_hop_limit +
		       t->wrong_checksum + t->wrong_length;
	}
	answered = sum;
	return (__s64)(sent - sum) < (__s64)window;
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	void *frame = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 index = next_destination;
	__u64 *destination, sequence, sum;
	int i;

	if (frame + END > end)
		return XDP_ABORTED;
	if (sent >= limit)
		return XDP_DROP;
	if (!may_send()) {
		waits++;
		return XDP_DROP;
	}
	destination = bpf_map_lookup_elem(&destinations, &index);
	if (!destination)
		return XDP_ABORTED;
	next_destination = index + 1 < destination_count ? index + 1 : 0;
	sequence = ++sent;

	/* Frames come back as the last packet left them: write all of it. */
#pragma unroll
	for (i = 0; i < 8; i++)
		AT(__u64, frame, 8 * i) = header[i];
	AT(__u64, frame, DESTINATION) = destination[0];
	AT(__u64, frame, DESTINATION + 8) = destination[1];
	AT(__u64, frame, SEQUENCE) = sequence;
	sum = header_sum + sum16(destination) + (sequence & 0xffffffff) + (sequence >> 32);
	/* RFC 8200 section 8.1: a checksum of zero is sent as 0xffff. */
	AT(__u16, frame, CHECKSUM) = ~fold(sum) ?: 0xffff;
	return bpf_redirect(egress, 0);
}

static __always_inline int checksum_good(void *frame)
{
	__u64 sum = sum16(frame + SOURCE) + sum16(frame + DESTINATION) +
		    AT(__u16, frame, LENGTH) + bpf_htons(AT(__u8, frame, NEXT_HEADER)) +
		    AT(__u32, frame, PORTS) + AT(__u32, frame, PORTS + 4) +
		    AT(__u32, frame, SEQUENCE) + AT(__u32, frame, SEQUENCE + 4);

	return fold(sum) == 0xffff;
}

/* What is known about a sequence number. */
enum { NEW, REPEATED, TOO_OLD };

/* note notes a sequence number and says whether it came before. Packets on
 * different CPUs may undo each other's notes: then a repetition is missed, but
 * never is one invented. */
static __always_inline int note(__u64 sequence)
{
	__u64 *word = &seen[(sequence / 32) & (SEEN - 1)];
	__u64 generation = sequence / 32 / SEEN, bit = 1ULL << (sequence % 32);
	__u64 noted = *word;

	if (noted >> 32 > generation)
		return TOO_OLD;
	if (noted >> 32 < generation)
		noted = generation << 32;
	if (noted & bit)
		return REPEATED;
	*word = noted | bit;
	return NEW;
}

/* sink counts and drops the flood's packets and leaves the rest alone. */
SEC("xdp.frags")
int sink(struct xdp_md *ctx)
{
	void *frame = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct tally *tally = &tallies[bpf_get_smp_processor_id() & (MAX_CPUS - 1)];
	__u64 sequence, length;

	if (frame + END > end)
		return XDP_PASS;
	if (AT(__u16, frame, ETHERTYPE) != ((const volatile __u16 *)header)[ETHERTYPE / 2] ||
	    AT(__u8, frame, NEXT_HEADER) != ((const volatile __u8 *)header)[NEXT_HEADER] ||
	    AT(__u32, frame, PORTS) != (__u32)(header[PORTS / 8] >> 48 | header[PORTS / 8 + 1] << 16))
		return XDP_PASS;
	sequence = AT(__u64, frame, SEQUENCE);
	length = bpf_xdp_get_buff_len(ctx);
	if (!checksum_good(frame)) { /* first: it covers the sequence number */
		tally->wrong_checksum++;
		return XDP_DROP;
	}
	switch (note(sequence)) {
	case REPEATED:
		tally->repeated++;
		return XDP_DROP;
	case TOO_OLD:
		tally->late++;
		return XDP_DROP;
	}
	if (sequence < first)
		tally->late++;
	else if (AT(__u64, frame, 0) != want_macs || AT(__u32, frame, 8) != want_macs_end)
		tally->wrong_mac++;
	else if (AT(__u8, frame, HOP_LIMIT) != want_hop_limit)
		tally->wrong_hop_limit++;
	else if (length != want_length)
		tally->wrong_length++;
	else {
		tally->good++;
		tally->bytes += length;
	}
	return XDP_DROP;
}

char __license[] SEC("license") = "Dual BSD/GPL";
