/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Code that runs in the guest. It is called as UEFI calls a service, in user
 * mode of the host and, after ExitBootServices, in the payload's kernel mode,
 * at whatever address it lies (a multiple of 4096) and with whatever page
 * tables there are. So it has no absolute address, no data that is written but
 * the parameter block, and uses neither floating point nor vector registers.
 */

#include "service.h"

/* A word at any address, of any type. */
typedef u64 word __attribute__((aligned(1), may_alias));

static inline void up(u8 *to, const u8 *from, u64 n)
{
#if defined(__x86_64__)
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
#else
	for (; n >= 32; n -= 32, to += 32, from += 32) {
		const word *f = (const word *)from;
		u64 a = f[0], b = f[1], c = f[2], d = f[3];
		word *t = (word *)to;
		t[0] = a, t[1] = b, t[2] = c, t[3] = d;
	}
	for (; n >= 8; n -= 8, to += 8, from += 8)
		*(word *)to = *(const word *)from;
	for (; n; n--)
		*to++ = *from++;
#endif
}

static inline void down(u8 *to, const u8 *from, u64 n)
{
	for (; n >= 32; n -= 32) {
		const word *f = (const word *)(from + n - 32);
		u64 a = f[0], b = f[1], c = f[2], d = f[3];
		word *t = (word *)(to + n - 32);
		t[0] = a, t[1] = b, t[2] = c, t[3] = d;
	}
	for (; n >= 8; n -= 8)
		*(word *)(to + n - 8) = *(const word *)(from + n - 8);
	for (; n; n--)
		to[n - 1] = from[n - 1];
}

/* CopyMem (7.5.3): the two buffers may overlap. */
SERVICE void CopyMem(void *destination, const void *source, u64 length)
{
	if ((u64)destination - (u64)source < length)
		down(destination, source, length);
	else
		up(destination, source, length);
}

/* SetMem (7.5.4). */
SERVICE void SetMem(void *buffer, u64 size, u8 value)
{
	u8 *p = buffer;
#if defined(__x86_64__)
	__asm__ volatile("rep stosb" : "+D"(p), "+c"(size) : "a"(value) : "memory");
#else
	u64 w = value * 0x0101010101010101ULL;
	for (; size >= 32; size -= 32, p += 32) {
		word *t = (word *)p;
		t[0] = w, t[1] = w, t[2] = w, t[3] = w;
	}
	for (; size >= 8; size -= 8, p += 8)
		*(word *)p = w;
	for (; size; size--)
		*p++ = value;
#endif
}

/*
 * Unsupported stands in every runtime service that is not there after
 * ExitBootServices: it returns EFI_UNSUPPORTED (appendix D), whatever its
 * arguments are.
 */
SERVICE u64 Unsupported(void)
{
	return UNSUPPORTED;
}
