// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"errors"
	"fmt"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// stop is an error that ends Boot; the guest never sees it as a status.
type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// Fatal makes err end Boot, where a service cannot go on for reasons that are
// none of the guest's. Boot returns err.
func Fatal(err error) error { return stop{err} }

// ExitError says that the image came to its end without ExitBootServices: it
// returned, or called Exit. A Status of Success is a normal end.
type ExitError struct {
	Image  string
	Status efi.Status
	Data   string // what it gave as ExitData: a text, as a rule
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("emu: %s exited with %s", e.Image, e.Status.String())
	if e.Data != "" {
		text += fmt.Sprintf(" (%q)", e.Data)
	}
	return text
}

// Unwrap is the status if it is an error.
func (e *ExitError) Unwrap() error {
	if e.Status.IsError() {
		return e.Status
	}
	return nil
}

// ResetError says that the guest called ResetSystem.
type ResetError struct {
	Type   efi.ResetType
	Status efi.Status
	Data   []byte
}

func (e *ResetError) Error() string {
	return fmt.Sprintf("emu: the guest asked for a reset (%v, %s)", e.Type, e.Status.String())
}

// LimitError says that the guest met one of the Limits, the deadline or the end
// of Boot's context, or waits for what can not come.
type LimitError struct {
	What  string // "time", "calls", "instructions", "stalled", "nesting", "watchdog", "waits for ever"
	Limit string
	Where Location
	Err   error // of the context
}

func (e *LimitError) Error() string {
	text := "emu: the guest met its limit: " + e.What
	if e.Limit != "" {
		text += " (" + e.Limit + ")"
	}
	if e.Where != (Location{}) {
		text += " at " + e.Where.String()
	}
	return text
}

func (e *LimitError) Unwrap() error { return e.Err }

// Location is a guest address, and the image and offset it lies at, if in one.
type Location struct {
	Addr   efi.Addr
	Image  string
	Offset uint64
}

func (l Location) String() string {
	if l.Image == "" {
		return l.Addr.String()
	}
	return fmt.Sprintf("%s+%#x", l.Image, l.Offset)
}

// FaultError says that the guest did what its processor cannot do.
type FaultError struct {
	Exit  cpu.Exit
	Arch  cpu.Arch
	Regs  cpu.Regs
	Where Location
	Err   error // what the machine knows beside
}

func (e *FaultError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "emu: %v at %v", e.Exit.Cause, e.Where)
	if e.Where.Image != "" {
		fmt.Fprintf(&b, " (%v)", e.Where.Addr)
	}
	if e.Exit.Inst != "" {
		fmt.Fprintf(&b, ": %s", e.Exit.Inst)
	}
	if e.Exit.Cause == cpu.PageFault || e.Exit.Cause == cpu.StackOverflow {
		fmt.Fprintf(&b, ": access %v to %v", e.Exit.Access, e.Exit.Addr)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func (e *FaultError) Unwrap() error { return e.Err }

// Registers is a dump of the registers, four to a line.
func (e *FaultError) Registers() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-6s %#018x  flags %#x\n", "pc", e.Regs.PC, e.Regs.Flags)
	for i := range e.Arch.NumGP() {
		end := "  "
		if i%4 == 3 {
			end = "\n"
		}
		fmt.Fprintf(&b, "%-3s %#018x%s", e.Arch.RegName(i), e.Regs.GP[i], end)
	}
	return b.String()
}

// locate finds the image that an address lies in.
func (m *Machine) locate(a efi.Addr) Location {
	for _, image := range m.images {
		if image.mapped.Contains(a) {
			return Location{a, image.name, uint64(a - image.mapped.Start)}
		}
	}
	return Location{Addr: a}
}

// badStack ends the boot when a call's frame cannot be read or written.
func (m *Machine) badStack(err error) error {
	exit := cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault}
	var fault *mem.FaultError
	if errors.As(err, &fault) {
		exit.Addr, exit.Access = fault.Addr, fault.Access
	}
	return m.faulted(exit, errors.New("no stack for a call"))
}

// faulted ends the boot with a fault at the guest's present instruction.
func (m *Machine) faulted(exit cpu.Exit, err error) error {
	fault := &FaultError{exit, m.cfg.Arch, m.regs, m.locate(efi.Addr(m.regs.PC)), err}
	m.traceFault(fault)
	return stop{fault}
}
