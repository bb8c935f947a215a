// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// LoadCrash hands a frozen machine to the running kernel, to be jumped into when
// that panics. What was loaded so before is replaced. The machine must have been
// run on the memory of c (Crash.Config, Crash.Prepare) with the load options of
// Crash.LoadOptions, now or earlier on the same machine.
//
// The trampoline always verifies what was loaded, for the kernel that panics may
// have overwritten it; what is not as it was is reported on the console in opts,
// and nothing is booted. It measures nothing into a TPM.
//
// Errors are as for Load.
func LoadCrash(c *Crash, handoff *emu.Handoff, opts Options) (Loaded, error) {
	if err := c.allowed(); err != nil {
		return Loaded{}, err
	}
	list, entry, err := c.layout(handoff, opts)
	if err != nil {
		return Loaded{}, err
	}
	if err := load(entry, list, onCrash); err != nil {
		return Loaded{}, fmt.Errorf("crash kernel: %w", err)
	}
	return loaded(list), nil
}

// layout lays out all that is to be loaded, with the ELF core header and the
// trampoline, and returns it with the entry point.
func (c *Crash) layout(handoff *emu.Handoff, opts Options) ([]segment, efi.Addr, error) {
	if len(handoff.Reserved) == 0 {
		return nil, 0, errNoRoom
	}
	room := handoff.Reserved[0]
	if room.Size() == 0 || !room.Start.PageAligned() || !room.End.PageAligned() || !c.Region.Covers(room) {
		return nil, 0, errNoRoom
	}
	if err := c.checkHandoff(handoff); err != nil {
		return nil, 0, err
	}
	header, err := c.core.encode(handoff.Arch)
	if err != nil {
		return nil, 0, err
	}
	if err := freshSeed(handoff); err != nil {
		return nil, 0, err
	}
	memory := slices.DeleteFunc(slices.Clone(handoff.MemoryMap), func(d efi.MemoryDescriptor) bool { return !c.Region.Covers(d.Range()) })
	inside, outside, err := c.divide(cut(handoff.Segments, room))
	if err != nil {
		return nil, 0, err
	}
	lower, err := c.scatter(pieces(outside), memory, room, 0)
	if err != nil {
		return nil, 0, err
	}
	for _, s := range lower.segments {
		inside = append(inside, emu.Segment{Range: s.Range, Data: s.data})
	}
	slices.SortFunc(inside, func(a, b emu.Segment) int { return cmp.Compare(a.Start, b.Start) })
	l, err := c.lay(inside, memory, room, maxSegments-2)
	if err != nil {
		return nil, 0, err
	}
	l.copies, l.zeros = append(l.copies, lower.copies...), append(l.zeros, lower.zeros...)
	l.segments = append(l.segments, segment{c.header, header})
	opts.Verify = true
	image, entry, err := c.trampoline(handoff, room, l, opts)
	if err != nil {
		return nil, 0, err
	}
	l.segments = append(l.segments, segment{room, image})
	return l.segments, entry, c.checkRegion(l)
}

// divide tells what lies in the region, where it can be loaded, from the rest.
func (c *Crash) divide(segments []emu.Segment) (inside, outside []emu.Segment, err error) {
	for _, s := range segments {
		switch {
		case c.Region.Covers(s.Range):
			inside = append(inside, s)
		case s.Overlaps(c.Region):
			return nil, nil, fmt.Errorf("kexec: crash kernel: %v is in %v only in part", s.Range, c.Region)
		default:
			outside = append(outside, s)
		}
	}
	return inside, outside, nil
}

// checkHandoff says whether a payload was run for this crash kernel's memory, and
// told where the ELF core header is.
func (c *Crash) checkHandoff(handoff *emu.Handoff) error {
	if err := c.sameMachine(handoff); err != nil {
		return err
	}
	if !slices.ContainsFunc(handoff.MemoryMap, func(d efi.MemoryDescriptor) bool {
		return d.Type == efi.ReservedMemory && d.Range().Covers(c.header)
	}) {
		return fmt.Errorf("kexec: crash kernel: the handoff does not leave %v alone: it was not made for this, or the machine has changed since", c.header)
	}
	if !slices.Contains(splitWords(handoff.CommandLine()), c.elfcorehdr()) {
		return fmt.Errorf("kexec: crash kernel: the payload has started its kernel without %s: it does not take load options (%q), or was given others",
			c.elfcorehdr(), handoff.CommandLine())
	}
	return nil
}

// checkRegion holds a layout against what the kernel demands of any, and of one
// for a panic: that it is all in the region. What the trampoline puts elsewhere
// must be in memory that was set aside, too.
func (c *Crash) checkRegion(l layout) error {
	for _, s := range l.segments {
		if !c.Region.Covers(s.Range) {
			return fmt.Errorf("kexec: crash kernel: %v is not in %v, which the running kernel has set aside", s.Range, c.Region)
		}
	}
	l.segments = slices.DeleteFunc(slices.Clone(l.segments), func(s segment) bool { return s.Range == c.header })
	return c.check(l)
}
