/* SPDX-License-Identifier: BSD-3-Clause */

/* The tests of jump that are x86-64's. */

static u64 t_data(void)
{
	u8 *p = pages(1);
	p[0] = 0xb8; /* mov $42, %eax; ret */
	p[1] = 42;
	p[2] = p[3] = p[4] = 0;
	p[5] = 0xc3;
	return jump_to((u64)p);
}

/* A number of a system call in rax must come back as it was. */
static u64 unchanged(u64 got, u64 want)
{
	if (got != want)
		leaked = "a system call was answered";
	return got;
}

static u64 t_syscall(void)
{
	u64 a = 39; /* getpid */
	__asm__ volatile("syscall" : "+a"(a) : : "rcx", "r11", "memory");
	return unchanged(a, 39);
}

static u64 t_sysenter(void)
{
	u64 a = 20; /* getpid, 32-bit */
	__asm__ volatile("mov %%rsp, %%rbp; sysenter" : "+a"(a) : : "rbx", "rcx", "rdx", "rbp", "memory");
	return unchanged(a, 20);
}

static u64 t_int80(void)
{
	u64 a = 20;
	__asm__ volatile("int $0x80" : "+a"(a) : : "r8", "r9", "r10", "r11", "memory");
	return unchanged(a, 20);
}

