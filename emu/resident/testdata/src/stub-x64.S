/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A kernel for QEMU's multiboot loader that enters the code at "entry" as kexec
 * does: 64-bit, memory up to 4 GiB where it is; CR4 with PAE and, if asked for
 * and there, LA57; interrupts off; GDT without an entry; all registers zero. What
 * kexec leaves as it was, or does not promise, is left in a way that does harm:
 * CR0 has EM and TS, FS and GS have a base, DF is set, there is an IDT.
 *
 * It is loaded at 0x100000, with all that belongs to the test behind it. Offset
 * 0x40 has the address to enter, 0x48 whether LA57 is asked for.
 */

#define LOADED_AT 0x100000
#define TABLES 0x110000

	.code32
	.text
start:
	.long 0x1badb002, 0x00010000, -(0x1badb002 + 0x00010000)
	.long LOADED_AT, LOADED_AT, 0, 0, LOADED_AT + (begin - start)

	.balign 64
entry:
	.quad 0
la57:
	.quad 0

begin:
	cld
	movl	$TABLES, %edi
	xorl	%eax, %eax
	movl	$(7 * 4096 / 4), %ecx
	rep stosl
	/* Levels 5, 4, 3 and four of level 2. */
	movl	$(TABLES + 0x1000 + 3), TABLES
	movl	$(TABLES + 0x2000 + 3), TABLES + 0x1000
	movl	$(TABLES + 0x3000 + 3), TABLES + 0x2000
	movl	$(TABLES + 0x4000 + 3), TABLES + 0x2008
	movl	$(TABLES + 0x5000 + 3), TABLES + 0x2010
	movl	$(TABLES + 0x6000 + 3), TABLES + 0x2018
	movl	$(TABLES + 0x3000), %edi
	movl	$0x83, %eax
1:	movl	%eax, (%edi)
	addl	$8, %edi
	addl	$0x200000, %eax
	jnc	1b

	movl	$0x20, %esi
	movl	$(TABLES + 0x1000), %edi
	cmpl	$0, LOADED_AT + (la57 - start)
	je	2f
	movl	$7, %eax
	xorl	%ecx, %ecx
	cpuid
	btl	$16, %ecx
	jnc	2f
	orl	$0x1000, %esi
	movl	$TABLES, %edi
2:	movl	%esi, %cr4
	movl	%edi, %cr3
	movl	$0xc0000080, %ecx
	rdmsr
	orl	$0x900, %eax
	wrmsr
	movl	$0x8000003d, %eax
	movl	%eax, %cr0
	lgdt	LOADED_AT + (gdtr - start)
	ljmpl	$0x10, $(LOADED_AT + (long - start))

	.code64
long:
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%eax, %fs
	movl	%eax, %gs
	movl	$0x66666666, %eax
	xorl	%edx, %edx
	movl	$0xc0000100, %ecx
	wrmsr
	movl	$0xc0000101, %ecx
	wrmsr
	lgdt	nothing(%rip)
	lidt	idtr(%rip)
	std
	xorl	%eax, %eax
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%ebx, %ebx
	xorl	%esp, %esp
	xorl	%ebp, %ebp
	xorl	%esi, %esi
	xorl	%edi, %edi
	jmpq	*entry(%rip)

	.balign 8
gdt:
	.quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:
	.word gdtr - gdt - 1
	.long LOADED_AT + (gdt - start)
idtr:
	.word 0x0fff
	.quad 0x100000
nothing:
	.word 0
	.quad 0
