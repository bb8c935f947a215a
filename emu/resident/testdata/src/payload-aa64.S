/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the trampoline of a test goes on with: it makes calls, writes the
 * registers that it has found, and memory, to a PL011, and ends QEMU. It may lie
 * anywhere, writable. Offset 8 has the address of {address, size} pairs up to a
 * size of 0: memory to write, in which "found", at offset 0x100, can be. Offset
 * 16 has the address of {function, five arguments, result} up to a function 0.
 */

#define UART 0x09000000

	.text
start:
	b	begin
	.balign 8
dumps:
	.quad 0
calls:
	.quad 0
	/* SYS_EXIT of semihosting: ADP_Stopped_ApplicationExit, 0x2a. */
exit:
	.quad 0x20026, 0x2a

	.org 0x100
found:
	/* 0x00: x0 to x30, sp */
	.zero 0x100
	/* 0x100: nzcv, daif, CurrentEL, SPSel, fpcr, fpsr, sctlr, pc */
	.zero 0x40
	/* 0x140: v0 to v31 */
	.zero 0x200

begin:
	adr	x16, found
	.altmacro
	.macro pair_q n, m
	stp	q\n, q\m, [x16, #(0x140 + 16 * \n)]
	.endm
	.macro pair_x n, m
	stp	x\n, x\m, [x16, #(8 * \n)]
	.endm
	.irp n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28
	pair_x %(\n), %(\n + 1)
	.endr
	mov	x17, sp
	stp	x30, x17, [x16, #0xf0]
	mrs	x0, nzcv
	str	x0, [x16, #0x100]
	mrs	x0, daif
	str	x0, [x16, #0x108]
	mrs	x0, CurrentEL
	str	x0, [x16, #0x110]
	mrs	x0, spsel
	str	x0, [x16, #0x118]
	mrs	x0, fpcr
	str	x0, [x16, #0x120]
	mrs	x0, fpsr
	str	x0, [x16, #0x128]
	mrs	x0, CurrentEL
	cmp	x0, #8
	b.eq	1f
	mrs	x0, sctlr_el1
	b	2f
1:	mrs	x0, sctlr_el2
2:	str	x0, [x16, #0x130]
	adr	x0, start
	str	x0, [x16, #0x138]
	.irp n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
	pair_q %(\n), %(\n + 1)
	.endr

	ldr	x19, calls
	cbz	x19, 4f
3:	ldr	x9, [x19]
	cbz	x9, 4f
	ldp	x0, x1, [x19, #8]
	ldp	x2, x3, [x19, #24]
	ldr	x4, [x19, #40]
	blr	x9
	str	x0, [x19, #48]
	add	x19, x19, #56
	b	3b

4:	ldr	x0, dumps
	mov	x4, #UART
5:	ldp	x1, x2, [x0], #16
	cbz	x2, 8f
6:	ldr	w3, [x4, #0x18]
	tbnz	w3, #5, 6b
	ldrb	w3, [x1], #1
	str	w3, [x4]
	sub	x2, x2, #1
	cbnz	x2, 6b
	b	5b
8:	mov	w0, #0x18
	adr	x1, exit
	hlt	#0xf000
	b	8b
