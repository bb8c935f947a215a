/* SPDX-License-Identifier: BSD-3-Clause */

/* SHA-256 (FIPS 180-4). */

extern const u32 sha256_k[64] __attribute__((visibility("hidden")));

/* Digest is the SHA-256 of size bytes; fast says that the processor has instructions for it. */
void Digest(const u8 *data, u64 size, u8 *sum, u32 fast);

/* sha256_blocks_fast works n blocks into state with the processor's own instructions. */
void sha256_blocks_fast(u32 *state, const u8 *data, u64 n);
