/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What QEMU starts with, and enters the code at "entry" as kexec does: MMU off,
 * x0 to x3 zero, at the exception level that QEMU has started, at EL2 with E2H
 * and TGE set in HCR_EL2 if asked for. Offset 8 has the address to enter, 16
 * whether E2H is asked for. Floating point is off, the stack that of EL0.
 */

	.text
	b	begin
	.balign 8
entry:
	.quad 0
e2h:
	.quad 0
begin:
	msr	spsel, #0
	mrs	x4, CurrentEL
	cmp	x4, #8
	b.ne	1f
	mov	x4, #(1 << 10)
	msr	cptr_el2, x4
	adr	x4, e2h
	ldr	x4, [x4]
	cbz	x4, 1f
	mov	x4, #(1 << 34)
	orr	x4, x4, #(1 << 27)
	orr	x4, x4, #(1 << 31)
	msr	hcr_el2, x4
	isb
1:	mov	x4, #0
	msr	cpacr_el1, x4
	isb
	adr	x4, entry
	ldr	x4, [x4]
	mov	x0, #0
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	br	x4
