// SPDX-License-Identifier: BSD-3-Clause

package x86

import "github.com/uefiexec/uefiexec/emu/cpu"

// regs4 are what cpuid returns in eax, ebx, ecx and edx.
type regs4 [4]uint32

// leaves are the leaves of CPUID (SDM volume 2, CPUID): a processor of its own
// with the features that the interpreter has.
var leaves = map[uint32]regs4{
	0: {0x16, 0x756e6547, 0x6c65746e, 0x49656e69}, // GenuineIntel
	1: {
		0x000106a5, 0x00010800,
		// SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, a hypervisor
		1<<0 | 1<<9 | 1<<13 | 1<<19 | 1<<20 | 1<<22 | 1<<23 | 1<<31,
		// FPU, DE, PSE, TSC, MSR, PAE, CX8, MTRR, PGE, CMOV, PAT, CLFLUSH, MMX, FXSR, SSE, SSE2
		1<<0 | 1<<2 | 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<8 | 1<<12 | 1<<13 | 1<<15 | 1<<16 | 1<<19 | 1<<23 | 1<<24 | 1<<25 | 1<<26,
	},
	2: {0x00000001},
	4: {}, 5: {}, 6: {},
	// FSGSBASE, BMI1, the x87's data pointer only of what has failed, BMI2, ERMS, no
	// x87 selectors, ADX, CLFLUSHOPT, CLWB; RDPID; FSRM
	7:    {0, 1<<0 | 1<<3 | 1<<6 | 1<<8 | 1<<9 | 1<<13 | 1<<19 | 1<<23 | 1<<24, 1 << 22, 1 << 4},
	0x15: {1, 1, 1_000_000_000},
	0x16: {1000, 1000, 100},

	0x40000000: {0x40000000, 0x66657565, 0x63657869, 0x20202020}, // uefiexec

	0x80000000: {0x80000008},
	// LAHF, LZCNT, PREFETCHW; SYSCALL, NX, 1 GiB pages, RDTSCP, long mode
	0x80000001: {0, 0, 1<<0 | 1<<5 | 1<<8, 1<<11 | 1<<20 | 1<<26 | 1<<27 | 1<<29},
	0x80000002: text4("uefiexec interpr"),
	0x80000003: text4("eter x86-64     "),
	0x80000004: text4("                "),
	0x80000007: {0, 0, 0, 1 << 8}, // the time stamp counter is invariant
	0x80000008: {0x3030},          // 48 bits of physical and linear address
}

func text4(s string) (r regs4) {
	for i := range r {
		r[i] = le.Uint32([]byte(s[4*i : 4*i+4]))
	}
	return r
}

func cpuid(c *core, _ *inst) bool {
	leaf, sub := uint32(c.r[cpu.RAX]), uint32(c.r[cpu.RCX])
	r := leaves[leaf]
	switch {
	case leaf == 7 && sub != 0:
		r = regs4{}
	case c.random == nil:
	case leaf == 1:
		r[2] |= 1 << 30 // RDRAND
	case leaf == 7:
		r[1] |= 1 << 18 // RDSEED
	}
	c.r[cpu.RAX], c.r[cpu.RBX] = uint64(r[0]), uint64(r[1])
	c.r[cpu.RCX], c.r[cpu.RDX] = uint64(r[2]), uint64(r[3])
	return true
}
