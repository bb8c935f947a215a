// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// protection is what the child has to be told of a range of pages.
type protection struct {
	efi.Range
	perm mem.Perm
}

// mapMemory maps RAM into the child from its descriptor 0, each range at its own
// address. Pages at the bottom that the system gives to no one are left out:
// the guest faults there.
func (e *engine) mapMemory(mappings []mem.Mapping) error {
	for _, m := range mappings {
		err := e.mmap(m)
		if refused(err) && m.Start < lowestUsual {
			m, err = e.mapAbove(m, lowest())
		}
		if refused(err) && m.Start < lowestUsual {
			m, err = e.mapAbove(m, lowestUsual)
		}
		if err != nil {
			return fmt.Errorf("RAM %v: %w", m.Range, err)
		}
		if m.Size() > 0 {
			e.mapped = append(e.mapped, m.Range)
		}
	}
	e.Protected(e.gates, mem.ReadWriteExec)
	for r, perm := range e.mem.Protections() {
		e.Protected(r, perm)
	}
	for r := range e.mem.Absent() {
		e.Protected(r, 0)
	}
	return e.protect()
}

func (e *engine) mmap(m mem.Mapping) error {
	const flags = unix.MAP_SHARED | unix.MAP_FIXED_NOREPLACE | unix.MAP_NORESERVE
	return e.inject([]call{{"mmap", unix.SYS_MMAP, []uint64{
		uint64(m.Start), m.Size(), unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC, flags, 0, uint64(m.Offset),
	}}})
}

func refused(err error) bool { return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) }

// mapAbove maps of m what lies from bottom on, and returns that.
func (e *engine) mapAbove(m mem.Mapping, bottom efi.Addr) (mem.Mapping, error) {
	if skip := min(max(bottom, m.Start), m.End) - m.Start; skip > 0 {
		m.Start += skip
		m.Offset += int64(skip)
	}
	if m.Size() == 0 {
		return m, nil
	}
	return m, e.mmap(m)
}

// lowestUsual is what security modules keep processes from where the sysctl does
// not.
const lowestUsual efi.Addr = 0x10000

// lowest is the lowest address that the system lets processes map.
func lowest() efi.Addr {
	text, err := os.ReadFile("/proc/sys/vm/mmap_min_addr")
	if err != nil {
		return lowestUsual
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n%efi.PageSize != 0 {
		return lowestUsual
	}
	return efi.Addr(n)
}

// Edited is of no interest: the child sees the same memory.
func (e *engine) Edited(efi.Range) {}

// Protected notes a change, to be made before the child runs again. The gates
// stay read-only whatever is asked for.
func (e *engine) Protected(r efi.Range, perm mem.Perm) {
	if !r.Overlaps(e.gates) {
		e.note(r, perm)
		return
	}
	in := efi.Range{Start: max(r.Start, e.gates.Start), End: min(r.End, e.gates.End)}
	e.note(efi.Range{Start: r.Start, End: in.Start}, perm)
	e.note(in, perm&^mem.Writable)
	e.note(efi.Range{Start: in.End, End: r.End}, perm)
}

// note appends to what is pending, or changes the last entry if that will do.
func (e *engine) note(r efi.Range, perm mem.Perm) {
	if r.Size() == 0 {
		return
	}
	if n := len(e.pending); n > 0 {
		last := &e.pending[n-1]
		switch {
		case r.Covers(last.Range):
			*last = protection{r, perm}
			return
		case last.End == r.Start && last.perm == perm:
			last.End = r.End
			return
		case last.Start == r.End && last.perm == perm:
			last.Start = r.Start
			return
		}
	}
	e.pending = append(e.pending, protection{r, perm})
}

// protect makes the pending changes.
func (e *engine) protect() error {
	for _, p := range e.pending {
		prot := prot(p.perm)
		for _, m := range e.mapped {
			r := efi.Range{Start: max(p.Start, m.Start), End: min(p.End, m.End)}
			if r.Size() == 0 {
				continue
			}
			if err := e.inject([]call{{"mprotect", unix.SYS_MPROTECT, []uint64{uint64(r.Start), r.Size(), prot}}}); err != nil {
				return fmt.Errorf("%v to %v: %w", r, p.perm, err)
			}
		}
	}
	e.pending = e.pending[:0]
	return nil
}

// prot is perm in the words of mmap.
func prot(perm mem.Perm) uint64 {
	bits := uint64(0)
	if perm&mem.Readable != 0 {
		bits |= unix.PROT_READ
	}
	if perm&mem.Writable != 0 {
		bits |= unix.PROT_WRITE
	}
	if perm&mem.Executable != 0 {
		bits |= unix.PROT_EXEC
	}
	return bits
}

// permission is what the guest may do at a, 0 where there is no RAM.
func (e *engine) permission(a efi.Addr) mem.Perm {
	perm := mem.Perm(0)
	for _, m := range e.mapped {
		if m.Contains(a) {
			perm = mem.ReadWriteExec
		}
	}
	for r, p := range e.mem.Protections() {
		if r.Contains(a) {
			perm &= p
		}
	}
	if e.gates.Contains(a) {
		perm &^= mem.Writable
	}
	return perm
}
