// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

func lifeCases() []testCase {
	return []testCase{
		{
			name: "life/close",
			rule: "Close may be called twice; afterwards Run and FP are errors, and the memory is as the guest left it and can be used",
			code: store,
			test: func(g *guest) {
				g.r.GP[0], g.r.GP[1] = 77, uint64(dataAt)
				g.finish()
				for range 2 {
					if err := g.engine.Close(); err != nil {
						g.failf("Close: %v", err)
					}
				}
				if x, err := g.engine.Run(g.ctx, &g.r, cpu.Stop{}); err == nil {
					g.failf("a closed engine ran to %+v", x)
				}
				var fp cpu.FPState
				if g.engine.FP(&fp) == nil || g.engine.SetFP(&fp) == nil {
					g.failf("a closed engine has floating-point state")
				}
				g.word(dataAt, 77)
				g.setWord(dataAt, 78)
				g.protect(dataAt, mem.Readable)
			},
		},
		{
			name: "life/close in a loop",
			rule: "an engine whose guest was interrupted can be closed, and another one goes on with its memory and registers",
			code: loop,
			test: func(g *guest) {
				ctx, cancel := context.WithTimeout(g.ctx, 10*time.Millisecond)
				defer cancel()
				if x := g.runCtx(ctx, cpu.Stop{}); x.Kind != cpu.Interrupted {
					g.failf("exit %+v", x)
				}
				r := g.r
				g.again()
				g.r = r
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 2})
				g.gp(0, r.GP[0]+1)
			},
		},
		{
			name: "life/two at once",
			rule: "two engines, each on its own goroutine, know nothing of each other",
			code: code{
				amd64: []byte{
					0x48, 0xff, 0x01, // incq (%rcx)
					0xff, 0xe2, // jmpq *%rdx
				},
				arm64: []byte{
					0x24, 0x00, 0x40, 0xf9, // ldr x4, [x1]
					0x84, 0x04, 0x00, 0x91, // add x4, x4, #1
					0x24, 0x00, 0x00, 0xf9, // str x4, [x1]
					0x40, 0x00, 0x1f, 0xd6, // br x2
				},
			},
			test: func(g *guest) {
				const rounds = 500
				work := func(engine cpu.Engine, m *mem.Memory, r cpu.Regs, gate efi.Addr) error {
					r.GP[1], r.GP[2] = uint64(dataAt), uint64(gate)
					for n := range uint64(rounds) {
						r.PC = uint64(codeAt)
						x, err := engine.Run(g.ctx, &r, cpu.Stop{})
						if err != nil || x.Kind != cpu.Gate || r.PC != uint64(gate) {
							return fmt.Errorf("round %d: exit %+v at %#x, %v", n, x, r.PC, err)
						}
						if got, err := mem.Load(m, efi.Ptr[uint64](dataAt)); err != nil || got != n+1 {
							return fmt.Errorf("round %d: memory holds %d, %v", n, got, err)
						}
					}
					return nil
				}
				m, err := copyOf(g.mem)
				if err != nil {
					g.Fatal(err)
				}
				other := make(chan error)
				go func() {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					defer m.Close()
					engine, err := g.newEngine(cpu.Config{Arch: g.arch, Memory: m, Gates: efi.Range{Start: gatesAt, End: gatesEnd}})
					if err != nil {
						other <- err
						return
					}
					defer engine.Close()
					r := cpu.Regs{Flags: g.r.Flags}
					other <- work(engine, m, r, callGate)
				}()
				err = work(g.engine, g.mem, g.r, endGate)
				if err := <-other; err != nil {
					g.failf("the other engine: %v", err)
				}
				if err != nil {
					g.failf("%v", err)
				}
			},
		},
	}
}

// copyOf makes a memory with the same RAM and the same bytes.
func copyOf(m *mem.Memory) (*mem.Memory, error) {
	other, err := mem.New(m.Ranges()...)
	if err != nil {
		return nil, err
	}
	for _, r := range m.Ranges() {
		for part := range m.Touched(r) {
			b, err := m.Read(part.Start, part.Size())
			if err != nil {
				return nil, err
			}
			if err := other.Write(part.Start, b); err != nil {
				return nil, err
			}
		}
	}
	return other, nil
}
