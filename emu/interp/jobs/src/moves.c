// SPDX-License-Identifier: BSD-3-Clause

// Copies and fills as EFI programs have them: loops over bytes and words, what
// the compiler makes of a loop, and on x86-64 the string instructions.

#include "jobs.h"

#define PLAIN _Pragma("clang loop vectorize(disable) unroll(disable)")

static NOINLINE void copy_bytes(uint8_t *to, const uint8_t *from, uint64_t n)
{
	PLAIN
	for (; n > 0; n--)
		*to++ = *from++;
}

static NOINLINE void copy_words(uint8_t *to, const uint8_t *from, uint64_t n)
{
	PLAIN
	for (; n >= 8; n -= 8, to += 8, from += 8)
		store64(to, load64(from));
	copy_bytes(to, from, n);
}

static NOINLINE void copy_vectors(uint8_t *restrict to, const uint8_t *restrict from, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		to[i] = from[i];
}

static NOINLINE void fill_bytes(uint8_t *to, uint8_t v, uint64_t n)
{
	PLAIN
	for (; n > 0; n--)
		*to++ = v;
}

static NOINLINE void fill_vectors(uint8_t *to, uint8_t v, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		to[i] = v;
}

// copy_down copies from the end.
static NOINLINE void copy_down(uint8_t *to, const uint8_t *from, uint64_t n)
{
	PLAIN
	for (; n >= 8; n -= 8)
		store64(to + n - 8, load64(from + n - 8));
	PLAIN
	for (; n > 0; n--)
		to[n - 1] = from[n - 1];
}

#if defined(__x86_64__)

static NOINLINE void copy_rep(uint8_t *to, const uint8_t *from, uint64_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static NOINLINE void copy_rep_words(uint8_t *to, const uint8_t *from, uint64_t n)
{
	uint64_t words = n / 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	n &= 7;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static NOINLINE void copy_rep_down(uint8_t *to, const uint8_t *from, uint64_t n)
{
	to += n - 1;
	from += n - 1;
	__asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static NOINLINE void fill_rep(uint8_t *to, uint8_t v, uint64_t n)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(v) : "memory");
}

#else

// pairs is what the usual assembly for copies does: two registers at a time.
static NOINLINE void copy_rep(uint8_t *to, const uint8_t *from, uint64_t n)
{
	uint64_t a, b;
	for (; n >= 16; n -= 16)
		__asm__ volatile("ldp %2, %3, [%1], #16\n\tstp %2, %3, [%0], #16"
			: "+r"(to), "+r"(from), "=&r"(a), "=&r"(b) : : "memory");
	copy_bytes(to, from, n);
}

static NOINLINE void copy_rep_words(uint8_t *to, const uint8_t *from, uint64_t n)
{
	for (; n >= 32; n -= 32)
		__asm__ volatile("ldp q0, q1, [%1], #32\n\tstp q0, q1, [%0], #32"
			: "+r"(to), "+r"(from) : : "memory", "v0", "v1");
	copy_words(to, from, n);
}

static NOINLINE void copy_rep_down(uint8_t *to, const uint8_t *from, uint64_t n)
{
	copy_down(to, from, n);
}

static NOINLINE void fill_rep(uint8_t *to, uint8_t v, uint64_t n)
{
	uint64_t pattern = v * 0x0101010101010101u;
	for (; n >= 16; n -= 16)
		__asm__ volatile("stp %1, %1, [%0], #16" : "+r"(to) : "r"(pattern) : "memory");
	fill_bytes(to, v, n);
}

#endif

static NOINLINE void move(uint8_t *to, const uint8_t *from, uint64_t n)
{
	if (to <= from || to >= from + n)
		copy_words(to, from, n);
	else
		copy_down(to, from, n);
}

static NOINLINE void move_rep(uint8_t *to, const uint8_t *from, uint64_t n)
{
	if (to <= from || to >= from + n)
		copy_rep(to, from, n);
	else
		copy_rep_down(to, from, n);
}

uint64_t job_moves(const uint8_t *in, uint64_t n, uint8_t *memory)
{
	enum { SIZE = 1 << 20, HALF = SIZE / 2, MOVES = 400000 };
	uint64_t state = 1;
	if (n < SIZE)
		return 0;
	copy_vectors(memory, in, SIZE);
	for (int i = 0; i < MOVES; i++) {
		uint64_t r = next(&state);
		unsigned at = r & (HALF / 2 - 1), from = r >> 18 & (HALF / 2 - 1), size = r >> 36 & 0xffff, kind = r >> 52 & 15;
		uint8_t *low = memory + at, *high = memory + HALF + from, fill = r >> 56;
		switch (kind) {
		case 0: copy_bytes(low, high, size & 63); break;
		case 1: copy_bytes(high, low, size & 511); break;
		case 2: copy_words(low, high, size & 63); break;
		case 3: copy_words(high, low, size & 2047); break;
		case 4: copy_vectors(low, high, size & 127); break;
		case 5: copy_vectors(high, low, size & 16383); break;
		case 6: copy_rep(low, high, size & 63); break;
		case 7: copy_rep(high, low, size & 4095); break;
		case 8: copy_rep_words(low, high, size); break;
		case 9: move(low + (from & 255), low, size & 1023); break;
		case 10: move(low, low + (from & 255), size & 4095); break;
		case 11: move_rep(high + (at & 4095), high, size & 511); break;
		case 12: fill_bytes(low, fill, size & 127); break;
		case 13: fill_vectors(high, fill, size & 4095); break;
		case 14: fill_rep(low, fill, size & 63); break;
		case 15: fill_rep(high, fill, size & 16383); break;
		}
	}
	return xxh64(memory, SIZE);
}
