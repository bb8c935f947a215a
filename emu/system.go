// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"errors"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// systemState is what privileged instructions have left behind.
type systemState struct {
	interruptsOff bool
	halts         int // without a service call between them
	ports         ports
}

// Control registers as a payload finds them on x86-64 (§2.3.4): protected mode
// with paging; no task switched, no emulation of the FPU; SSE on. Linux 5.4 and older
// have clts in front of every call and write back what they have read behind it.
const (
	cr0 = 1<<0 | 1<<1 | 1<<4 | 1<<5 | 1<<31 // PE MP ET NE PG
	cr4 = 1<<5 | 1<<9 | 1<<10               // PAE OSFXSR OSXMMEXCPT
)

// answer performs what a privileged instruction asks, for every engine: the one
// table of what is answered. What is not in it is a fault.
func (m *Machine) answer(exit cpu.Exit) error {
	switch {
	case exit.Kind == cpu.Port:
		return m.port(exit)
	case exit.Kind == cpu.MSR && !exit.Out:
		value, known := msrs[exit.Number]
		if !known {
			return m.refuse(exit)
		}
		m.regs.GP[cpu.RAX], m.regs.GP[cpu.RDX] = value&0xffffffff, value>>32
	case exit.Kind == cpu.Halt:
		return m.halt(exit)
	case exit.Kind == cpu.System && exit.Op == cpu.ReadCR && exit.Number == 0:
		m.regs.GP[exit.Reg] = cr0
	case exit.Kind == cpu.System && exit.Op == cpu.WriteCR && exit.Number == 0 && exit.Value == cr0:
	case exit.Kind == cpu.System && exit.Op == cpu.ClearTS: // it is
	case exit.Kind == cpu.System && exit.Op == cpu.ReadCR && exit.Number == 4:
		m.regs.GP[exit.Reg] = cr4
	case exit.Kind == cpu.System && (exit.Op == cpu.DisableIRQ || exit.Op == cpu.EnableIRQ):
		m.system.interruptsOff = exit.Op == cpu.DisableIRQ
	case exit.Kind == cpu.System && exit.Op == cpu.CacheSync:
	default:
		return m.refuse(exit)
	}
	return nil
}

// refuse makes a fault of a privileged instruction that is not answered.
func (m *Machine) refuse(exit cpu.Exit) error {
	m.regs.PC = uint64(exit.Addr)
	exit.Kind, exit.Cause = cpu.Fault, cpu.Protection
	return m.faulted(exit, nil)
}

// msrs are the model-specific registers that can be read. AMD64_SEV is read by
// every x86-64 Linux on a processor with SEV: not active.
var msrs = map[uint32]uint64{
	0xc0010131: 0,                           // AMD64_SEV
	0xc0000080: 1<<0 | 1<<8 | 1<<10 | 1<<11, // EFER: SCE LME LMA NXE
	0x00000277: 0x0007040600070406,          // IA32_PAT at reset
}

// maxHalts is when a guest that does nothing else is taken to have stopped for
// good: after a minute.
const maxHalts = 6000

// halt idles for a tick, as the timer interrupt wakes the processor. With
// interrupts off there is nothing that could.
func (m *Machine) halt(exit cpu.Exit) error {
	if m.system.interruptsOff {
		return m.faulted(exit, errors.New("halted with interrupts off"))
	}
	if m.system.halts++; m.system.halts > maxHalts && len(m.events.timed) == 0 {
		return stop{&LimitError{What: "waits for ever", Limit: "halted, no timer", Where: m.locate(exit.Addr)}}
	}
	// The timer interrupt itself wakes the processor, whether an event is due
	// or not.
	m.clock.Sleep(m.ctx, timerTick, m.wake)
	if err := m.checkTime(); err != nil {
		return err
	}
	return m.interrupt(true)
}
