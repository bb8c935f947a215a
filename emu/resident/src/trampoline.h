/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The parameter block of a trampoline, which package resident builds. It lies in
 * the blob. Addresses are physical.
 *
 * First what all architectures have.
 */

#define TRAMPOLINE_REGIONS 0        /* u64: what to verify: {address, size, SHA-256} each */
#define TRAMPOLINE_COUNT 8          /* u32: how many */
#define TRAMPOLINE_COUNT_CHECK 12   /* u32: its complement */
#define TRAMPOLINE_COPIES 16        /* u64: {source, destination, pages} each */
#define TRAMPOLINE_COPY_COUNT 24    /* u64 */
#define TRAMPOLINE_ZEROS 32         /* u64: what to zero, after the copies: {address, pages} each */
#define TRAMPOLINE_ZERO_COUNT 40    /* u64 */
#define TRAMPOLINE_CONSOLE 48       /* u64: port or address of the serial console */
#define TRAMPOLINE_CONSOLE_KIND 56  /* u32: CONSOLE_ */
#define TRAMPOLINE_CONSOLE_SHIFT 60 /* u32: registers are 1 << shift bytes apart */
#define TRAMPOLINE_FLAGS 64         /* u32: TRAMPOLINE_FLAG_ bits */
#define TRAMPOLINE_RESERVED 68      /* u32 */
#define TRAMPOLINE_STACK 72         /* u64: where the trampoline's own stack starts, going down */

/* x86-64. */

#define TRAMPOLINE_ROOT4 80  /* u64: page tables of four levels */
#define TRAMPOLINE_ROOT5 88  /* u64: the same of five */
#define TRAMPOLINE_GP 96     /* u64 each: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15 */
#define TRAMPOLINE_RIP 224   /* u64 */
#define TRAMPOLINE_FLAGS_REGISTER 232 /* u64: rflags */
#define TRAMPOLINE_FX 240    /* 512 bytes for fxrstor64, of which the last 96 are not used */
#define TRAMPOLINE_X64_SIZE 752

/* AArch64. */

#define TRAMPOLINE_ROOT 80  /* u64: page tables */
#define TRAMPOLINE_NZCV 88  /* u64 */
#define TRAMPOLINE_X 96     /* u64 each: x0 to x30 */
#define TRAMPOLINE_SP 344   /* u64 */
#define TRAMPOLINE_PC 352   /* u64 */
#define TRAMPOLINE_FPCR 360 /* u64 */
#define TRAMPOLINE_FPSR 368 /* u64 */
#define TRAMPOLINE_V 384    /* 16 bytes each: v0 to v31 */
#define TRAMPOLINE_AA64_SIZE 896

/* The first regions are the trampoline's own. */
#define TRAMPOLINE_OWN_REGIONS 2

/* x86-64: the processor has instructions for SHA-256. */
#define TRAMPOLINE_FLAG_SHA 1
/* x86-64: leave with page tables of four levels, whatever there were on entry. */
#define TRAMPOLINE_FLAG_FOUR_LEVELS 2

#define CONSOLE_NONE 0
#define CONSOLE_PORT 1   /* 8250 in I/O ports */
#define CONSOLE_8250 2   /* 8250 in memory, registers of a byte */
#define CONSOLE_8250_32 3 /* 8250 in memory, registers of 32 bits */
#define CONSOLE_PL011 4
