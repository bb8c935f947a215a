// SPDX-License-Identifier: BSD-3-Clause

// What the jobs share. A job takes n bytes of input, of which 16 more can be
// read, and zeroed memory of MEMORY bytes. It returns a number that tells
// whether it did its work right, 0 if it could not do it.

#pragma once

#include <stdint.h>

#define MEMORY (128u << 20)
#define NOINLINE __attribute__((noinline))

typedef uint64_t job_t(const uint8_t *in, uint64_t n, uint8_t *memory);

job_t job_inflate; // raw deflate (RFC 1951): XXH64 of what comes out
job_t job_zstd;    // a frame of zstd (RFC 8878): XXH64 of what comes out
job_t job_sha256;  // SHA-256 of the input 64 times: its first 8 bytes
job_t job_moves;   // copies and fills in a megabyte that starts as the input: its XXH64
job_t job_calls;   // recursion, trees, sorting: a hash of the results

uint64_t xxh64(const uint8_t *p, uint64_t n);

struct unaligned16 { uint16_t v; } __attribute__((packed, may_alias));
struct unaligned32 { uint32_t v; } __attribute__((packed, may_alias));
struct unaligned64 { uint64_t v; } __attribute__((packed, may_alias));

static inline uint16_t load16(const void *p) { return ((const struct unaligned16 *)p)->v; }
static inline uint32_t load32(const void *p) { return ((const struct unaligned32 *)p)->v; }
static inline uint64_t load64(const void *p) { return ((const struct unaligned64 *)p)->v; }
static inline void store64(void *p, uint64_t v) { ((struct unaligned64 *)p)->v = v; }

// copy_match copies n bytes from distance bytes before to, where the two may
// overlap. It may write up to 7 bytes more.
static inline void copy_match(uint8_t *to, uint64_t distance, uint64_t n)
{
	const uint8_t *from = to - distance;
	uint8_t *end = to + n;
	if (distance >= 8) {
		do {
			store64(to, load64(from));
			to += 8;
			from += 8;
		} while (to < end);
		return;
	}
	while (to < end)
		*to++ = *from++;
}

// next is a step of xorshift64*.
static inline uint64_t next(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1d;
}
