/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* DPDK's rte_fib6 behind a pipe.
 *
 *	rte_fib6 ROUTES
 *
 * builds a table of the routes in a file, says how long that took, and then
 * answers one line with one line, all times in nanoseconds:
 *
 *	(start)                            built TIME BYTES
 *	lookup MODE DESTINATIONS ANSWERS   took TIME
 *	set ADDRESS LENGTH GROUP           took TIME
 *	remove ADDRESS LENGTH              took TIME
 *
 * MODE is 0 for lookups that wait for one another, 1 for single ones, else the
 * size of a batch. Files are arrays: of struct route, of addresses, of 32-bit
 * groups. Bytes are what DPDK has allocated, which includes room for more.
 *
 * Huge pages of the machine's pool are its owner's to give; instead, what the
 * tables take is moved to transparent ones, if the kernel can (from 6.1 on).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_fib6.h>
#include <rte_malloc.h>
#include <rte_memory.h>

typedef uint8_t address[16];

struct route {
	address to;
	uint32_t length;
	uint32_t group;
};

static volatile uint64_t never; /* zero, which the compiler does not know */

#define fail(...)                             \
	do {                                  \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr);          \
		exit(1);                      \
	} while (0)

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* read_array reads a file of items of a size and counts them. */
static void *read_array(const char *name, size_t size, size_t *count)
{
	FILE *f = fopen(name, "rb");
	long length;
	void *items;

	if (!f || fseek(f, 0, SEEK_END) || (length = ftell(f)) < 0 || length % size)
		fail("read %s: not an array of %zu bytes each", name, size);
	rewind(f);
	items = malloc(length + 1);
	if (!items || fread(items, 1, length, f) != (size_t)length)
		fail("read %s: cut short", name);
	fclose(f);
	*count = length / size;
	return items;
}

static size_t allocated(void)
{
	struct rte_malloc_socket_stats s;

	return rte_malloc_get_socket_stats(0, &s) ? 0 : s.heap_allocsz_bytes;
}

/* widen moves the blocks of 2 MiB in which memory is used to huge pages. */
static int widen(const struct rte_memseg_list *list, void *unused __rte_unused)
{
	const size_t block = 2 << 20, page = 4096;
	unsigned char used[block / page];
	char *at = RTE_PTR_ALIGN(list->base_va, block);
	char *end = (char *)list->base_va + list->len;

	for (; at + block <= end; at += block)
		if (!mincore(at, block, used) && memchr(used, 1, sizeof(used)))
			(void)madvise(at, block, 25 /* MADV_COLLAPSE */);
	return 0;
}

/* create makes an empty table with room for so many blocks of 256 entries. An
 * entry has 2 bytes as long as that numbers the blocks. */
static struct rte_fib6 *create(size_t routes, uint32_t blocks)
{
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE,
		.max_routes = routes + 1024,
		.trie = { .nh_sz = blocks < 1 << 15 ? RTE_FIB6_TRIE_2B : RTE_FIB6_TRIE_4B,
			  .num_tbl8 = blocks },
	};
	struct rte_fib6 *fib = rte_fib6_create("fib", 0, &conf);

	if (!fib)
		fail("make a table of %u blocks: %s", blocks, rte_strerror(rte_errno));
	/* Without AVX-512 the scalar lookup stays. */
	(void)rte_fib6_select_lookup(fib, RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512);
	return fib;
}

/* build makes a table that is as small as it can be, to a factor of two. */
static struct rte_fib6 *build(struct route *routes, size_t count)
{
	uint32_t blocks;

