// SPDX-License-Identifier: BSD-3-Clause

#include "jobs.h"

static const uint64_t p1 = 0x9e3779b185ebca87, p2 = 0xc2b2ae3d27d4eb4f, p3 = 0x165667b19e3779f9,
	p4 = 0x85ebca77c2b2ae63, p5 = 0x27d4eb2f165667c5;

static inline uint64_t rol(uint64_t v, int n) { return v << n | v >> (64 - n); }
static inline uint64_t mix(uint64_t acc, uint64_t v) { return rol(acc + v * p2, 31) * p1; }
static inline uint64_t merge(uint64_t h, uint64_t acc) { return (h ^ mix(0, acc)) * p1 + p4; }

// xxh64 is XXH64 with seed 0, zstd's checksum of contents.
NOINLINE uint64_t xxh64(const uint8_t *p, uint64_t n)
{
	const uint8_t *end = p + n;
	uint64_t h = p5;
	if (n >= 32) {
		uint64_t a = p1 + p2, b = p2, c = 0, d = -p1;
		for (; end - p >= 32; p += 32) {
			a = mix(a, load64(p));
			b = mix(b, load64(p + 8));
			c = mix(c, load64(p + 16));
			d = mix(d, load64(p + 24));
		}
		h = rol(a, 1) + rol(b, 7) + rol(c, 12) + rol(d, 18);
		h = merge(merge(merge(merge(h, a), b), c), d);
	}
	h += n;
	for (; end - p >= 8; p += 8)
		h = rol(h ^ mix(0, load64(p)), 27) * p1 + p4;
	if (end - p >= 4) {
		h = rol(h ^ load32(p) * p1, 23) * p2 + p3;
		p += 4;
	}
	for (; p < end; p++)
		h = rol(h ^ *p * p5, 11) * p1;
	h = (h ^ h >> 33) * p2;
	h = (h ^ h >> 29) * p3;
	return h ^ h >> 32;
}
