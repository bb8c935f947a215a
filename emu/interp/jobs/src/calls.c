// SPDX-License-Identifier: BSD-3-Clause

#include "jobs.h"

static NOINLINE int tak(int x, int y, int z)
{
	if (y >= x)
		return z;
	return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y));
}

struct node {
	struct node *less, *more;
	uint64_t key;
};

static NOINLINE void insert(struct node **at, struct node *n)
{
	while (*at != 0)
		at = n->key < (*at)->key ? &(*at)->less : &(*at)->more;
	*at = n;
}

static NOINLINE uint64_t walk(const struct node *n, unsigned depth, uint64_t hash)
{
	if (n == 0)
		return hash;
	hash = walk(n->less, depth + 1, hash);
	hash = (hash ^ n->key) * 0x100000001b3;
	return walk(n->more, depth + 1, hash);
}

typedef int compare_t(const void *a, const void *b);

static NOINLINE int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static NOINLINE int by_low_half(const void *a, const void *b)
{
	uint32_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x != y ? (x > y) - (x < y) : by_value(a, b);
}

static NOINLINE void sort(uint64_t *v, int64_t n, compare_t *compare)
{
	while (n > 1) {
		uint64_t pivot = v[n / 2];
		int64_t i = 0, j = n - 1;
		for (;;) {
			while (compare(&v[i], &pivot) < 0)
				i++;
			while (compare(&v[j], &pivot) > 0)
				j--;
			if (i >= j)
				break;
			uint64_t swap = v[i];
			v[i++] = v[j];
			v[j--] = swap;
		}
		sort(v, i, compare);
		v += i;
		n -= i;
	}
}

static uint64_t hash_of(const uint64_t *v, int64_t n, uint64_t hash)
{
	for (int64_t i = 0; i < n; i++)
		hash = (hash ^ v[i]) * 0x100000001b3;
	return hash;
}

uint64_t job_calls(const uint8_t *in, uint64_t n, uint8_t *memory)
{
	enum { NODES = 100000, SORTED = 300000 };
	uint64_t state = 1;
	(void)in, (void)n;
	struct node *root = 0, *nodes = (struct node *)memory;
	for (int i = 0; i < NODES; i++) {
		nodes[i].key = next(&state);
		insert(&root, &nodes[i]);
	}
	uint64_t hash = walk(root, 0, tak(18, 12, 6));
	uint64_t *v = (uint64_t *)(nodes + NODES);
	for (int i = 0; i < SORTED; i++)
		v[i] = next(&state);
	sort(v, SORTED, by_value);
	hash = hash_of(v, SORTED, hash);
	sort(v, SORTED, by_low_half);
	return hash_of(v, SORTED, hash);
}
