// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"math/rand/v2"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

func registerCases() []testCase {
	return []testCase{
		{
			name: "registers",
			rule: "every general register, the stack pointer too, goes into the guest and comes back with all its bits",
			code: code{
				amd64: []byte{
					0x48, 0xf7, 0xd0, // notq %rax
					0x48, 0xf7, 0xd1, // notq %rcx
					0x48, 0xf7, 0xd2, // notq %rdx
					0x48, 0xf7, 0xd3, // notq %rbx
					0x48, 0xf7, 0xd4, // notq %rsp
					0x48, 0xf7, 0xd5, // notq %rbp
					0x48, 0xf7, 0xd6, // notq %rsi
					0x48, 0xf7, 0xd7, // notq %rdi
					0x49, 0xf7, 0xd0, // notq %r8
					0x49, 0xf7, 0xd1, // notq %r9
					0x49, 0xf7, 0xd2, // notq %r10
					0x49, 0xf7, 0xd3, // notq %r11
					0x49, 0xf7, 0xd4, // notq %r12
					0x49, 0xf7, 0xd5, // notq %r13
					0x49, 0xf7, 0xd6, // notq %r14
					0x49, 0xf7, 0xd7, // notq %r15
				},
				arm64: []byte{
					0xe0, 0x03, 0x20, 0xaa, // mvn x0, x0
					0xe1, 0x03, 0x21, 0xaa, // mvn x1, x1
					0xe2, 0x03, 0x22, 0xaa, // mvn x2, x2
					0xe3, 0x03, 0x23, 0xaa, // mvn x3, x3
					0xe4, 0x03, 0x24, 0xaa, // mvn x4, x4
					0xe5, 0x03, 0x25, 0xaa, // mvn x5, x5
					0xe6, 0x03, 0x26, 0xaa, // mvn x6, x6
					0xe7, 0x03, 0x27, 0xaa, // mvn x7, x7
					0xe8, 0x03, 0x28, 0xaa, // mvn x8, x8
					0xe9, 0x03, 0x29, 0xaa, // mvn x9, x9
					0xea, 0x03, 0x2a, 0xaa, // mvn x10, x10
					0xeb, 0x03, 0x2b, 0xaa, // mvn x11, x11
					0xec, 0x03, 0x2c, 0xaa, // mvn x12, x12
					0xed, 0x03, 0x2d, 0xaa, // mvn x13, x13
					0xee, 0x03, 0x2e, 0xaa, // mvn x14, x14
					0xef, 0x03, 0x2f, 0xaa, // mvn x15, x15
					0xf0, 0x03, 0x30, 0xaa, // mvn x16, x16
					0xf1, 0x03, 0x31, 0xaa, // mvn x17, x17
					0xf2, 0x03, 0x32, 0xaa, // mvn x18, x18
					0xf3, 0x03, 0x33, 0xaa, // mvn x19, x19
					0xf4, 0x03, 0x34, 0xaa, // mvn x20, x20
					0xf5, 0x03, 0x35, 0xaa, // mvn x21, x21
					0xf6, 0x03, 0x36, 0xaa, // mvn x22, x22
					0xf7, 0x03, 0x37, 0xaa, // mvn x23, x23
					0xf8, 0x03, 0x38, 0xaa, // mvn x24, x24
					0xf9, 0x03, 0x39, 0xaa, // mvn x25, x25
					0xfa, 0x03, 0x3a, 0xaa, // mvn x26, x26
					0xfb, 0x03, 0x3b, 0xaa, // mvn x27, x27
					0xfc, 0x03, 0x3c, 0xaa, // mvn x28, x28
					0xfd, 0x03, 0x3d, 0xaa, // mvn x29, x29
					0xfe, 0x03, 0x3e, 0xaa, // mvn x30, x30
					0xff, 0x43, 0x00, 0x91, // add sp, sp, #16
				},
			},
			test: func(g *guest) {
				random := rand.New(rand.NewPCG(1, 2))
				fills := []func() uint64{
					random.Uint64,
					func() uint64 { return 0 },
					func() uint64 { return 1<<64 - 1 },
					func() uint64 { return 1 << 63 },
					func() uint64 { return 0xffffffff80000000 },
				}
				for _, fill := range fills {
					var in [32]uint64
					g.start()
					for i := range g.arch.NumGP() {
						in[i] = fill()
						if g.arch == cpu.ARM64 && i == cpu.SP {
							in[i] &^= 15
						}
						g.r.GP[i] = in[i]
					}
					g.finish()
					for i := range g.arch.NumGP() {
						want := ^in[i]
						if g.arch == cpu.ARM64 && i == cpu.SP {
							want = in[i] + 16
						}
						g.gp(i, want)
					}
				}
			},
		},
		{
			name: "flags in",
			rule: "the flags that user code can set go into the guest",
			code: code{
				amd64: []byte{
					0x9c, // pushfq
					0x58, // popq %rax
				},
				arm64: []byte{
					0x00, 0x42, 0x3b, 0xd5, // mrs x0, nzcv
				},
			},
			test: func(g *guest) {
				for _, flags := range userFlags(g.arch) {
					g.start()
					g.r.Flags |= flags
					g.finish()
					if got := g.r.GP[0] & flagMask(g.arch); got != flags {
						g.failf("the guest sees flags %#x, want %#x", got, flags)
					}
				}
			},
		},
		{
			name: "flags out",
			rule: "the flags come back from the guest",
			code: code{
				amd64: []byte{
					0x50, // pushq %rax
					0x9d, // popfq
				},
				arm64: []byte{
					0x00, 0x42, 0x1b, 0xd5, // msr nzcv, x0
				},
			},
			test: func(g *guest) {
				for _, flags := range userFlags(g.arch) {
					g.start()
					g.r.GP[0] = g.r.Flags | flags
					g.finish()
					if got := g.r.Flags & flagMask(g.arch); got != flags {
						g.failf("flags are %#x, want %#x", got, flags)
					}
				}
			},
		},
		{
			name: "base",
			rule: "Base[0] is what FS-relative accesses add, TPIDR_EL0; Base[1] the same for GS, TPIDRRO_EL0",
			code: code{
				amd64: []byte{
					0x64, 0x48, 0x8b, 0x04, 0x25, 0x10, 0x00, 0x00, 0x00, // movq %fs:0x10, %rax
					0x65, 0x48, 0x8b, 0x14, 0x25, 0x18, 0x00, 0x00, 0x00, // movq %gs:0x18, %rdx
				},
				arm64: []byte{
					0x40, 0xd0, 0x3b, 0xd5, // mrs x0, tpidr_el0
					0x00, 0x08, 0x40, 0xf9, // ldr x0, [x0, #0x10]
					0x62, 0xd0, 0x3b, 0xd5, // mrs x2, tpidrro_el0
					0x42, 0x0c, 0x40, 0xf9, // ldr x2, [x2, #0x18]
				},
			},
			test: func(g *guest) {
				g.setWord(dataAt+0x10, 11)
				g.setWord(dataAt+0x28, 22)
				g.setWord(highAt+0x118, 33)
				for range 2 { // unchanged the second time
					g.start()
					g.r.Base = [2]uint64{uint64(dataAt), uint64(dataAt + 0x10)}
					g.finish()
					g.gp(0, 11)
					g.gp(2, 22)
				}
				g.start()
				g.r.Base = [2]uint64{uint64(dataAt), uint64(highAt + 0x100)}
				g.finish()
				g.gp(0, 11)
				g.gp(2, 33)
				if want := [2]uint64{uint64(dataAt), uint64(highAt + 0x100)}; g.r.Base != want {
					g.failf("bases are %#x, want %#x", g.r.Base, want)
				}
			},
		},
		{
			name: "base out",
			rule: "a base that the guest changes comes back",
			code: code{
				arm64: []byte{
					0x40, 0xd0, 0x1b, 0xd5, // msr tpidr_el0, x0
				},
			},
			test: func(g *guest) {
				g.r.GP[0] = 0x123456789abcdef0
				g.finish()
				if g.r.Base[0] != 0x123456789abcdef0 {
					g.failf("bases are %#x", g.r.Base)
				}
			},
		},
		{
			name: "initial FP",
			rule: "the guest starts with the floating-point state of cpu.InitialFP, and FP reads it before the first Run",
			code: code{
				amd64: []byte{
					0xd9, 0x39, // fnstcw (%rcx)
					0x0f, 0xae, 0x59, 0x04, // stmxcsr 4(%rcx)
					0x0f, 0x11, 0x41, 0x10, // movups %xmm0, 0x10(%rcx)
					0x44, 0x0f, 0x11, 0x79, 0x20, // movups %xmm15, 0x20(%rcx)
				},
				arm64: []byte{
					0x00, 0x44, 0x3b, 0xd5, // mrs x0, fpcr
					0x20, 0x00, 0x00, 0xf9, // str x0, [x1]
					0x20, 0x04, 0x80, 0x3d, // str q0, [x1, #0x10]
					0x3f, 0x08, 0x80, 0x3d, // str q31, [x1, #0x20]
				},
			},
			test: func(g *guest) {
				g.sameFP(cpu.InitialFP(g.arch))
				for at := dataAt; at < dataAt+0x30; at += 8 {
					g.setWord(at, 0x5555555555555555)
				}
				g.r.GP[1] = uint64(dataAt)
				g.finish()
				control := uint64(0)
				if g.arch == cpu.AMD64 {
					control = 0x00001f80_5555_037f
				}
				g.word(dataAt, control)
				for at := dataAt + 0x10; at < dataAt+0x30; at += 8 {
					g.word(at, 0)
				}
				g.sameFP(cpu.InitialFP(g.arch))
			},
		},
		{
			name: "FP in and out",
			rule: "vector registers and control words go in with SetFP, come back with FP, and stay from one Run to the next",
			code: code{
				amd64: []byte{
					0x0f, 0x28, 0xc8, // movaps %xmm0, %xmm1
					0x44, 0x0f, 0x11, 0x39, // movups %xmm15, (%rcx)
					0x44, 0x0f, 0x10, 0x71, 0x10, // movups 0x10(%rcx), %xmm14
				},
				arm64: []byte{
					0x01, 0x1c, 0xa0, 0x4e, // mov v1.16b, v0.16b
					0x3f, 0x00, 0x80, 0x3d, // str q31, [x1]
					0x3e, 0x04, 0xc0, 0x3d, // ldr q30, [x1, #0x10]
				},
			},
			test: func(g *guest) {
				random := rand.New(rand.NewPCG(3, 4))
				in := cpu.InitialFP(g.arch)
				last := 15
				if g.arch == cpu.ARM64 {
					last = 31
					in.Ctrl = 0x00c00000 // round towards zero
					in.Status = 0x08000000
				} else {
					in.Ctrl = 0x7f80 // round towards zero
					in.X87 = 0x27f   // double precision
				}
				for i := range last + 1 {
					for j := range in.V[i] {
						in.V[i][j] = byte(random.Uint32())
					}
				}
				if err := g.engine.SetFP(&in); err != nil {
					g.failf("SetFP: %v", err)
				}
				g.sameFP(in)
				g.setWord(dataAt+0x10, 0x1111111122222222)
				g.setWord(dataAt+0x18, 0x3333333344444444)
				for range 2 {
					g.start()
					g.r.GP[1] = uint64(dataAt)
					g.finish()
				}
				stored, err := g.mem.Read(dataAt, 16)
				if err != nil {
					g.Fatal(err)
				}
				if [16]byte(stored) != in.V[last] {
					g.failf("vector register %d in the guest: % x, want % x", last, stored, in.V[last])
				}
				in.V[1] = in.V[0]
				copy(in.V[last-1][:], "\x22\x22\x22\x22\x11\x11\x11\x11\x44\x44\x44\x44\x33\x33\x33\x33")
				g.sameFP(in)
			},
		},
		{
			name: "cpuid",
			rule: "cpuid and the time stamp counter work as in any user program",
			code: code{
				amd64: []byte{
					0x0f, 0x31, // rdtsc
					0x48, 0xc1, 0xe2, 0x20, // shlq $32, %rdx
					0x48, 0x09, 0xd0, // orq %rdx, %rax
					0x48, 0x89, 0xc6, // movq %rax, %rsi
					0x0f, 0x31, // rdtsc
					0x48, 0xc1, 0xe2, 0x20, // shlq $32, %rdx
					0x48, 0x09, 0xd0, // orq %rdx, %rax
					0x48, 0x89, 0xc7, // movq %rax, %rdi
					0x31, 0xc0, // xorl %eax, %eax
					0x31, 0xc9, // xorl %ecx, %ecx
					0x0f, 0xa2, // cpuid
				},
			},
			test: func(g *guest) {
				g.finish()
				if g.r.GP[cpu.RAX] == 0 || g.r.GP[cpu.RBX] == 0 {
					g.failf("cpuid leaf 0 is %#x", g.r.GP[:4])
				}
				if g.r.GP[cpu.RDI] <= g.r.GP[cpu.RSI] {
					g.failf("the time stamp counter went from %d to %d", g.r.GP[cpu.RSI], g.r.GP[cpu.RDI])
				}
			},
		},
	}
}

// userFlags are the flags that any code may set: carry, parity, auxiliary,
// zero, sign, direction, overflow; negative, zero, carry, overflow.
func userFlags(arch cpu.Arch) []uint64 {
	if arch == cpu.ARM64 {
		return []uint64{0, 1 << 31, 1 << 30, 1 << 29, 1 << 28, 0xf << 28}
	}
	return []uint64{0, 1 << 0, 1 << 2, 1 << 4, 1 << 6, 1 << 7, 1 << 10, 1 << 11, 0xcd5}
}

func flagMask(arch cpu.Arch) uint64 {
	flags := userFlags(arch)
	return flags[len(flags)-1]
}

// sameFP checks the engine's floating-point state.
func (g *guest) sameFP(want cpu.FPState) {
	g.Helper()
	var got cpu.FPState
	if err := g.engine.FP(&got); err != nil {
		g.failf("FP: %v", err)
	}
	if got != want {
		g.failf("floating-point state\ngot  %x\nwant %x", got, want)
	}
}
