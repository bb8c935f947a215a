// SPDX-License-Identifier: BSD-3-Clause

// Package x86 is the engine that interprets x86-64 guests in pure Go, on any
// host.
//
// It owns the instruction set: the decoder, what instructions do in 64-bit mode
// at privilege level 3, the processor that CPUID shows, and a cache of decoded
// blocks. It knows nothing of UEFI, of what privileged instructions are answered
// with, or of the host's processor. References of the form SDM are to Intel's
// Software Developer's Manual.
//
// The processor is a fixed one, an x86-64 with MMX, SSE to SSE4.2, POPCNT, LZCNT,
// MOVBE, CMPXCHG16B, ADX, BMI1, BMI2, FSGSBASE, RDPID and, if it is given random
// numbers, RDRAND and RDSEED. It has no AVX, XSAVE, AES, PCLMULQDQ or SHA, and of the
// x87 all but the transcendental functions (FSIN, FCOS, FSINCOS, FPTAN, FPATAN,
// F2XM1, FYL2X, FYL2XP1). What it does not have is not shown by CPUID but for those, and
// is an illegal instruction. Its time stamp counter counts instructions. What it
// does depends on nothing but registers, memory and those random numbers, so a
// guest runs the same each time and everywhere.
//
// A repeated string instruction counts as one instruction. Code may change at
// any time, the next instruction too: no serialising instruction is needed.
// Alignment is not checked but where SSE does (a Protection fault).
package x86
