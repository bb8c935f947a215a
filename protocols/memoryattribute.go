// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// memoryAttributeProtocol are the rows of EFI_MEMORY_ATTRIBUTE_PROTOCOL (§37.7).
var memoryAttributeProtocol = emu.Protocol{
	GUID: efi.MemoryAttributeProtocolGUID,
	Name: "MemoryAttribute",
	Services: []emu.Service{
		emu.Func4("GetMemoryAttributes", getMemoryAttributes, "this", "baseAddress", "length", "*attributes"),
		emu.Func4("SetMemoryAttributes", setMemoryAttributes, "this", "baseAddress", "length", "attributes").Partially(noneAtAll),
		emu.Func4("ClearMemoryAttributes", clearMemoryAttributes, "this", "baseAddress", "length", "attributes").Partially(noneAtAll),
	},
}

const noneAtAll = "memory that may not be read may not be written or executed either"

// maxProtections bounds how many ranges a guest can have that are not as memory is.
const maxProtections = 1024

// MemoryAttribute makes an EFI_MEMORY_ATTRIBUTE_PROTOCOL (§37.7): read, write and
// execute protection of RAM, page by page. What breaks it faults, on every engine.
// All protection ends at ExitBootServices.
//
// What is protected when the interface is installed is the machine's own: its gates,
// its resident code and the end of the stack, and the guest cannot change that.
func MemoryAttribute() emu.Interface {
	own := new(ownProtections)
	return emu.Interface{Protocol: &memoryAttributeProtocol, Value: own, Fields: func(m *emu.Machine) ([]uint64, error) {
		for r := range m.Memory().Protections() {
			own.ranges = append(own.ranges, r)
		}
		return nil, nil
	}}
}

// ownProtections are what the machine has protected for itself.
type ownProtections struct{ ranges []efi.Range }

// memoryAttributes are those that the protocol knows.
const memoryAttributes = efi.MemoryRP | efi.MemoryXP | efi.MemoryRO

// attributesOf says what a page that may be used so has.
func attributesOf(p mem.Perm) (a efi.MemoryAttribute) {
	for _, bit := range []struct {
		perm mem.Perm
		attr efi.MemoryAttribute
	}{{mem.Readable, efi.MemoryRP}, {mem.Writable, efi.MemoryRO}, {mem.Executable, efi.MemoryXP}} {
		if p&bit.perm == 0 {
			a |= bit.attr
		}
	}
	return a
}

// permOf is the reverse.
func permOf(a efi.MemoryAttribute) mem.Perm {
	if a&efi.MemoryRP != 0 {
		return 0
	}
	p := mem.ReadWriteExec
	if a&efi.MemoryRO != 0 {
		p &^= mem.Writable
	}
	if a&efi.MemoryXP != 0 {
		p &^= mem.Executable
	}
	return p
}

// part is a run of pages with the same attributes.
type part struct {
	efi.Range
	attributes efi.MemoryAttribute
}

// parts cuts a range where its attributes change. InvalidParameter: no whole pages;
// Unsupported: not all of it is RAM.
func parts(m *mem.Memory, base efi.Addr, length uint64) ([]part, error) {
	r, ok := efi.RangeOf(base, length)
	if !ok || length == 0 || !r.Start.PageAligned() || !r.End.PageAligned() {
		return nil, fmt.Errorf("%#x bytes at %v are no pages: %w", length, base, efi.InvalidParameter)
	}
	if !slices.ContainsFunc(m.Ranges(), func(ram efi.Range) bool { return ram.Covers(r) }) {
		return nil, fmt.Errorf("%v is not RAM: %w", r, efi.Unsupported)
	}
	var all []part
	at := r.Start
	for guard, perm := range m.Protections() {
		if !guard.Overlaps(r) {
			continue
		}
		if guard.Start > at {
			all = append(all, part{efi.Range{Start: at, End: guard.Start}, 0})
		}
		at = min(guard.End, r.End)
		all = append(all, part{efi.Range{Start: max(guard.Start, r.Start), End: at}, attributesOf(perm)})
	}
	if at < r.End {
		all = append(all, part{efi.Range{Start: at, End: r.End}, 0})
	}
	return all, nil
}

// getMemoryAttributes returns NoMapping if they are not the same everywhere.
func getMemoryAttributes(c *emu.Call, this, base efi.Addr, length uint64, out efi.Ptr[efi.MemoryAttribute]) error {
	if _, err := emu.This[*ownProtections](c, this); err != nil {
		return err
	}
	if out == 0 {
		return efi.InvalidParameter
	}
	all, err := parts(c.Memory(), base, length)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.attributes != all[0].attributes {
			return fmt.Errorf("%v from %v on, %v before: %w", p.attributes, p.Start, all[0].attributes, efi.NoMapping)
		}
	}
	return mem.Store(c.Memory(), out, all[0].attributes)
}

func setMemoryAttributes(c *emu.Call, this, base efi.Addr, length uint64, attributes efi.MemoryAttribute) error {
	return changeAttributes(c, this, base, length, attributes, func(a efi.MemoryAttribute) efi.MemoryAttribute { return a | attributes })
}

func clearMemoryAttributes(c *emu.Call, this, base efi.Addr, length uint64, attributes efi.MemoryAttribute) error {
	return changeAttributes(c, this, base, length, attributes, func(a efi.MemoryAttribute) efi.MemoryAttribute { return a &^ attributes })
}

// changeAttributes returns InvalidParameter for attributes that are none or of
// another kind, AccessDenied for what is the machine's own.
func changeAttributes(c *emu.Call, this, base efi.Addr, length uint64, attributes efi.MemoryAttribute, change func(efi.MemoryAttribute) efi.MemoryAttribute) error {
	own, err := emu.This[*ownProtections](c, this)
	if err != nil {
		return err
	}
	if attributes == 0 || attributes&^memoryAttributes != 0 {
		return fmt.Errorf("attributes %v: %w", attributes, efi.InvalidParameter)
	}
	all, err := parts(c.Memory(), base, length)
	if err != nil {
		return err
	}
	r := efi.Range{Start: base, End: base + efi.Addr(length)}
	if slices.ContainsFunc(own.ranges, r.Overlaps) {
		return fmt.Errorf("%v is in part the firmware's: %w", r, efi.AccessDenied)
	}
	count := 0
	for range c.Memory().Protections() {
		count++
	}
	if count+len(all) > maxProtections {
		return fmt.Errorf("%d ranges are protected: %w", count, efi.OutOfResources)
	}
	for _, p := range all {
		if now := change(p.attributes); now != p.attributes {
			if err := c.Memory().Protect(p.Range, permOf(now)); err != nil {
				return err
			}
		}
	}
	return nil
}
