/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Looks up many destinations in a table of the kernel's, for its test run to
 * time: fib in the routes of the namespace, trie in a map, and nothing nowhere,
 * so that the loop's own time can be taken off.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define AF_INET6 10

/* Written by Go before a run. */
__u32 count;
__u32 ifindex; /* where the packets would come from */
__u32 serial;  /* whether the place of an address depends on the last answer */
__u64 never;   /* zero, which the compiler does not know */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* Go sets it */
	__type(key, __u32);
	__type(value, __u64[2]);
} destinations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* Go sets it */
	__type(key, __u32);
	__type(value, __u64);
} answers SEC(".maps");

struct prefix {
	__u32 length;
	__u32 address[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* Go sets it */
	__type(key, struct prefix);
	__type(value, __u32);
} routes SEC(".maps");

struct state {
	struct xdp_md *ctx;
	__u64 last; /* answer */
};

typedef __u64 (*ask_fn)(struct xdp_md *ctx, const __u64 *destination);

static __always_inline __u64 ask_nothing(struct xdp_md *ctx __attribute__((unused)),
					 const __u64 *destination)
{
	return destination[0] ^ destination[1];
}

/* The group is in the gateway. Neighbors are not asked: there are none. */
static __always_inline __u64 ask_fib(struct xdp_md *ctx, const __u64 *destination)
{
	struct bpf_fib_lookup params = { .family = AF_INET6, .ifindex = ifindex };

	__builtin_memcpy(params.ipv6_dst, destination, 16);
	if (bpf_fib_lookup(ctx, &params, sizeof(params), BPF_FIB_LOOKUP_SKIP_NEIGH))
		return 0;
	return bpf_ntohl(params.ipv6_dst[3]);
}

static __always_inline __u64 ask_trie(struct xdp_md *ctx __attribute__((unused)),
				      const __u64 *destination)
{
	struct prefix key = { .length = 128 };
	__u32 *group;

	__builtin_memcpy(key.address, destination, 16);
	group = bpf_map_lookup_elem(&routes, &key);
	return group ? *group : 0;
}

static __always_inline long step(__u32 i, struct state *s, ask_fn ask)
{
	__u32 place = i;
	__u64 *destination, *answer;

	if (serial)
		place += s->last & never;
	destination = bpf_map_lookup_elem(&destinations, &place);
	answer = bpf_map_lookup_elem(&answers, &i);
	if (!destination || !answer)
		return 1;
	*answer = s->last = ask(s->ctx, destination);
	return 0;
}

#define PROGRAM(name)                                              \
	static long name##_step(__u32 i, struct state *s)          \
	{                                                          \
		return step(i, s, ask_##name);                     \
	}                                                          \
                                                                   \
	SEC("xdp")                                                 \
	int name(struct xdp_md *ctx)                               \
	{                                                          \
		struct state s = { .ctx = ctx };                   \
                                                                   \
		return bpf_loop(count, name##_step, &s, 0) == count; \
	}

PROGRAM(nothing)
PROGRAM(fib)
PROGRAM(trie)

char __license[] SEC("license") = "Dual BSD/GPL";
