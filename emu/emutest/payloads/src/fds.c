/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * fds: tries Linux system calls, in case the program runs as a process of the
 * host. Load options: METHOD [CALL].
 *   METHOD   syscall (the default; svc on AArch64), or int80 on x86-64
 *   CALL     one of read, write, close, openat, getpid, kill, mmap, socket,
 *            exit_group; all of them if none is named
 * A host may end the program at the first attempt. If it does not, the
 * register of the result must come back as it was: then "PASS CALL", else
 * "FAIL CALL: ...".
 */

#include "lib.h"

typedef u64 entry(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

#if defined(__x86_64__)

static u64 by_syscall(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	register u64 r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "+a"(nr), "+r"(r10), "+r"(r8), "+r"(r9)
			 : "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return nr;
}

static u64 by_int80(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	(void)f;
	__asm__ volatile("int $0x80"
			 : "+a"(nr)
			 : "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "r8", "r9", "r10", "r11", "memory");
	return nr;
}

#else

/* x0 is both the first argument and the result; it comes back as nr if it is unchanged. */
static u64 by_syscall(u64 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 x0 __asm__("x0") = a;
	register u64 x1 __asm__("x1") = b;
	register u64 x2 __asm__("x2") = c;
	register u64 x3 __asm__("x3") = d;
	register u64 x4 __asm__("x4") = e;
	register u64 x5 __asm__("x5") = f;
	register u64 x8 __asm__("x8") = nr;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8) : "memory");
	return x0 == a ? nr : x0;
}

#endif

static char leak[] = "fds: this must not be seen\n";
static char buffer[64];

/* One call: its numbers on x86-64, 32-bit x86 and AArch64, and its arguments. */
struct call {
	const char *name;
	u16 x64, x32, aa64;
	u8 per_descriptor; /* a is a descriptor, and 0 to 63 are tried */
	u64 a, b, c, d, e, f;
};

static int run(const struct call *c, entry *enter, u64 nr)
{
	u64 first = 0, answered = 0, count = c->per_descriptor ? 64 : 1;
	buffer[0] = 0;
	for (u64 i = 0; i < count; i++) {
		u64 got = enter(nr, c->per_descriptor ? i : c->a, c->b, c->c, c->d, c->e, c->f);
		if (got != nr && !answered++)
			first = got;
	}
	if (!answered && !buffer[0]) {
		say("PASS %s\n", c->name);
		return 1;
	}
	say("FAIL %s: %u of %u answered, the first with %x\n", c->name, answered, count, first);
	return 0;
}

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	const struct call calls[] = {
		{"getpid", 39, 20, 172, 0, 0x7777, 0, 0, 0, 0, 0},
		{"write", 1, 4, 64, 1, 0, (u64)leak, sizeof leak - 1, 0, 0, 0},
		{"read", 0, 3, 63, 1, 0, (u64)buffer, sizeof buffer, 0, 0, 0},
		{"openat", 257, 295, 56, 0, (u64)-100, (u64) "/etc/passwd", 0, 0, 0, 0},
		{"mmap", 9, 192, 222, 0, 0, 4096, 7, 0x22, ~0ULL, 0},
		{"socket", 41, 359, 198, 0, 1, 1, 0, 0, 0, 0},
		{"kill", 62, 37, 129, 0, 0x7ffffff0, 0, 0, 0, 0, 0},
		{"close", 3, 6, 57, 1, 0, 0, 0, 0, 0, 0},
		{"exit_group", 231, 252, 94, 0, 99, 0, 0, 0, 0, 0},
	};
	const char *o = options();
	entry *enter = by_syscall;
	int ok = 1, known = 0, is32 = 0;
	u64 skip = 0;
	if (same(o, "syscall", 7)) {
		skip = 7;
#if defined(__x86_64__)
	} else if (same(o, "int80", 5)) {
		skip = 5;
		is32 = 1;
		enter = by_int80;
#endif
	}
	for (o += skip; *o == ' '; o++)
		;
	for (u64 i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		const struct call *c = &calls[i];
		if (*o && !equal(o, c->name))
			continue;
		known = 1;
		say("fds %s\n", c->name);
#if defined(__x86_64__)
		ok &= run(c, enter, is32 ? c->x32 : c->x64);
#else
		(void)is32;
		ok &= run(c, enter, c->aa64);
#endif
	}
	if (!known) {
		say("fds: no such call: \"%s\"\n", o);
		return INVALID_PARAMETER;
	}
	return ok ? SUCCESS : SECURITY_VIOLATION;
}
