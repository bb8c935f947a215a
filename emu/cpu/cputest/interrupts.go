// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

func interruptCases() []testCase {
	return []testCase{
		{
			name: "interrupt/timeout",
			rule: "when ctx is done Run returns Interrupted with the registers of that moment, and the guest can be run on",
			code: loop,
			test: func(g *guest) {
				var last uint64
				for progress := 0; progress < 3 && g.ctx.Err() == nil; {
					ctx, cancel := context.WithTimeout(g.ctx, 20*time.Millisecond)
					x := g.runCtx(ctx, cpu.Stop{})
					cancel()
					if x.Kind != cpu.Interrupted {
						g.failf("exit %+v", x)
					}
					if g.r.PC < uint64(codeAt) || g.r.PC >= uint64(codeAt)+uint64(len(loop.of(g.arch))) {
						g.failf("pc is %#x", g.r.PC)
					}
					switch now := g.r.GP[0]; {
					case now < last:
						g.failf("the loop went from %d to %d", last, now)
					case now > last: // on a busy machine a Run can be over before it began
						progress++
						last = now
					}
				}
				if g.ctx.Err() != nil {
					g.failf("the loop does not go on: it is at %d", last)
				}
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 2})
				g.gp(0, last+1)
			},
		},
		{
			name: "interrupt/before",
			rule: "with a ctx that is done already Run returns Interrupted and nothing executes, as often as it is called",
			code: loop,
			test: func(g *guest) {
				ctx, cancel := context.WithCancel(g.ctx)
				cancel()
				before := g.r
				for range 3 {
					if x := g.runCtx(ctx, cpu.Stop{}); x.Kind != cpu.Interrupted {
						g.failf("exit %+v", x)
					}
				}
				if g.r != before {
					g.failf("registers\ngot  %#x\nwant %#x", g.r, before)
				}
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1})
			},
		},
		{
			name: "interrupt/stepping",
			rule: "a guest that is stepped is interrupted like any other",
			code: loop,
			test: func(g *guest) {
				ctx, cancel := context.WithTimeout(g.ctx, 20*time.Millisecond)
				defer cancel()
				if x := g.runCtx(ctx, cpu.Stop{Steps: 1 << 62}); x.Kind != cpu.Interrupted {
					g.failf("exit %+v", x)
				}
			},
		},
		{
			name: "interrupt/late",
			rule: "a cancellation that comes when Run is about to return, or between two Runs, interrupts no Run under another ctx",
			code: code{
				amd64: []byte{
					0x48, 0xff, 0xc0, // incq %rax
					0xff, 0xc9, // decl %ecx
					0x75, 0xf9, // jnz .-5
				},
				arm64: []byte{
					0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
					0x21, 0x04, 0x00, 0x71, // subs w1, w1, #1
					0xc1, 0xff, 0xff, 0x54, // b.ne .-8
				},
			},
			test: func(g *guest) {
				random := rand.New(rand.NewPCG(5, 6))
				for range 300 {
					ctx, cancel := context.WithCancel(g.ctx)
					timer := time.AfterFunc(time.Duration(random.IntN(60))*time.Microsecond, cancel)
					g.start()
					g.r.GP[1] = uint64(1 + random.IntN(20000))
					count := g.r.GP[1]
					for range random.IntN(3) {
						if x := g.runCtx(ctx, cpu.Stop{}); x.Kind == cpu.Gate {
							break
						} else if x.Kind != cpu.Interrupted {
							g.failf("exit %+v", x)
						}
					}
					if g.r.PC != uint64(endGate) {
						g.finish()
					}
					g.gp(0, count)
					g.start()
					g.r.GP[1] = 1
					g.finish()
					timer.Stop()
					cancel()
				}
			},
		},
		{
			name: "interrupt/same ctx",
			rule: "one ctx serves many Runs and interrupts the one that is running when it is done",
			code: jump,
			test: func(g *guest) {
				ctx, cancel := context.WithCancel(g.ctx)
				defer cancel()
				for range 100 {
					g.start()
					g.r.GP[1] = uint64(callGate)
					if x := g.runCtx(ctx, cpu.Stop{}); x.Kind != cpu.Gate {
						g.failf("exit %+v", x)
					}
				}
				g.load(loop.of(g.arch))
				time.AfterFunc(10*time.Millisecond, cancel)
				if x := g.runCtx(ctx, cpu.Stop{}); x.Kind != cpu.Interrupted {
					g.failf("exit %+v", x)
				}
			},
		},
	}
}
