/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The trampoline for AArch64: header, entry and exit. The header is that of
 * header.S.
 *
 * kexec enters with the MMU off, at EL2 or EL1, all exceptions masked, no stack;
 * what it has loaded is in memory, past the caches. At EL2 with HCR_EL2.E2H set,
 * the names of EL1's registers mean those of EL2.
 */

#include "trampoline.h"

#define CURRENT_EL2 8
#define HCR_E2H_BIT 34
#define CPTR_TFP (1 << 10)
#define CPACR_FPEN (3 << 20)
/* Normal memory, write-back; device memory, nGnRnE. */
#define MAIR 0x00ff
/* 48 bits of address, a granule of 4 KiB; walks inner shareable, write-back. */
#define TCR 0x3510
#define TCR_EPD1 (1 << 23)
#define TCR_EL2_RES1 0x80800000
#define SCTLR_M (1 << 0)
#define SCTLR_A (1 << 1)
#define SCTLR_C (1 << 2)
#define SCTLR_I (1 << 12)
#define SCTLR_WXN (1 << 19)
#define SCTLR_EE (1 << 25)

	.section .header, "ax"
blob_start:
	.ascii "UEFIRES\2"
	.long blob_end - blob_start
	.long (functions_end - functions) / 32
	.long params - blob_start
	.long TRAMPOLINE_AA64_SIZE

	.macro function name
1:	.ascii "\name"
	.zero 28 - (. - 1b)
	.long \name - blob_start
	.endm

functions:
	function Entry
	function Digest
	function Copy
	function Zero
	function Refuse
functions_end:

	/* Branches to \to unless the registers of EL2 have names of their own. */
	.macro unless_el2 to
	mrs	x9, CurrentEL
	cmp	x9, #CURRENT_EL2
	b.ne	\to
	mrs	x9, hcr_el2
	tbnz	x9, #HCR_E2H_BIT, \to
	.endm

	.text
	.balign 4
Entry:
	msr	daifset, #15
	msr	spsel, #1
	adrp	x19, params
	add	x19, x19, :lo12:params
	ldr	x0, [x19, #TRAMPOLINE_STACK]
	mov	sp, x0
	unless_el2 1f
	mrs	x0, cptr_el2
	bic	x0, x0, #CPTR_TFP
	msr	cptr_el2, x0
	b	2f
1:	mrs	x0, cpacr_el1
	orr	x0, x0, #CPACR_FPEN
	msr	cpacr_el1, x0
2:	isb
	mov	x0, x19
	bl	prepare

	ldr	x0, [x19, #TRAMPOLINE_FPCR]
	msr	fpcr, x0
	ldr	x0, [x19, #TRAMPOLINE_FPSR]
	msr	fpsr, x0
	ldr	x0, [x19, #TRAMPOLINE_NZCV]
	msr	nzcv, x0
	ldr	x0, [x19, #TRAMPOLINE_SP]
	mov	sp, x0
	.altmacro
	.macro pair_q n, m
	ldp	q\n, q\m, [x19, #(TRAMPOLINE_V + 16 * \n)]
	.endm
	.macro pair_x n, m
	ldp	x\n, x\m, [x19, #(TRAMPOLINE_X + 8 * \n)]
	.endm
	.irp n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
	pair_q %(\n), %(\n + 1)
	.endr
	.irp n, 0, 2, 4, 6, 8, 10, 12, 14, 20, 22, 24, 26, 28
	pair_x %(\n), %(\n + 1)
	.endr
	ldr	x30, [x19, #(TRAMPOLINE_X + 8 * 30)]
	ldr	x17, [x19, #TRAMPOLINE_PC]
	ldp	x18, x19, [x19, #(TRAMPOLINE_X + 8 * 18)]
	br	x17

/*
 * void own_tables(const struct params *): the MMU on, with the trampoline's own
 * page tables, and the caches.
 */
	.global own_tables
	.hidden own_tables
own_tables:
	ldr	x0, [x0, #TRAMPOLINE_ROOT]
	mov	x1, #MAIR
	mov	x2, #TCR
	mov	x4, #(SCTLR_M | SCTLR_C)
	orr	x4, x4, #SCTLR_I
	mov	x5, #SCTLR_A
	orr	x5, x5, #SCTLR_WXN
	orr	x5, x5, #SCTLR_EE
	/* As many bits of physical address as there are, but no more than 48. */
	mrs	x3, id_aa64mmfr0_el1
	and	x3, x3, #15
	mov	x6, #5
	cmp	x3, x6
	csel	x3, x3, x6, ls

	unless_el2 1f
	movz	x6, #(TCR_EL2_RES1 >> 16), lsl #16
	orr	x2, x2, x6
	orr	x2, x2, x3, lsl #16
	msr	mair_el2, x1
	msr	tcr_el2, x2
	msr	ttbr0_el2, x0
	isb
	tlbi	alle2
	ic	iallu
	dsb	sy
	isb
	mrs	x0, sctlr_el2
	bic	x0, x0, x5
	orr	x0, x0, x4
	msr	sctlr_el2, x0
	isb
	ret

1:	orr	x2, x2, #TCR_EPD1
	orr	x2, x2, x3, lsl #32
	msr	mair_el1, x1
	msr	tcr_el1, x2
	msr	ttbr0_el1, x0
	isb
	mrs	x9, CurrentEL
	cmp	x9, #CURRENT_EL2
	b.eq	2f
	tlbi	vmalle1
	b	3f
2:	tlbi	alle2
3:	ic	iallu
	dsb	sy
	isb
	mrs	x0, sctlr_el1
	bic	x0, x0, x5
	orr	x0, x0, x4
	msr	sctlr_el1, x0
	isb
	ret

	.section .params, "a"
	.balign 64
params:
	.zero TRAMPOLINE_AA64_SIZE
