// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

func memoryCases() []testCase {
	return []testCase{
		{
			name: "memory/both ways",
			rule: "what the host writes the guest reads, and the other way round, at once, below and above 4 GiB",
			code: code{
				amd64: []byte{
					0x48, 0x8b, 0x01, // movq (%rcx), %rax
					0x48, 0xff, 0xc0, // incq %rax
					0x48, 0x89, 0x41, 0x08, // movq %rax, 8(%rcx)
				},
				arm64: []byte{
					0x20, 0x00, 0x40, 0xf9, // ldr x0, [x1]
					0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
					0x20, 0x04, 0x00, 0xf9, // str x0, [x1, #8]
				},
			},
			test: func(g *guest) {
				for i, a := range []efi.Addr{dataAt, ramEnd - 16, highAt, highEnd - 16, dataAt} {
					g.setWord(a, uint64(1000*i))
					g.start()
					g.r.GP[1] = uint64(a)
					g.finish()
					g.gp(0, uint64(1000*i+1))
					g.word(a+8, uint64(1000*i+1))
				}
			},
		},
		{
			name: "memory/code by host",
			rule: "code that the host replaces after it has run is what runs next",
			code: code{
				amd64: []byte{
					0xb8, 0x01, 0x00, 0x00, 0x00, // movl $1, %eax
				},
				arm64: []byte{
					0x20, 0x00, 0x80, 0xd2, // mov x0, #1
				},
			},
			test: func(g *guest) {
				two := code{
					amd64: []byte{
						0xb8, 0x02, 0x00, 0x00, 0x00, // movl $2, %eax
					},
					arm64: []byte{
						0x40, 0x00, 0x80, 0xd2, // mov x0, #2
					},
				}
				one := code{
					amd64: []byte{
						0xb8, 0x01, 0x00, 0x00, 0x00, // movl $1, %eax
					},
					arm64: []byte{
						0x20, 0x00, 0x80, 0xd2, // mov x0, #1
					},
				}
				for range 10 {
					g.start()
					g.finish()
					g.gp(0, 1)
					g.write(codeAt, two.of(g.arch))
					g.start()
					g.finish()
					g.gp(0, 2)
					g.write(codeAt, one.of(g.arch))
				}
			},
		},
		{
			name: "memory/self-modifying code",
			rule: "code that the guest replaces, with the cache maintenance that its architecture asks for, is what runs next",
			code: code{
				amd64: []byte{
					0x31, 0xc0, // xorl %eax, %eax
					0xba, 0x0a, 0x00, 0x00, 0x00, // movl $10, %edx
					0x88, 0x15, 0x01, 0x00, 0x00, 0x00, // again: movb %dl, 1f-4(%rip)
					0x05, 0x55, 0x55, 0x55, 0x55, // addl $0x55555555, %eax
					0xff, 0xca, // 1: decl %edx
					0x75, 0xf1, // jnz again
				},
				arm64: []byte{
					0x00, 0x00, 0x80, 0xd2, // mov x0, #0
					0x42, 0x01, 0x80, 0xd2, // mov x2, #10
					0x21, 0x01, 0x00, 0x10, // adr x1, target
					0x03, 0x20, 0xb2, 0x52, // movz w3, #0x9100, lsl #16
					0x64, 0x28, 0x02, 0x2a, // again: orr w4, w3, w2, lsl #10
					0x24, 0x00, 0x00, 0xb9, // str w4, [x1]
					0x21, 0x7b, 0x0b, 0xd5, // dc cvau, x1
					0x9f, 0x3b, 0x03, 0xd5, // dsb ish
					0x21, 0x75, 0x0b, 0xd5, // ic ivau, x1
					0x9f, 0x3b, 0x03, 0xd5, // dsb ish
					0xdf, 0x3f, 0x03, 0xd5, // isb
					0x00, 0x00, 0x00, 0x91, // target: add x0, x0, #0
					0x42, 0x04, 0x00, 0xf1, // subs x2, x2, #1
					0xe1, 0xfe, 0xff, 0x54, // b.ne again
				},
			},
			test: func(g *guest) {
				g.finish()
				if g.arch == cpu.AMD64 {
					// 10 + 9 + … + 1 in the low byte, ten times 0x555555 above it
					g.gp(0, (55+10*0x55555500)&0xffffffff)
					return
				}
				g.gp(0, 55)
			},
		},
		{
			name: "memory/generated code",
			rule: "code that the guest writes into a page that has never run is what runs there, also once it has been replaced",
			code: code{
				amd64: []byte{
					0xc7, 0x01, 0x48, 0xff, 0xc0, 0xc3, // movl $0xc3c0ff48, (%rcx)
					0x31, 0xc0, // xorl %eax, %eax
					0xff, 0xd1, // callq *%rcx
					0xff, 0xd1, // callq *%rcx
					0xc7, 0x01, 0x48, 0xff, 0xc8, 0xc3, // movl $0xc3c8ff48, (%rcx)
					0xff, 0xd1, // callq *%rcx
				},
				arm64: []byte{
					0xf3, 0x03, 0x1e, 0xaa, // mov x19, x30
					0x02, 0x80, 0x80, 0x52, // mov w2, #0x0400
					0x02, 0x20, 0xb2, 0x72, // movk w2, #0x9100, lsl #16
					0x03, 0x78, 0x80, 0x52, // mov w3, #0x03c0
					0xe3, 0xcb, 0xba, 0x72, // movk w3, #0xd65f, lsl #16
					0x22, 0x0c, 0x00, 0x29, // stp w2, w3, [x1]
					0x21, 0x7b, 0x0b, 0xd5, // dc cvau, x1
					0x9f, 0x3b, 0x03, 0xd5, // dsb ish
					0x21, 0x75, 0x0b, 0xd5, // ic ivau, x1
					0x9f, 0x3b, 0x03, 0xd5, // dsb ish
					0xdf, 0x3f, 0x03, 0xd5, // isb
					0x00, 0x00, 0x80, 0xd2, // mov x0, #0
					0x20, 0x00, 0x3f, 0xd6, // blr x1
					0x20, 0x00, 0x3f, 0xd6, // blr x1
					0x02, 0x80, 0x80, 0x52, // mov w2, #0x0400
					0x02, 0x20, 0xba, 0x72, // movk w2, #0xd100, lsl #16
					0x22, 0x00, 0x00, 0xb9, // str w2, [x1]
					0x21, 0x7b, 0x0b, 0xd5, // dc cvau, x1
					0x9f, 0x3b, 0x03, 0xd5, // dsb ish
					0x21, 0x75, 0x0b, 0xd5, // ic ivau, x1
					0x9f, 0x3b, 0x03, 0xd5, // dsb ish
					0xdf, 0x3f, 0x03, 0xd5, // isb
					0x20, 0x00, 0x3f, 0xd6, // blr x1
					0xfe, 0x03, 0x13, 0xaa, // mov x30, x19
				},
			},
			test: func(g *guest) {
				for _, a := range []efi.Addr{dataAt, highAt} {
					g.start()
					g.r.GP[1] = uint64(a)
					g.finish()
					g.gp(0, 1)
				}
			},
		},
		{
			name: "memory/touched",
			rule: "only pages that someone has written are Touched: an engine adds none of its own, and does not read ahead",
			code: code{
				amd64: []byte{
					0x48, 0x89, 0x01, // movq %rax, (%rcx)
					0x48, 0x89, 0x02, // movq %rax, (%rdx)
					0x48, 0x89, 0x03, // movq %rax, (%rbx)
				},
				arm64: []byte{
					0x20, 0x00, 0x00, 0xf9, // str x0, [x1]
					0x40, 0x00, 0x00, 0xf9, // str x0, [x2]
					0x60, 0x00, 0x00, 0xf9, // str x0, [x3]
				},
			},
			test: func(g *guest) {
				pages := []efi.Addr{highAt, highAt + 0x55000, highEnd - efi.PageSize}
				before := g.touched(efi.Range{Start: ramAt, End: ramEnd})
				if n := len(g.touched(efi.Range{Start: highAt, End: highEnd})); n != 0 {
					g.failf("%d pages were touched before the guest ran", n)
				}
				g.r.GP[0] = 1 // elsewhere than on Linux zeros do not count
				for i, page := range pages {
					g.r.GP[1+i] = uint64(page) + 8*uint64(i)
				}
				g.finish()
				if got := g.touched(efi.Range{Start: highAt, End: highEnd}); !slices.Equal(got, pages) {
					g.failf("touched pages %v, want %v", got, pages)
				}
				if got := g.touched(efi.Range{Start: ramAt, End: ramEnd}); !slices.Equal(got, before) {
					g.failf("touched pages %v, want %v", got, before)
				}
			},
		},
	}
}

// touched lists the pages of r that hold data.
func (g *guest) touched(r efi.Range) []efi.Addr {
	var pages []efi.Addr
	for part := range g.mem.Touched(r) {
		for a := part.Start; a < part.End; a += efi.PageSize {
			pages = append(pages, a)
		}
	}
	return pages
}
