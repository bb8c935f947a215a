/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What a trampoline does between its entry and its exit: verify, scatter, zero.
 */

#include <stddef.h>

#include "service.h"

#include "sha256.h"
#include "trampoline.h"

#define PAGE 4096

struct region {
	const u8 *at;
	u64 size;
	u8 sha256[32];
};

struct copy {
	const u8 *from;
	u8 *to;
	u64 pages;
};

struct zero {
	u8 *at;
	u64 pages;
};

struct params {
	const struct region *regions;
	u32 count, count_check;
	const struct copy *copies;
	u64 copy_count;
	const struct zero *zeros;
	u64 zero_count;
	u64 console;
	u32 console_kind, console_shift;
	u32 flags, reserved;
	u64 stack;
};

#define AT(field, offset) \
	_Static_assert(offsetof(struct params, field) == (offset), "trampoline.h disagrees about " #field)
AT(regions, TRAMPOLINE_REGIONS);
AT(count, TRAMPOLINE_COUNT);
AT(count_check, TRAMPOLINE_COUNT_CHECK);
AT(copies, TRAMPOLINE_COPIES);
AT(copy_count, TRAMPOLINE_COPY_COUNT);
AT(zeros, TRAMPOLINE_ZEROS);
AT(zero_count, TRAMPOLINE_ZERO_COUNT);
AT(console, TRAMPOLINE_CONSOLE);
AT(console_kind, TRAMPOLINE_CONSOLE_KIND);
AT(console_shift, TRAMPOLINE_CONSOLE_SHIFT);
AT(flags, TRAMPOLINE_FLAGS);
AT(stack, TRAMPOLINE_STACK);

void own_tables(const struct params *p);

#if defined(__aarch64__)
/* to_unification writes back what was written at a page that may be code. */
static void to_unification(const u8 *at)
{
	u64 ctr, line;
	__asm__ volatile("mrs %0, ctr_el0" : "=r"(ctr));
	line = 4ULL << (ctr >> 16 & 15);
	for (const u8 *end = at + PAGE; at < end; at += line)
		__asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
}
#endif

/* Copy does each of n copies of whole pages, in their order. */
void Copy(const struct copy *c, u64 n)
{
	for (; n; n--, c++) {
		const u8 *from = c->from;
		u8 *to = c->to;
		u64 words = c->pages * (PAGE / 8);
#if defined(__x86_64__)
		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#else
		for (; words; words -= 2, from += 16, to += 16) {
			u64 a = ((const u64 *)from)[0], b = ((const u64 *)from)[1];
			((volatile u64 *)to)[0] = a, ((volatile u64 *)to)[1] = b;
		}
		for (u64 i = 0; i < c->pages; i++)
			to_unification(c->to + i * PAGE);
#endif
	}
#if defined(__aarch64__)
	__asm__ volatile("dsb ish; ic iallu; dsb ish; isb" : : : "memory");
#endif
}

/* Zero zeros each of n runs of whole pages. */
void Zero(const struct zero *z, u64 n)
{
	for (; n; n--, z++) {
		u8 *at = z->at;
		u64 words = z->pages * (PAGE / 8);
#if defined(__x86_64__)
		__asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(0) : "memory");
#else
		for (; words; words -= 2, at += 16)
			((volatile u64 *)at)[0] = 0, ((volatile u64 *)at)[1] = 0;
#endif
	}
}

static u32 read_register(const struct params *p, u64 n)
{
	u64 at = p->console + (n << p->console_shift);
#if defined(__x86_64__)
	if (p->console_kind == CONSOLE_PORT) {
		u8 v;
		__asm__ volatile("inb %1, %0" : "=a"(v) : "d"((u16)at));
		return v;
	}
#endif
	if (p->console_kind == CONSOLE_8250)
		return *(volatile u8 *)at;
	return *(volatile u32 *)at;
}

static void write_register(const struct params *p, u64 n, u8 v)
{
	u64 at = p->console + (n << p->console_shift);
#if defined(__x86_64__)
	if (p->console_kind == CONSOLE_PORT) {
		__asm__ volatile("outb %0, %1" : : "a"(v), "d"((u16)at));
		return;
	}
#endif
	if (p->console_kind == CONSOLE_8250)
		*(volatile u8 *)at = v;
	else
		*(volatile u32 *)at = v;
}

/* put prints a character, without waiting for ever for a console that is busy. */
static void put(const struct params *p, u8 c)
{
	u32 patience = 1 << 20;
	if (p->console_kind == CONSOLE_PL011) {
		while (*(volatile u32 *)(p->console + 0x18) & 0x20 && --patience) /* FR: TXFF */
			;
		*(volatile u32 *)p->console = c; /* DR */
		return;
	}
	while (!(read_register(p, 5) & 0x20) && --patience) /* LSR: THRE */
		;
	write_register(p, 0, c);
}

static void print(const struct params *p, const char *text)
{
	for (; *text; text++)
		put(p, *text);
}

/* Refuse says what is wrong, and stops. */
__attribute__((noreturn)) void Refuse(const struct params *p, u64 at)
{
	if (p->console_kind != CONSOLE_NONE) {
		print(p, "\r\nuefiexec: the memory at 0x");
		for (int shift = 60; shift >= 0; shift -= 4) {
			u8 digit = at >> shift & 15;
			put(p, digit + (digit < 10 ? '0' : 'a' - 10));
		}
		print(p, " is not what was loaded; stopped\r\n");
	}
	for (;;) {
#if defined(__x86_64__)
		__asm__ volatile("hlt");
#else
		__asm__ volatile("wfi");
#endif
	}
}

/* check gives the first of the regions [i, end) that is not what it was, or 0. */
static const struct region *check(const struct params *p, u32 i, u32 end)
{
	u8 sum[32] __attribute__((aligned(8)));
	for (; i < end; i++) {
		const struct region *r = &p->regions[i];
		u8 differ = 0;
		Digest(r->at, r->size, sum, p->flags & TRAMPOLINE_FLAG_SHA);
		for (int k = 0; k < 32; k++)
			differ |= sum[k] ^ r->sha256[k];
		if (differ)
			return r;
	}
	return 0;
}

/*
 * prepare does all of it but the registers. The trampoline's own regions are
 * verified first, still with the page tables that it was entered with, which may
 * lack the console: it waits with what it has to say about them.
 */
void prepare(const struct params *p)
{
	u32 own = p->count < TRAMPOLINE_OWN_REGIONS ? p->count : TRAMPOLINE_OWN_REGIONS;
	const struct region *bad;
	if (p->count != ~p->count_check) {
		if (p->console_kind != CONSOLE_PORT)
			own_tables(p);
		Refuse(p, (u64)p);
	}
	bad = check(p, 0, own);
	if (bad && p->console_kind == CONSOLE_PORT)
		Refuse(p, (u64)bad->at);
	own_tables(p);
	if (!bad)
		bad = check(p, own, p->count);
	if (bad)
		Refuse(p, (u64)bad->at);
	Copy(p->copies, p->copy_count);
	Zero(p->zeros, p->zero_count);
}
