/* SPDX-License-Identifier: BSD-3-Clause */

/* SHA-256 with the SHA extensions, which work on four rounds at a time. */

#include <immintrin.h>

#include "service.h"

#include "sha256.h"

/* Four rounds with the words m, the i-th four of a block. */
#define ROUNDS(m, i) \
	do { \
		__m128i x = _mm_add_epi32(m, _mm_load_si128((const __m128i *)sha256_k + (i))); \
		cdgh = _mm_sha256rnds2_epu32(cdgh, abef, x); \
		abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(x, 0x0e)); \
	} while (0)

/* The next four words, of the last sixteen, in the place of the first of them. */
#define SCHEDULE(m0, m1, m2, m3) \
	m0 = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(m0, m1), _mm_alignr_epi8(m3, m2, 4)), m3)

void sha256_blocks_fast(u32 *state, const u8 *data, u64 n)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	/* The instructions want the state as a, b, e, f and c, d, g, h, from the top. */
	__m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
	__m128i abef = _mm_alignr_epi8(abcd, efgh, 8);
	__m128i cdgh = _mm_blend_epi16(efgh, abcd, 0xf0);
	for (; n; n--, data += 64) {
		const __m128i *p = (const __m128i *)data;
		__m128i was_abef = abef, was_cdgh = cdgh;
		__m128i m0 = _mm_shuffle_epi8(_mm_loadu_si128(p), swap);
		__m128i m1 = _mm_shuffle_epi8(_mm_loadu_si128(p + 1), swap);
		__m128i m2 = _mm_shuffle_epi8(_mm_loadu_si128(p + 2), swap);
		__m128i m3 = _mm_shuffle_epi8(_mm_loadu_si128(p + 3), swap);
		for (int i = 0;; i += 4) {
			ROUNDS(m0, i);
			ROUNDS(m1, i + 1);
			ROUNDS(m2, i + 2);
			ROUNDS(m3, i + 3);
			if (i == 12)
				break;
			SCHEDULE(m0, m1, m2, m3);
			SCHEDULE(m1, m2, m3, m0);
			SCHEDULE(m2, m3, m0, m1);
			SCHEDULE(m3, m0, m1, m2);
		}
		abef = _mm_add_epi32(abef, was_abef);
		cdgh = _mm_add_epi32(cdgh, was_cdgh);
	}
	abcd = _mm_shuffle_epi32(abef, 0x1b);
	efgh = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(abcd, efgh, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(efgh, abcd, 8));
}
