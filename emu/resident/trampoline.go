// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// TrampolineBlob is the trampoline of one architecture: what kexec jumps to. It
// verifies, scatters and zeroes memory, sets up the processor as UEFI leaves it
// to a payload (§2.3.4, §2.3.6), and goes on where the payload was. It needs
// nothing of the kernel that it comes from but that it can run and write where
// it lies, and that what it is to verify can be read.
//
// On x86-64 it leaves with paging on, memory where it is, a GDT of its own (code
// 0x10, data 0x18), an IDT without an entry, interrupts off, SSE on, the FS and
// GS base 0. It executes neither cpuid nor anything else that a confidential
// guest would have to emulate, but its page tables know no encryption bit: it
// does not work where memory is encrypted by one.
//
// On AArch64 it stays at the exception level that it was entered at, EL2 or EL1,
// and leaves with the MMU and the caches on, memory where it is, all exceptions
// masked, on SP_ELx. x16 and x17 are lost. Exception vectors are as they were.
type TrampolineBlob struct {
	blob   *Blob
	format *tableFormat
	block  func(*TrampolineParams, trampolineCommon, *pageTables) (any, error)
}

// Trampoline returns the trampoline for arch, "x64" or "aa64".
func Trampoline(arch string) (t *TrampolineBlob, err error) {
	switch arch {
	case "x64":
		t = &TrampolineBlob{format: &formatX64, block: blockX64}
		t.blob, err = parse(trampolineX64, trampolineX64Size)
	case "aa64":
		t = &TrampolineBlob{format: &formatAA64, block: blockAA64}
		t.blob, err = parse(trampolineAA64, trampolineAA64Size)
	default:
		err = fmt.Errorf("no trampoline for %q", arch)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Entry is the offset of the entry in an image that Build has made.
func (t *TrampolineBlob) Entry() uint64 { return t.blob.functions["Entry"] }

// CPUState is the registers that a payload goes on with. Its fields are those of
// cpu.Regs and cpu.FPState. Of Flags only what a calculation leaves is taken.
type CPUState struct {
	PC, Flags uint64
	GP        [32]uint64
	V         [32][16]byte
	Ctrl      uint32
	Status    uint32
	X87       uint16
}

// Region is memory with what it must hold.
type Region struct {
	Range
	SHA256 [sha256.Size]byte
}

// Copy is whole pages that are to be moved from From to the address To.
type Copy struct {
	From Range
	To   uint64
}

func (c Copy) to() Range { return Range{c.To, c.To + c.From.End - c.From.Start} }

// ConsoleKind is the kind of a serial console.
type ConsoleKind uint32

// The kinds of consoles.
const (
	NoConsole      ConsoleKind = iota
	ConsolePort                // 8250 in I/O ports
	Console8250                // 8250 in memory, registers of one byte
	Console8250x32             // 8250 in memory, registers of 32 bits
	ConsolePL011
)

// Console is a serial console that is set up already. Registers are 1 << Shift
// bytes apart, but those of a PL011.
type Console struct {
	Kind    ConsoleKind
	Address uint64
	Shift   uint32
}

// TrampolineParams is what a trampoline is built of.
type TrampolineParams struct {
	// Base is the physical address the image is laid at, a multiple of 4096. The
	// payload must not use it for anything else before it has page tables and
	// descriptor tables of its own.
	Base  uint64
	State CPUState

	// RAM and Devices are whole pages that are mapped: RAM as such, and Devices so
	// that they are not cached. All that the payload uses until it has page tables
	// of its own must be there; the image and the console are added.
	RAM, Devices []Range

	// Verify has the Regions, and the trampoline itself, verified before anything
	// is copied. At one that is not what it was the trampoline says so on the
	// console and stops.
	Verify  bool
	Regions []Region
	Console Console

	// Copies are done in their order, then Zeros are filled with zeros, whole pages
	// each. What is copied to must be nothing that is copied from, nor twice; what
	// is zeroed must not be what is copied to.
	Copies []Copy
	Zeros  []Range

	SHA        bool // x86-64: the processor has instructions for SHA-256
	GiantPages bool // x86-64: the processor has pages of 1 GiB
	FourLevels bool // x86-64: leave with CR4.LA57 off, even if it is on; the image must be below 4 GiB
}

const pageSize = 4096

// trampolineCommon is the layout in src/trampoline.h that all architectures have.
type trampolineCommon struct {
	Regions           uint64
	Count, CountCheck uint32
	Copies, CopyCount uint64
	Zeros, ZeroCount  uint64
	Console           uint64
	Kind, Shift       uint32
	Flags, _          uint32
	Stack             uint64
}

const (
	ownRegions     = 2 // TRAMPOLINE_OWN_REGIONS
	flagSHA        = 1
	flagFourLevels = 2
)

var errTrampoline = errors.New("bad parameters of a trampoline")

// Build makes the image of the trampoline, to be laid at p.Base and entered at
// Entry. It has three pages, the page tables (a few, one for every 2 MiB and one
// for every GiB that is mapped in part, and one for every GiB where there are no
// pages of that size), 48 bytes for a Region, 24 for a Copy and 16 for each of
// Zeros. An error says that a list is not whole pages, or contradicts itself, or
// names memory that is not mapped, or that the processor would fault on the way.
func (t *TrampolineBlob) Build(p TrampolineParams) ([]byte, error) {
	image := append(bytes.Clone(t.blob.Code), make([]byte, -len(t.blob.Code)&15)...)
	lists := p.lists(p.Base + uint64(len(image)))
	digests := Range{uint64(len(image)) + lists.size, uint64(len(image) + len(lists.raw))}
	image = append(image, lists.raw...)
	image = append(image, make([]byte, -len(image)&(pageSize-1))...)

	tables, err := t.tables(&p, uint64(len(image)))
	if err != nil {
		return nil, err
	}
	image = append(image, tables.raw...)
	lists.Stack = p.Base + uint64(len(image)) + pageSize
	if err := p.check(lists.Stack); err != nil {
		return nil, err
	}
	block, err := t.block(&p, lists.trampolineCommon, tables)
	if err != nil {
		return nil, err
	}
	if _, err := binary.Encode(image[t.blob.params:], binary.LittleEndian, block); err != nil {
		return nil, err
	}
	if p.Verify {
		table := image[digests.Start:]
		for _, own := range []Range{{0, digests.Start}, {digests.End, uint64(len(image))}} {
			putRegion(table, Region{Range{p.Base + own.Start, p.Base + own.End}, sha256.Sum256(image[own.Start:own.End])})
			table = table[regionSize:]
		}
		for _, r := range p.Regions {
			putRegion(table, r)
			table = table[regionSize:]
		}
	}
	return append(image, make([]byte, pageSize)...), nil // the stack
}

const regionSize = 16 + sha256.Size

func putRegion(b []byte, r Region) {
	binary.LittleEndian.PutUint64(b, r.Start)
	binary.LittleEndian.PutUint64(b[8:], r.End-r.Start)
	copy(b[16:], r.SHA256[:])
}

// trampolineLists is the lists in one piece, and what the block says of them. The
// regions are the last, and not filled in; size is what is before them.
type trampolineLists struct {
	trampolineCommon
	raw  []byte
	size uint64
}

// lists makes the lists, to lie at an address.
func (p *TrampolineParams) lists(at uint64) (l trampolineLists) {
	le := binary.LittleEndian
	l.Copies, l.CopyCount = at, uint64(len(p.Copies))
	for _, c := range p.Copies {
		l.raw = le.AppendUint64(le.AppendUint64(l.raw, c.From.Start), c.To)
		l.raw = le.AppendUint64(l.raw, (c.From.End-c.From.Start)/pageSize)
	}
	l.Zeros, l.ZeroCount = at+uint64(len(l.raw)), uint64(len(p.Zeros))
	for _, z := range p.Zeros {
		l.raw = le.AppendUint64(le.AppendUint64(l.raw, z.Start), (z.End-z.Start)/pageSize)
	}
	l.size = uint64(len(l.raw))
	l.Regions = at + l.size
	if p.Verify {
		l.Count = uint32(ownRegions + len(p.Regions))
		l.raw = append(l.raw, make([]byte, regionSize*l.Count)...)
	}
	l.CountCheck = ^l.Count
	l.Console, l.Kind, l.Shift = p.Console.Address, uint32(p.Console.Kind), p.Console.Shift
	if p.SHA {
		l.Flags |= flagSHA
	}
	if p.FourLevels {
		l.Flags |= flagFourLevels
	}
	return l
}

// tables makes the page tables, which lie at offset in the image, with the stack
// behind them, and map themselves.
func (t *TrampolineBlob) tables(p *TrampolineParams, offset uint64) (*pageTables, error) {
	giant := p.GiantPages || t.format == &formatAA64
	for room := uint64(pageSize); ; {
		ram, devices := p.mapped(p.Base + offset + room)
		tables, err := newPageTables(t.format, p.Base+offset, ram, devices, giant)
		if err != nil {
			return nil, err
		}
		need := uint64(len(tables.raw)) + pageSize
		if need <= room {
			return tables, nil
		}
		room = need
	}
}