	for (blocks = (1 << 10) - 1; blocks < 1 << 21; blocks = 2 * blocks + 1) {
		size_t before = allocated(), i;
		struct rte_fib6 *fib = create(count, blocks);
		uint64_t start = now();
		int err = 0;

		for (i = 0; i < count && !err; i++)
			err = rte_fib6_add(fib, routes[i].to, routes[i].length, routes[i].group);
		if (!err) {
			printf("built %" PRIu64 " %zu\n", now() - start, allocated() - before);
			return fib;
		}
		if (err != -ENOSPC)
			fail("add route %zu of %zu: %s", i, count, rte_strerror(-err));
		rte_fib6_free(fib);
	}
	fail("%zu routes take more than %u blocks", count, blocks);
}

static void serial(struct rte_fib6 *fib, address *to, uint64_t *group, size_t count)
{
	uint64_t last = 0, zero = never;
	size_t i;

	for (i = 0; i < count; i++) {
		rte_fib6_lookup_bulk(fib, to + i + (last & zero), group + i, 1);
		last = group[i];
	}
}

static void batches(struct rte_fib6 *fib, address *to, uint64_t *group, size_t count, size_t size)
{
	size_t i;

	for (i = 0; i < count; i += size)
		rte_fib6_lookup_bulk(fib, to + i, group + i, RTE_MIN(size, count - i));
}

static uint64_t lookup(struct rte_fib6 *fib, int mode, const char *from, const char *into)
{
	size_t count, i;
	address *to = read_array(from, sizeof(*to), &count);
	uint64_t *group = calloc(count + 1, sizeof(*group)), start, took;
	FILE *f = fopen(into, "wb");

	if (!group || !f)
		fail("look up %zu destinations: no memory, or no %s", count, into);
	for (i = 0; i < count; i++)
		group[i] = UINT64_MAX; /* so that the page is there */
	start = now();
	if (mode == 0)
		serial(fib, to, group, count);
	else
		batches(fib, to, group, count, mode);
	took = now() - start;
	for (i = 0; i < count; i++) {
		uint32_t g = group[i];

		fwrite(&g, sizeof(g), 1, f);
	}
	if (fclose(f))
		fail("write %s", into);
	free(to);
	free(group);
	return took;
}

/* command does what a line says. */
static uint64_t command(struct rte_fib6 *fib, const char *line)
{
	char from[512], into[512], text[64];
	unsigned int length, group, mode;
	uint64_t start;
	address to;
	int err;

	if (sscanf(line, "lookup %u %511s %511s", &mode, from, into) == 3)
		return lookup(fib, mode, from, into);
	if (sscanf(line, "set %63s %u %u", text, &length, &group) == 3 && inet_pton(AF_INET6, text, to) == 1) {
		start = now();
		err = rte_fib6_add(fib, to, length, group);
	} else if (sscanf(line, "remove %63s %u", text, &length) == 2 && inet_pton(AF_INET6, text, to) == 1) {
		start = now();
		err = rte_fib6_delete(fib, to, length);
	} else {
		fail("no such command: %s", line);
	}
	if (err)
		fail("%.*s: %s", (int)strcspn(line, "\n"), line, rte_strerror(-err));
	return now() - start;
}

/* start starts DPDK on the processor that the caller has chosen. */
static void start_dpdk(void)
{
	char cpu[16];
	char *args[] = { "rte_fib6", "--no-huge", "--no-pci", "-m", "4096", "-l", cpu, "--no-shconf",
			 "--no-telemetry", "--log-level=3", "--force-max-simd-bitwidth=512" };

	snprintf(cpu, sizeof(cpu), "%d", sched_getcpu());
	if (rte_eal_init(RTE_DIM(args), args) < 0)
		fail("start DPDK: %s", rte_strerror(rte_errno));
}

int main(int argc, char **argv)
{
	struct route *routes;
	struct rte_fib6 *fib;
	char line[1200];
	size_t count;

	if (argc != 2)
		fail("usage: rte_fib6 ROUTES");
	start_dpdk();
	routes = read_array(argv[1], sizeof(*routes), &count);
	fib = build(routes, count);
	rte_memseg_list_walk(widen, NULL);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("took %" PRIu64 "\n", command(fib, line));
		fflush(stdout);
	}
	return 0;
}
