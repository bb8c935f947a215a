// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// Privileged instructions are answered in one place for every engine.
func TestPrivileged(t *testing.T) {
	const before = 0x1122334455667788
	for _, row := range []struct {
		name     string
		exit     cpu.Exit
		rax, rdx uint64
	}{
		{"in al", cpu.Exit{Kind: cpu.Port, Number: 0x60, Width: 1}, before | 0xff, before},
		{"in ax", cpu.Exit{Kind: cpu.Port, Number: 0x60, Width: 2}, before | 0xffff, before},
		{"in eax", cpu.Exit{Kind: cpu.Port, Number: 0xcf8, Width: 4}, 0xffffffff, before},
		{"out", cpu.Exit{Kind: cpu.Port, Number: 0x80, Width: 1, Out: true}, before, before},
		{"rdmsr of SEV", cpu.Exit{Kind: cpu.MSR, Number: 0xc0010131}, 0, 0},
		{"rdmsr of EFER", cpu.Exit{Kind: cpu.MSR, Number: 0xc0000080}, 0xd01, 0},
		{"cr0", cpu.Exit{Kind: cpu.System, Op: cpu.ReadCR, Number: 0, Reg: cpu.RAX}, 0x80000033, before},
		{"cr4", cpu.Exit{Kind: cpu.System, Op: cpu.ReadCR, Number: 4, Reg: cpu.RDX}, before, 0x620},
		{"cr0 again", cpu.Exit{Kind: cpu.System, Op: cpu.WriteCR, Number: 0, Reg: cpu.RAX, Value: 0x80000033}, before, before},
		{"clts", cpu.Exit{Kind: cpu.System, Op: cpu.ClearTS}, before, before},
		{"cli", cpu.Exit{Kind: cpu.System, Op: cpu.DisableIRQ}, before, before},
		{"wbinvd", cpu.Exit{Kind: cpu.System, Op: cpu.CacheSync}, before, before},
	} {
		t.Run(row.name, func(t *testing.T) {
			play(t, emu.Config{}, func(g *guest) {
				g.Regs().GP[cpu.RAX], g.Regs().GP[cpu.RDX] = before, before
				g.Exit(row.exit)
				same(g, "rax", g.Regs().GP[cpu.RAX], row.rax)
				same(g, "rdx", g.Regs().GP[cpu.RDX], row.rdx)
			})
		})
	}
	for _, row := range []struct {
		name string
		exit cpu.Exit
	}{
		{"rdmsr of another", cpu.Exit{Kind: cpu.MSR, Number: 0x10, Inst: "rdmsr"}},
		{"wrmsr", cpu.Exit{Kind: cpu.MSR, Number: 0xc0000080, Out: true, Inst: "wrmsr"}},
		{"cr3", cpu.Exit{Kind: cpu.System, Op: cpu.ReadCR, Number: 3, Inst: "mov rax, cr3"}},
		{"changing cr0", cpu.Exit{Kind: cpu.System, Op: cpu.WriteCR, Number: 0, Value: 0x80010033, Inst: "mov cr0, rax"}},
		{"writing cr4", cpu.Exit{Kind: cpu.System, Op: cpu.WriteCR, Number: 4, Value: 0x80000033, Inst: "mov cr4, rax"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := emutest.Go(t, emu.Config{}, nil, func(g *guest) efi.Status {
				row.exit.Addr = g.Addr() + 4
				g.Exit(row.exit)
				return 0
			})
			var fault *emu.FaultError
			if !errors.As(err, &fault) || fault.Exit.Cause != cpu.Protection || !strings.Contains(err.Error(), "guest+0x1004") || !strings.Contains(err.Error(), row.exit.Inst) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestHalt(t *testing.T) {
	halt := cpu.Exit{Kind: cpu.Halt}
	play(t, emu.Config{}, func(g *guest) {
		n := 0
		e := newEvent(g, efi.EventTimer|efi.EventNotifySignal, efi.TPLNotify, func(g *guest) { n++ })
		expect(g, efi.Success, "SetTimer", e, efi.TimerPeriodic, second)
		took := after(g, func() {
			for n < 3 {
				g.Exit(halt)
			}
		})
		about(g, "three timers", took, 3*time.Second-10*time.Millisecond)
	})
	for _, row := range []struct {
		name string
		f    func(*guest)
		want string
	}{
		{"with interrupts off", func(g *guest) {
			g.Exit(cpu.Exit{Kind: cpu.System, Op: cpu.DisableIRQ})
			g.Exit(halt)
		}, "halted with interrupts off"},
		{"for ever", func(g *guest) {
			for {
				g.Exit(halt)
			}
		}, "waits for ever"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := emu.Config{Clock: emu.VirtualClock(start)}
			_, err := emutest.Go(t, cfg, nil, func(g *guest) efi.Status { row.f(g); return 0 })
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