/* The three entries of Linux's vsyscall page; the first is gettimeofday. */
static u64 vsyscall(u64 entry)
{
	static volatile u64 tv[8];
	u64 a = ~0ULL;
	__asm__ volatile("call *%1"
			 : "+a"(a)
			 : "r"(entry), "D"(tv), "S"(NULL)
			 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
	if (tv[0] || a != ~0ULL)
		leaked = "the vsyscall page has answered";
	return a;
}

static u64 t_vsyscall(void)
{
	return vsyscall(0xffffffffff600000);
}

static u64 t_vsyscall_time(void)
{
	return vsyscall(0xffffffffff600400);
}

static u64 t_vsyscall_getcpu(void)
{
	return vsyscall(0xffffffffff600800);
}

/* One instruction that gives back rax. */
#define ONE(name, code)                                                                       \
	static u64 t_##name(void)                                                             \
	{                                                                                     \
		u64 a = 0;                                                                    \
		__asm__ volatile(code : "+a"(a) : : "rbx", "rcx", "rdx", "memory", "cc");      \
		return a;                                                                     \
	}

ONE(ud2, "ud2")
ONE(hlt, "hlt")
ONE(cli, "cli")
ONE(sti, "sti")
ONE(in, "mov $0x3fd, %%edx; inb %%dx, %%al")
ONE(inl, "mov $0xcfc, %%edx; inl %%dx, %%eax")
ONE(out, "mov $0x80, %%edx; mov $0x5a, %%al; outb %%al, %%dx")
ONE(outreset, "mov $0xcf9, %%edx; mov $6, %%al; outb %%al, %%dx")
ONE(ins, "push %%rdi; mov $0x60, %%edx; mov %%rsp, %%rdi; sub $64, %%rdi; mov $4, %%ecx; rep insb; pop %%rdi")
ONE(rdmsr, "mov $0xc0010131, %%ecx; rdmsr")
ONE(rdmsrefer, "mov $0xc0000080, %%ecx; rdmsr")
ONE(wrmsr, "mov $0xc0000080, %%ecx; xor %%edx, %%edx; wrmsr")
ONE(rdpmc, "xor %%ecx, %%ecx; rdpmc")
ONE(rdtsc, "rdtsc")
ONE(rdtscp, "rdtscp")
ONE(cpuid, "mov $1, %%eax; cpuid")
ONE(movcr0, "mov %%cr0, %%rax")
ONE(movcr3, "mov %%cr3, %%rax")
ONE(movcr4, "mov %%cr4, %%rax")
ONE(movcr0write, "mov %%rax, %%cr0")
ONE(movcr3write, "mov %%rax, %%cr3")
ONE(movdr7, "mov %%dr7, %%rax")
ONE(smsw, "smsw %%rax")
ONE(lgdt, "push %%rax; push %%rax; lgdt (%%rsp); pop %%rax; pop %%rax")
ONE(lidt, "push %%rax; push %%rax; lidt (%%rsp); pop %%rax; pop %%rax")
ONE(sgdt, "push %%rax; push %%rax; sgdt (%%rsp); pop %%rax; pop %%rbx")
ONE(ltr, "ltr %%ax")
ONE(invlpg, "invlpg (%%rsp)")
ONE(wbinvd, "wbinvd")
ONE(swapgs, "swapgs")
ONE(wrfsbase, "mov $1, %%rax; shl $47, %%rax; wrfsbase %%rax")
ONE(xsetbv, "xor %%ecx, %%ecx; xor %%edx, %%edx; mov $1, %%eax; xsetbv")
ONE(vmcall, "vmcall")
ONE(int3, "int3")
ONE(icebp, ".byte 0xf1")
ONE(int2, "int $2")
ONE(iretq, "iretq")
ONE(segment, "mov $0x10, %%eax; mov %%eax, %%ds")
ONE(segmentnull, "xor %%eax, %%eax; mov %%eax, %%ds; mov %%eax, %%es; mov %%ss, %%eax")
ONE(lretq, "push $0x33; lea 1f(%%rip), %%rax; push %%rax; lretq; 1: mov %%cs, %%eax")
ONE(lretq32, "push $0x23; lea 1f(%%rip), %%rax; push %%rax; lretq; 1: nop")
ONE(div0, "xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx")
ONE(divoverflow, "mov $-1, %%edx; mov $1, %%ecx; div %%ecx")
ONE(pushf, "pushfq; pop %%rax")
ONE(trapflag, "pushfq; orq $0x100, (%%rsp); popfq; nop; nop")
ONE(aligncheck, "pushfq; orq $0x40000, (%%rsp); popfq; mov -5(%%rsp), %%rax; pushfq; andq $~0x40000, (%%rsp); popfq")
ONE(iopl, "pushfq; orq $0x3000, (%%rsp); popfq; pushfq; pop %%rax")
ONE(readnoncanonical, "mov $1, %%rax; shl $48, %%rax; mov (%%rax), %%rax")
ONE(longinstruction, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90")
ONE(lockud, ".byte 0xf0; nop")
ONE(x87, "fninit; fld1; fldz; fdivrp; fstsw %%ax; fninit")
ONE(x87trap, "fninit; push $0; fldcw (%%rsp); fld1; fldz; fdivrp; fwait; pop %%rax")
ONE(ssetrap, "sub $8, %%rsp; movl $0, (%%rsp); ldmxcsr (%%rsp); xorps %%xmm0, %%xmm0; divps %%xmm0, %%xmm0; "
	     "movl $0x1f80, (%%rsp); ldmxcsr (%%rsp); add $8, %%rsp")

/* A service with a stack pointer that is none: call pushes, jmp does not. */
#define STACK(name, address, enter)                                                           \
	static u64 t_##name(void)                                                             \
	{                                                                                     \
		u64 a = service();                                                            \
		__asm__ volatile("mov %%rsp, %%rbx; mov %1, %%rsp; " enter "; mov %%rbx, %%rsp" \
				 : "+a"(a)                                                    \
				 : "r"((u64)(address))                                        \
				 : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");  \
		return a;                                                                     \
	}

STACK(stackcall, 0x10, "call *%%rax")
STACK(stacknull, 0, "jmp *%%rax")
STACK(stacknowhere, 0x00007f0123456008, "jmp *%%rax")
STACK(stacknoncanonical, 0x8000000000001008, "jmp *%%rax")
STACK(stacktop, ~0ULL - 3, "jmp *%%rax")
STACK(stackgate, a & ~15ULL, "jmp *%%rax")

/* A service called with the direction flag set: it must still work. */
static u64 t_direction(void)
{
	static u64 n;
	u64 a = service();
	__asm__ volatile("sub $40, %%rsp; std; call *%%rax; cld; add $40, %%rsp"
			 : "+a"(a)
			 : "c"(&n)
			 : "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
	return a;
}

/* A service called with the trap flag set. */
static u64 t_trapservice(void)
{
	static u64 n;
	u64 a = service();
	__asm__ volatile("sub $40, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; call *%%rax; add $40, %%rsp"
			 : "+a"(a)
			 : "c"(&n)
			 : "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
	return a;
}

#define T(name) {#name, t_##name},
#define ARCH_TESTS                                                                            \
	T(syscall) T(sysenter) T(int80) T(vsyscall) T(vsyscall_time) T(vsyscall_getcpu)       \
	T(ud2) T(hlt) T(cli) T(sti) T(in) T(inl) T(out) T(outreset) T(ins)                    \
	T(rdmsr) T(rdmsrefer) T(wrmsr) T(rdpmc) T(rdtsc) T(rdtscp) T(cpuid)                   \
	T(movcr0) T(movcr3) T(movcr4) T(movcr0write) T(movcr3write) T(movdr7) T(smsw)         \
	T(lgdt) T(lidt) T(sgdt) T(ltr) T(invlpg) T(wbinvd) T(swapgs) T(wrfsbase) T(xsetbv)    \
	T(vmcall) T(int3) T(icebp) T(int2) T(iretq) T(segment) T(segmentnull) T(lretq)        \
	T(lretq32) T(div0) T(divoverflow) T(pushf) T(trapflag) T(aligncheck) T(iopl)          \
	T(readnoncanonical) T(longinstruction) T(lockud) T(x87) T(x87trap) T(ssetrap)         \
	T(stackcall) T(stacknull) T(stacknowhere) T(stacknoncanonical) T(stacktop)            \
	T(stackgate) T(direction) T(trapservice)
