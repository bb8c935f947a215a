// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the trampoline
	"encoding/binary"
	"errors"
	"fmt"
)

//go:embed trampoline-x64.bin
var trampolineX64 string

// TrampolineBlob is the trampoline of one architecture: what kexec jumps to. It
// verifies, scatters and zeroes memory, sets up the processor as UEFI leaves it
// to a payload (§2.3.4, §2.3.6), and goes on where the payload was. It needs
// nothing of the kernel that it comes from but that it can run and write where
// it lies, and all that it is to read or write can be reached.
//
// On x86-64 it leaves with paging on, memory where it is, a GDT of its own (code
// 0x10, data 0x18), an IDT without an entry, interrupts off, SSE on, the FS and
// GS base 0. It executes neither cpuid nor anything else that a confidential
// guest would have to emulate, but its page tables know no encryption bit: it
// does not work where memory is encrypted by one.
type TrampolineBlob struct {
	blob *Blob
}

// Trampoline returns the trampoline for arch, "x64".
func Trampoline(arch string) (*TrampolineBlob, error) {
	if arch != "x64" {
		return nil, fmt.Errorf("no trampoline for %q", arch)
	}
	b, err := parse(trampolineX64, trampolineX64Size)
	if err != nil {
		return nil, err
	}
	return &TrampolineBlob{b}, nil
}

// Entry is the offset of the entry in an image that Build has made.
func (t *TrampolineBlob) Entry() uint64 { return t.blob.functions["Entry"] }

// CPUState is the registers that a payload goes on with. Its fields are those of
// cpu.Regs and cpu.FPState. On x86-64 interrupts are off whatever Flags says.
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
// bytes apart.
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

	// Map is the memory that is mapped: all that the payload, and the trampoline
	// itself, uses, RAM or not. The trampoline's own and the console's are added.
	Map []Range

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

	SHA        bool // the processor has instructions for SHA-256
	GiantPages bool // x86-64: the processor has pages of 1 GiB
	FourLevels bool // x86-64: leave with CR4.LA57 off, even if it is on; Base must be below 4 GiB
}

const pageSize = 4096

// The layout in src/trampoline.h that all architectures have.
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
// Entry. It has three pages, the page tables (a page for every GiB that is not
// mapped as one page, and a few), 48 bytes for a Region, 24 for a Copy and 16
// for each of Zeros. Nothing but a state at which the processor would fault on
// the way, a list that contradicts itself, or memory that is not in Map is an
// error.
func (t *TrampolineBlob) Build(p TrampolineParams) ([]byte, error) {
	lists := p.lists()
	image := append(bytes.Clone(t.blob.Code), make([]byte, -len(t.blob.Code)&15)...)
	common := trampolineCommon{
		Console: p.Console.Address, Kind: uint32(p.Console.Kind), Shift: p.Console.Shift,
		Copies: p.Base + uint64(len(image)) + lists.copies, CopyCount: uint64(len(p.Copies)),
		Zeros: p.Base + uint64(len(image)) + lists.zeros, ZeroCount: uint64(len(p.Zeros)),
		Regions: p.Base + uint64(len(image)) + lists.regions,
	}
	if p.Verify {
		common.Count = uint32(ownRegions + len(p.Regions))
	}
	common.CountCheck = ^common.Count
	if p.SHA {
		common.Flags |= flagSHA
	}
	digests := Range{uint64(len(image)) + lists.regions, uint64(len(image)) + uint64(len(lists.raw))}
	image = append(image, lists.raw...)
	image = append(image, make([]byte, -len(image)&(pageSize-1))...)
	block, tables, err := p.x64(common, uint64(len(image)))
	if err != nil {
		return nil, err
	}
	copy(image[t.blob.params:], block)
	image = append(image, tables...)
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
	image = append(image, make([]byte, pageSize)...) // the stack
	return image, p.check(uint64(len(image)))
}

const regionSize = 16 + sha256.Size

func putRegion(b []byte, r Region) {
	binary.LittleEndian.PutUint64(b, r.Start)
	binary.LittleEndian.PutUint64(b[8:], r.End-r.Start)
	copy(b[16:], r.SHA256[:])
}

// trampolineLists is the lists in one piece, and where in it they are. The
// regions are the last, and not filled in.
type trampolineLists struct {
	raw                    []byte
	copies, zeros, regions uint64
}

func (p *TrampolineParams) lists() (l trampolineLists) {
	le := binary.LittleEndian
	for _, c := range p.Copies {
		l.raw = le.AppendUint64(le.AppendUint64(l.raw, c.From.Start), c.To)
		l.raw = le.AppendUint64(l.raw, (c.From.End-c.From.Start)/pageSize)
	}
	l.zeros = uint64(len(l.raw))
	for _, z := range p.Zeros {
		l.raw = le.AppendUint64(le.AppendUint64(l.raw, z.Start), (z.End-z.Start)/pageSize)
	}
	l.regions = uint64(len(l.raw))
	if p.Verify {
		l.raw = append(l.raw, make([]byte, regionSize*(ownRegions+len(p.Regions)))...)
	}
	return l
}
