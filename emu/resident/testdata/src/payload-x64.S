/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the trampoline of a test goes on with: it writes the registers that it
 * finds, and memory, to the first serial port, and ends QEMU. It may lie
 * anywhere, writable. Offset 8 has the address of {address, size} pairs up to a
 * size of 0: memory to write, in which "found", at offset 0x100, can be.
 */

#define PORT 0x3f8
#define EXIT 0xf4

	.text
start:
	jmp	begin
	.balign 8
list:
	.quad 0

	.org 0x100
found:
	/* 0x00: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15 */
	.zero 0x80
	/* 0x80: rflags, cr0, cr3, cr4, efer, fs base, gs base */
	.zero 0x38
	/* 0xb8: cs, ds, es, fs, gs, ss, gdt limit, idt limit */
	.zero 0x10
	/* 0xc8: gdt base; 0xd0: rip */
	.zero 0x38
	/* 0x100: fxsave */
	.zero 0x200
scratch:
	.zero 0x10

begin:
	movq	%rax, found + 0x00(%rip)
	movq	%rcx, found + 0x08(%rip)
	movq	%rdx, found + 0x10(%rip)
	movq	%rbx, found + 0x18(%rip)
	movq	%rsp, found + 0x20(%rip)
	movq	%rbp, found + 0x28(%rip)
	movq	%rsi, found + 0x30(%rip)
	movq	%rdi, found + 0x38(%rip)
	movq	%r8, found + 0x40(%rip)
	movq	%r9, found + 0x48(%rip)
	movq	%r10, found + 0x50(%rip)
	movq	%r11, found + 0x58(%rip)
	movq	%r12, found + 0x60(%rip)
	movq	%r13, found + 0x68(%rip)
	movq	%r14, found + 0x70(%rip)
	movq	%r15, found + 0x78(%rip)
	pushfq
	popq	found + 0x80(%rip)
	fxsave64 found + 0x100(%rip)
	movq	%cr0, %rax
	movq	%rax, found + 0x88(%rip)
	movq	%cr3, %rax
	movq	%rax, found + 0x90(%rip)
	movq	%cr4, %rax
	movq	%rax, found + 0x98(%rip)
	movl	$0xc0000080, %ecx
	rdmsr
	movl	%eax, found + 0xa0(%rip)
	movl	%edx, found + 0xa4(%rip)
	movl	$0xc0000100, %ecx
	rdmsr
	movl	%eax, found + 0xa8(%rip)
	movl	%edx, found + 0xac(%rip)
	movl	$0xc0000101, %ecx
	rdmsr
	movl	%eax, found + 0xb0(%rip)
	movl	%edx, found + 0xb4(%rip)
	movw	%cs, found + 0xb8(%rip)
	movw	%ds, found + 0xba(%rip)
	movw	%es, found + 0xbc(%rip)
	movw	%fs, found + 0xbe(%rip)
	movw	%gs, found + 0xc0(%rip)
	movw	%ss, found + 0xc2(%rip)
	sgdt	scratch(%rip)
	movw	scratch(%rip), %ax
	movw	%ax, found + 0xc4(%rip)
	movq	scratch + 2(%rip), %rax
	movq	%rax, found + 0xc8(%rip)
	sidt	scratch(%rip)
	movw	scratch(%rip), %ax
	movw	%ax, found + 0xc6(%rip)
	leaq	start(%rip), %rax
	movq	%rax, found + 0xd0(%rip)

	cld
	movq	list(%rip), %rbx
1:	movq	(%rbx), %rsi
	movq	8(%rbx), %rcx
	testq	%rcx, %rcx
	jz	4f
	addq	$16, %rbx
2:	movl	$(PORT + 5), %edx
3:	inb	%dx, %al
	testb	$0x20, %al
	jz	3b
	movl	$PORT, %edx
	lodsb
	outb	%al, %dx
	loop	2b
	jmp	1b

4:	movl	$(PORT + 5), %edx
5:	inb	%dx, %al
	testb	$0x40, %al
	jz	5b
	movl	$EXIT, %edx
	movl	$0x2a, %eax
	outl	%eax, %dx
6:	hlt
	jmp	6b
