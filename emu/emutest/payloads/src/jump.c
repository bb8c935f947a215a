/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * jump: does one thing that a program must not be able to do to its host, or
 * that the host must answer for it. Load options name the thing; "list"
 * prints the names. It prints "jump NAME" before, and if it is still alive
 * after, "survived NAME: VALUE" with what it got back, and returns success.
 * If what it got back shows that the host has given something away, it prints
 * "FAIL NAME: ..." and returns SECURITY_VIOLATION.
 */

#include "lib.h"

/* A test returns what it got back. It sets leaked if that must not be. */
typedef u64 test(void);
static const char *leaked;

#define NOINLINE __attribute__((noinline))

static u64 service(void)
{
	return (u64)BS->GetNextMonotonicCount;
}

static u64 jump_to(volatile u64 address)
{
	return ((u64(*)(u64, u64))address)(1, 2);
}

static u64 past_ram(void)
{
	u64 size = 0, key, step = 0, end = 0;
	u32 version;
	u8 *map;
	BS->GetMemoryMap(&size, NULL, &key, &step, &version);
	size += 8 * step;
	if (BS->AllocatePool(LoaderData, size, (void **)&map) != SUCCESS ||
	    BS->GetMemoryMap(&size, map, &key, &step, &version) != SUCCESS)
		return 0;
	for (u64 at = 0; at < size; at += step) {
		struct memory_descriptor *d = (void *)(map + at);
		u64 top = d->PhysicalStart + d->NumberOfPages * PAGE;
		if (d->Type != MemoryMappedIO && d->Type != MemoryMappedIOPortSpace && top > end)
			end = top;
	}
	return end;
}

static u64 t_null(void)
{
	return jump_to(0);
}

static u64 t_nowhere(void)
{
	return jump_to(0x00007f0123456000);
}

static u64 t_noncanonical(void)
{
	return jump_to(0x8000000000001000);
}

static u64 t_pastram(void)
{
	return jump_to(past_ram());
}

static u64 t_readnowhere(void)
{
	return *(volatile u64 *)0x00007f0123456000;
}

static u64 t_writenowhere(void)
{
	*(volatile u64 *)0x00007f0123456000 = 1;
	return 0;
}

static u64 t_readnull(void)
{
	volatile u64 zero = 0;
	return *(volatile u64 *)zero;
}

static u64 t_readpastram(void)
{
	return *(volatile u64 *)past_ram();
}

static u64 t_writepastram(void)
{
	*(volatile u64 *)past_ram() = 1;
	return 0;
}

static u64 t_readkernel(void)
{
	return *(volatile u64 *)0xffffffff81000000;
}

/* Reads what stands where a service is: it may, but must see no host code. */
static u64 t_readgate(void)
{
	return *(volatile u64 *)service();
}

static u64 t_writegate(void)
{
	u64 n = 0;
	*(volatile u64 *)service() = 0x0123456789abcdef;
	return BS->GetNextMonotonicCount(&n);
}

static u64 t_gatemiddle(void)
{
	return jump_to(service() + 4);
}

static u64 t_gateafter(void)
{
	return jump_to((service() | (PAGE - 1)) - 15);
}

static u64 t_writecode(void)
{
	*(volatile u8 *)(u64)t_writecode = 0x90;
	return 0;
}

static u64 t_writestring(void)
{
	*(volatile u8 *)(u64) "constant" = 'x';
	return 0;
}

static NOINLINE u64 recurse(u64 n)
{
	volatile u8 frame[2048];
	frame[0] = (u8)n;
	if (n == ~0ULL)
		return 0;
	return recurse(n + 1) + frame[0];
}

static u64 t_stackoverflow(void)
{
	return recurse(0);
}

static u64 t_unaligned(void)
{
	static u8 bytes[24] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	volatile u64 at = (u64)bytes;
	at = (at | 7) - 6; /* one above a multiple of 8 */
	u64 v = *(volatile u64 *)at;
	*(volatile u64 *)(at + 4) = v;
	return *(volatile u64 *)(at + 4) == v;
}

/* A service with a structure that begins in RAM and ends outside. */
static u64 t_straddle(void)
{
	u64 end = past_ram();
	return RT->GetTime((struct time *)(end - 4), NULL);
}

static u64 t_loop(void)
{
	for (;;)
		;
}

#if defined(__x86_64__)
#include "jump_x64.h"
#else
#include "jump_aa64.h"
#endif

static const struct {
	const char *name;
	test *run;
} tests[] = {
	{"null", t_null},
	{"nowhere", t_nowhere},
	{"noncanonical", t_noncanonical},
	{"pastram", t_pastram},
	{"data", t_data},
	{"readnull", t_readnull},
	{"readnowhere", t_readnowhere},
	{"writenowhere", t_writenowhere},
	{"readpastram", t_readpastram},
	{"writepastram", t_writepastram},
	{"readkernel", t_readkernel},
	{"readgate", t_readgate},
	{"writegate", t_writegate},
	{"gatemiddle", t_gatemiddle},
	{"gateafter", t_gateafter},
	{"writecode", t_writecode},
	{"writestring", t_writestring},
	{"stackoverflow", t_stackoverflow},
	{"unaligned", t_unaligned},
	{"straddle", t_straddle},
	{"loop", t_loop},
	ARCH_TESTS
};

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	const char *name = options();
	for (u64 i = 0; i < sizeof tests / sizeof tests[0]; i++) {
		if (equal(name, "list")) {
			say("%s\n", tests[i].name);
		} else if (equal(name, tests[i].name)) {
			say("jump %s\n", name);
			u64 v = tests[i].run();
			if (leaked) {
				say("FAIL %s: %s: %x\n", name, leaked, v);
				return SECURITY_VIOLATION;
			}
			say("survived %s: %x\n", name, v);
			return SUCCESS;
		}
	}
	if (equal(name, "list"))
		return SUCCESS;
	say("jump: no such test: \"%s\"\n", name);
	return INVALID_PARAMETER;
}
