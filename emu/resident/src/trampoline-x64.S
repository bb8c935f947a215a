/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The trampoline for x86-64: header, entry and exit. The header is that of
 * header.S.
 *
 * kexec enters with paging on and all memory that counts mapped where it is;
 * interrupts off; in the control registers only what Linux leaves (CR4 has PAE
 * and, where it was on, LA57); no stack, no GDT and no IDT to speak of.
 */

#include "trampoline.h"

#define CR0_MP 0x2
#define CR0_EM 0x4
#define CR0_TS 0x8
#define CR0_NE 0x20
#define CR0_PG 0x80000000
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_LA57_BIT 12
#define CODE32 0x08
#define CODE64 0x10
#define DATA 0x18

	.section .header, "ax"
blob_start:
	.ascii "UEFIRES\2"
	.long blob_end - blob_start
	.long (functions_end - functions) / 32
	.long params - blob_start
	.long TRAMPOLINE_X64_SIZE

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

	.text
Entry:
	cli
	cld
	leaq	params(%rip), %rbx
	movq	TRAMPOLINE_STACK(%rbx), %rsp
	movq	%cr0, %rax
	andl	$~(CR0_EM | CR0_TS), %eax
	orl	$(CR0_MP | CR0_NE), %eax
	movq	%rax, %cr0
	movq	%cr4, %rax
	orl	$(CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
	movq	%rax, %cr4
	movq	%rbx, %rdi
	call	prepare

	fxrstor64 TRAMPOLINE_FX(%rbx)
	pushq	TRAMPOLINE_FLAGS_REGISTER(%rbx)
	popfq
	movq	params + TRAMPOLINE_GP + 0x00(%rip), %rax
	movq	params + TRAMPOLINE_GP + 0x08(%rip), %rcx
	movq	params + TRAMPOLINE_GP + 0x10(%rip), %rdx
	movq	params + TRAMPOLINE_GP + 0x18(%rip), %rbx
	movq	params + TRAMPOLINE_GP + 0x20(%rip), %rsp
	movq	params + TRAMPOLINE_GP + 0x28(%rip), %rbp
	movq	params + TRAMPOLINE_GP + 0x30(%rip), %rsi
	movq	params + TRAMPOLINE_GP + 0x38(%rip), %rdi
	movq	params + TRAMPOLINE_GP + 0x40(%rip), %r8
	movq	params + TRAMPOLINE_GP + 0x48(%rip), %r9
	movq	params + TRAMPOLINE_GP + 0x50(%rip), %r10
	movq	params + TRAMPOLINE_GP + 0x58(%rip), %r11
	movq	params + TRAMPOLINE_GP + 0x60(%rip), %r12
	movq	params + TRAMPOLINE_GP + 0x68(%rip), %r13
	movq	params + TRAMPOLINE_GP + 0x70(%rip), %r14
	movq	params + TRAMPOLINE_GP + 0x78(%rip), %r15
	jmpq	*params + TRAMPOLINE_RIP(%rip)

/*
 * void own_tables(const struct params *): the trampoline's own GDT, page tables
 * and segments, no IDT. With four levels asked for and five found, by way of
 * compatibility mode, as only without paging LA57 can be changed.
 */
	.global own_tables
	.hidden own_tables
own_tables:
	subq	$16, %rsp
	movq	$0, 2(%rsp)
	movw	$0, (%rsp)
	lidt	(%rsp)
	leaq	gdt(%rip), %rax
	movq	%rax, 2(%rsp)
	movw	$(gdt_end - gdt - 1), (%rsp)
	lgdt	(%rsp)
	addq	$16, %rsp
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	xorl	%eax, %eax
	lldt	%ax

	movq	TRAMPOLINE_ROOT4(%rdi), %rcx
	leaq	2f(%rip), %rsi
	movq	%cr4, %rdx
	btl	$CR4_LA57_BIT, %edx
	jnc	1f
	testl	$TRAMPOLINE_FLAG_FOUR_LEVELS, TRAMPOLINE_FLAGS(%rdi)
	jnz	4f
	movq	TRAMPOLINE_ROOT5(%rdi), %rcx
1:	movq	%rcx, %cr3
	pushq	$CODE64
	pushq	%rsi
	lretq
2:	ret

4:	leaq	3f(%rip), %rax
	pushq	$CODE32
	pushq	%rax
	lretq
	.code32
3:	movl	%cr0, %eax
	andl	$~CR0_PG, %eax
	movl	%eax, %cr0
	btrl	$CR4_LA57_BIT, %edx
	movl	%edx, %cr4
	movl	%ecx, %cr3
	orl	$CR0_PG, %eax
	movl	%eax, %cr0
	pushl	$CODE64
	pushl	%esi
	lretl
	.code64

	/* Marked as accessed, so that the processor does not write. */
	.section .rodata
	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
gdt_end:

	.section .params, "a"
	.balign 64
params:
	.zero TRAMPOLINE_X64_SIZE
