/* SPDX-License-Identifier: BSD-3-Clause */

/* The tests of jump that are AArch64's. */

static u64 t_data(void)
{
	u32 *p = pages(1);
	p[0] = 0x52800540; /* mov w0, #42 */
	p[1] = 0xd65f03c0; /* ret */
	__asm__ volatile("dc cvau, %0; dsb ish; ic ivau, %0; dsb ish; isb" : : "r"(p) : "memory");
	return jump_to((u64)p);
}

static u64 t_svc(void)
{
	register u64 x0 __asm__("x0") = 0x1234;
	register u64 x8 __asm__("x8") = 172; /* getpid */
	__asm__ volatile("svc #0" : "+r"(x0), "+r"(x8) : : "memory");
	if (x0 != 0x1234)
		leaked = "a system call was answered";
	return x0;
}

/* One instruction that gives back x0. */
#define ONE(name, code)                                                                       \
	static u64 t_##name(void)                                                             \
	{                                                                                     \
		register u64 x0 __asm__("x0") = 0;                                            \
		__asm__ volatile(code : "+r"(x0) : : "x1", "x2", "x3", "x30", "memory", "cc"); \
		return x0;                                                                    \
	}

ONE(hvc, "hvc #0")
ONE(smc, "smc #0")
ONE(brk, "brk #0")
ONE(brk1, "brk #0x1234")
ONE(hlt, "hlt #0")
ONE(udf, ".inst 0")
ONE(wfi, "wfi")
ONE(wfe, "sevl; wfe")
ONE(eret, "eret")
ONE(drps, ".inst 0xd6bf03e0")
ONE(ic, "ic ialluis; dsb ish; isb")
ONE(dczva, "sub x1, sp, #4096; dc zva, x1")
ONE(dccsw, "dc csw, x0")
ONE(tlbi, "tlbi vmalle1")
ONE(at, "at s1e1r, x0")
ONE(daifset, "msr daifset, #15")
ONE(daif, "mrs x0, daif")
ONE(mrs, "mrs x0, CurrentEL")
ONE(clidr, "mrs x0, clidr_el1")
ONE(ctr, "mrs x0, ctr_el0")
ONE(midr, "mrs x0, midr_el1")
ONE(isar0, "mrs x0, id_aa64isar0_el1")
ONE(sctlr, "mrs x0, sctlr_el1")
ONE(sctlrwrite, "msr sctlr_el1, x0")
ONE(ttbr0write, "msr ttbr0_el1, x0")
ONE(vbarwrite, "msr vbar_el1, x0")
ONE(hcr, "mrs x0, hcr_el2")
ONE(cntvct, "mrs x0, cntvct_el0")
ONE(cntfrq, "mrs x0, cntfrq_el0")
ONE(cntpct, "mrs x0, cntpct_el0")
ONE(pmccntr, "mrs x0, pmccntr_el0")
ONE(tpidrwrite, "mov x0, #1; msr tpidr_el0, x0; mrs x0, tpidr_el0")
ONE(div0, "mov x0, #7; mov x1, #0; udiv x0, x0, x1")
ONE(unalignedatomic, "sub x1, sp, #256; add x1, x1, #3; ldaxr x0, [x1]; clrex")
ONE(unalignedpc, "adr x1, 1f + 2; br x1; 1: nop; nop")
ONE(unalignedsp, "mov x2, sp; sub x1, x2, #24; mov sp, x1; ldr x0, [sp]; mov sp, x2")
ONE(ldxr, "sub x1, sp, #256; 1: ldxr x0, [x1]; mov x0, #5; stxr w3, x0, [x1]; cbnz w3, 1b")

/* A service with a stack pointer or a return address that is none. */
#define CALL(name, code)                                                                      \
	static u64 t_##name(void)                                                             \
	{                                                                                     \
		register u64 x0 __asm__("x0") = 0;                                            \
		register u64 x9 __asm__("x9") = service();                                    \
		__asm__ volatile("mov x19, sp; " code "; mov sp, x19"                         \
				 : "+r"(x0), "+r"(x9)                                         \
				 :                                                            \
				 : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x10", "x11", "x12", "x13", \
				   "x14", "x15", "x16", "x17", "x19", "x30", "memory", "cc"); \
		return x0;                                                                    \
	}

CALL(stacknull, "mov x1, #0; mov sp, x1; blr x9")
CALL(stacknowhere, "mov x1, #0x7f0000000000; mov sp, x1; blr x9")
CALL(stackodd, "sub x1, x19, #8; mov sp, x1; blr x9")
CALL(returnnull, "mov x30, #0; br x9")
CALL(returnnowhere, "mov x30, #0x7f0000000000; br x9")
CALL(returngate, "mov x30, x9; br x9")
CALL(returnodd, "adr x30, 1f + 2; br x9; 1: nop; nop")

#define T(name) {#name, t_##name},
#define ARCH_TESTS                                                                            \
	T(svc) T(hvc) T(smc) T(brk) T(brk1) T(hlt) T(udf) T(wfi) T(wfe) T(eret) T(drps)       \
	T(ic) T(dczva) T(dccsw) T(tlbi) T(at) T(daifset) T(daif) T(mrs) T(clidr) T(ctr)       \
	T(midr) T(isar0) T(sctlr) T(sctlrwrite) T(ttbr0write) T(vbarwrite) T(hcr)             \
	T(cntvct) T(cntfrq) T(cntpct) T(pmccntr) T(tpidrwrite) T(div0) T(unalignedatomic)     \
	T(unalignedpc) T(unalignedsp) T(ldxr) T(stacknull) T(stacknowhere) T(stackodd)        \
	T(returnnull) T(returnnowhere) T(returngate) T(returnodd)
