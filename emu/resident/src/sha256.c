/* SPDX-License-Identifier: BSD-3-Clause */

#include "service.h"

#include "sha256.h"

__attribute__((aligned(16))) const u32 sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline u32 right(u32 x, int n)
{
	return x >> n | x << (32 - n);
}

static inline u32 big_endian(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

/* One round; the caller renames the variables instead of moving them. */
#define ROUND(a, b, c, d, e, f, g, h, i) \
	do { \
		u32 t = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + (g ^ (e & (f ^ g))) + k[i] + w[i]; \
		d += t; \
		h = t + (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) | (c & (a | b))); \
	} while (0)

static void blocks(u32 *state, const u8 *data, u64 n)
{
	for (; n; n--, data += 64) {
		u32 a = state[0], b = state[1], c = state[2], d = state[3];
		u32 e = state[4], f = state[5], g = state[6], h = state[7];
		u32 w[64];
		for (int i = 0; i < 16; i++)
			w[i] = big_endian(data + 4 * i);
		for (int i = 16; i < 64; i++) {
			u32 x = w[i - 15], y = w[i - 2];
			w[i] = w[i - 16] + w[i - 7] + (right(x, 7) ^ right(x, 18) ^ x >> 3) + (right(y, 17) ^ right(y, 19) ^ y >> 10);
		}
		for (int r = 0; r < 64; r += 8) {
			const u32 *k = sha256_k;
			ROUND(a, b, c, d, e, f, g, h, r);
			ROUND(h, a, b, c, d, e, f, g, r + 1);
			ROUND(g, h, a, b, c, d, e, f, r + 2);
			ROUND(f, g, h, a, b, c, d, e, r + 3);
			ROUND(e, f, g, h, a, b, c, d, r + 4);
			ROUND(d, e, f, g, h, a, b, c, r + 5);
			ROUND(c, d, e, f, g, h, a, b, r + 6);
			ROUND(b, c, d, e, f, g, h, a, r + 7);
		}
		state[0] += a, state[1] += b, state[2] += c, state[3] += d;
		state[4] += e, state[5] += f, state[6] += g, state[7] += h;
	}
}

static void some(u32 *state, const u8 *data, u64 n, u32 fast)
{
#if defined(__x86_64__)
	if (fast) {
		sha256_blocks_fast(state, data, n);
		return;
	}
#else
	(void)fast;
#endif
	blocks(state, data, n);
}

void Digest(const u8 *data, u64 size, u8 *sum, u32 fast)
{
	u32 state[8] __attribute__((aligned(16)));
	u8 last[128] __attribute__((aligned(16)));
	u64 whole = size & ~63ULL, rest = size - whole, end = rest < 56 ? 64 : 128;
	state[0] = 0x6a09e667, state[1] = 0xbb67ae85, state[2] = 0x3c6ef372, state[3] = 0xa54ff53a;
	state[4] = 0x510e527f, state[5] = 0x9b05688c, state[6] = 0x1f83d9ab, state[7] = 0x5be0cd19;
	some(state, data, whole / 64, fast);
	for (u64 i = 0; i < end; i++)
		last[i] = i < rest ? data[whole + i] : i == rest ? 0x80 : 0;
	for (int i = 0; i < 8; i++)
		last[end - 1 - i] = size * 8 >> 8 * i;
	some(state, last, end / 64, fast);
	for (int i = 0; i < 32; i++)
		sum[i] = state[i / 4] >> (24 - i % 4 * 8);
}
