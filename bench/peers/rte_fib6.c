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
 * groups. Bytes are the memory that was touched; DPDK reserves more.
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

#define BLOCK (2 << 20) /* bytes of a huge page */
#define PAGE 4096

/* used counts the pages of a block that are in memory. */
static size_t used(void *block)
{
	unsigned char in_memory[BLOCK / PAGE];
	size_t i, sum = 0;

	if (mincore(block, BLOCK, in_memory))
		return 0;
	for (i = 0; i < BLOCK / PAGE; i++)
		sum += in_memory[i] & 1;
	return sum;
}

/* count_used adds up the bytes of DPDK's memory that were ever touched. */
static int count_used(const struct rte_memseg_list *list, void *sum)
{
	size_t offset;

	for (offset = 0; offset + BLOCK <= list->len; offset += BLOCK)
		*(size_t *)sum += PAGE * used(RTE_PTR_ADD(list->base_va, offset));
	return 0;
}

/* widen moves what was touched to huge pages. */
static int widen(const struct rte_memseg_list *list, void *unused __rte_unused)
{
	char *at = RTE_PTR_ALIGN(list->base_va, BLOCK);
	char *end = (char *)list->base_va + list->len;

	for (; at + BLOCK <= end; at += BLOCK)
		if (used(at))
			(void)madvise(at, BLOCK, 25 /* MADV_COLLAPSE */);
	return 0;
}

static size_t memory(void)
{
	size_t sum = 0;

	rte_memseg_list_walk(count_used, &sum);
	return sum;
}

/* blocks_for is how many blocks of 256 entries DPDK may want to have in reserve
 * for the routes, one for every 8 bits beyond 24, and some for updates, because
 * it does not take back all that it gave. Without being used they are nothing
 * but addresses. */
static uint32_t blocks_for(const struct route *routes, size_t count)
{
	size_t i, blocks = 0;

	for (i = 0; i < count; i++)
		if (routes[i].length > 24)
			blocks += (routes[i].length - 24 + 7) / 8;
	return blocks < 28000 ? (1 << 15) - 1 : blocks + (1 << 18);
}

/* create makes an empty table. Its entries have 2 bytes if these can number
 * the blocks. */
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

static struct rte_fib6 *build(const struct route *routes, size_t count, uint32_t blocks)
{
	size_t before = memory(), i;
	struct rte_fib6 *fib = create(count, blocks);
	uint64_t start = now(), took;

	for (i = 0; i < count; i++) {
		int err = rte_fib6_add(fib, routes[i].to, routes[i].length, routes[i].group);

		if (err)
			fail("add route %zu of %zu: %s", i, count, rte_strerror(-err));
	}
	took = now() - start;
	printf("built %" PRIu64 " %zu\n", took, memory() - before);
	rte_memseg_list_walk(widen, NULL);
	return fib;
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

/* start_dpdk starts DPDK with so much memory on the present processor, which
 * the caller has chosen. */
static void start_dpdk(size_t megabytes)
{
	char cpu[16], memory[32];
	char *args[] = { "rte_fib6", "--no-huge", "--no-pci", "-m", memory, "-l", cpu, "--no-shconf",
			 "--no-telemetry", "--log-level=3", "--force-max-simd-bitwidth=512" };

	snprintf(cpu, sizeof(cpu), "%d", sched_getcpu());
	snprintf(memory, sizeof(memory), "%zu", megabytes);
	if (rte_eal_init(RTE_DIM(args), args) < 0)
		fail("start DPDK with %s MiB: %s", memory, rte_strerror(rte_errno));
}

int main(int argc, char **argv)
{
	struct route *routes;
	struct rte_fib6 *fib;
	uint32_t blocks;
	char line[1200];
	size_t count;

	if (argc != 2)
		fail("usage: rte_fib6 ROUTES");
	routes = read_array(argv[1], sizeof(*routes), &count);
	blocks = blocks_for(routes, count);
	/* A block has 1 KiB, a route in DPDK's tree of routes some 200 bytes. */
	start_dpdk(256 + blocks / 1000 + count / 2000);
	fib = build(routes, count, blocks);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("took %" PRIu64 "\n", command(fib, line));
		fflush(stdout);
	}
	return 0;
}
