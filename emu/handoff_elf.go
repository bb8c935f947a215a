// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/tables"
)

// The file of a Handoff is an ELF64 core: a PT_LOAD for each segment, by
// physical address, with no file contents where all is zero; the registers in
// NT_PRSTATUS, for gdb; a note of our own with the rest, as JSON; and in a
// part of a type of our own the file of the kernel, if Handoff.Kernel has one.
const (
	noteOwner    = "uefiexec"
	noteHandoff  = 1
	noteSystem   = "CORE"
	notePRStatus = 1

	partKernel = elf.PT_LOOS | 0x0b65726e

	elfHeaderSize  = 64
	elfProgSize    = 56
	maxELFSegments = 0xfffe // PN_XNUM is not used
)

// handoffNote is what of a Handoff the ELF format has no place for.
type handoffNote struct {
	Version             int
	Regs                cpu.Regs
	FP                  cpu.FPState
	Reserved            []efi.Range
	MemoryMap           []efi.MemoryDescriptor
	SystemTable         efi.Addr
	ConfigurationTables []efi.ConfigurationTable
	Variables           []tables.Variable
	LoadOptions         []byte
	Measurements        []Measurement `json:",omitempty"`
}

const handoffVersion = 1

var elfMachines = map[cpu.Arch]elf.Machine{cpu.AMD64: elf.EM_X86_64, cpu.ARM64: elf.EM_AARCH64}

// WriteTo writes the handoff as an ELF64 core that ReadHandoff, gdb and readelf
// open. What it is written to should be readable by its owner alone.
func (h *Handoff) WriteTo(w io.Writer) (int64, error) {
	if len(h.Segments) >= maxELFSegments-1 {
		return 0, fmt.Errorf("emu: handoff: %d segments do not fit into an ELF file", len(h.Segments))
	}
	meta, err := json.Marshal(handoffNote{
		handoffVersion, h.Regs, h.FP, h.Reserved, h.MemoryMap, h.SystemTable, h.ConfigurationTables, h.Variables, h.LoadOptions, h.Measurements,
	})
	if err != nil {
		return 0, fmt.Errorf("emu: handoff: %w", err)
	}
	notes := appendNote(nil, noteSystem, notePRStatus, prstatus(h.Arch, &h.Regs))
	notes = appendNote(notes, noteOwner, noteHandoff, meta)
	if len(notes) > maxNotes {
		return 0, fmt.Errorf("emu: handoff: notes of %d bytes", len(notes))
	}

	count := 1 + len(h.Segments)
	if h.kernel != nil {
		count++
	}
	offset := uint64(elfHeaderSize + elfProgSize*count)
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{
			0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT),
		},
		Type: uint16(elf.ET_CORE), Machine: uint16(elfMachines[h.Arch]), Version: uint32(elf.EV_CURRENT),
		Phoff: elfHeaderSize, Ehsize: elfHeaderSize, Phentsize: elfProgSize, Phnum: uint16(count),
	}
	progs := []elf.Prog64{{Type: uint32(elf.PT_NOTE), Off: offset, Filesz: uint64(len(notes)), Align: 4}}
	offset = roundUp(offset+uint64(len(notes)), efi.PageSize)
	start := offset
	for _, s := range h.Segments {
		progs = append(progs, elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X),
			Off: offset, Vaddr: uint64(s.Start), Paddr: uint64(s.Start),
			Filesz: uint64(len(s.Data)), Memsz: s.Size(), Align: efi.PageSize,
		})
		offset += roundUp(uint64(len(s.Data)), efi.PageSize)
	}
	if h.kernel != nil {
		progs = append(progs, elf.Prog64{Type: uint32(partKernel), Off: offset, Filesz: uint64(h.kernel.Size()), Align: efi.PageSize})
	}
	head, err := binary.Append(nil, binary.LittleEndian, header)
	if err == nil {
		head, err = binary.Append(head, binary.LittleEndian, progs)
	}
	if err != nil {
		return 0, fmt.Errorf("emu: handoff: %w", err)
	}
	head = append(head, notes...)
	head = append(head, make([]byte, start-uint64(len(head)))...)
	n, err := w.Write(head)
	total := int64(n)
	for _, s := range h.Segments {
		if err != nil {
			break
		}
		n, err = w.Write(s.Data)
		total += int64(n)
	}
	if err == nil && h.kernel != nil {
		var n int64
		n, err = io.Copy(w, io.NewSectionReader(h.kernel, 0, h.kernel.Size()))
		total += n
	}
	return total, err
}

func roundUp(n, unit uint64) uint64 { return (n + unit - 1) / unit * unit }

// appendNote appends an ELF note.
func appendNote(b []byte, owner string, typ uint32, desc []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(owner)+1))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(desc)))
	b = binary.LittleEndian.AppendUint32(b, typ)
	b = append(b, owner...)
	b = append(b, make([]byte, 4-len(owner)%4)...)
	b = append(b, desc...)
	return append(b, make([]byte, (4-len(desc)%4)%4)...)
}

// prstatus is the registers as Linux's struct elf_prstatus has them: 112 bytes
// of what is no register first.
func prstatus(arch cpu.Arch, r *cpu.Regs) []byte {
	var regs []uint64
	if arch == cpu.ARM64 {
		regs = append(append(regs, r.GP[:32]...), r.PC, r.Flags)
	} else {
		for _, i := range [...]int{15, 14, 13, 12, cpu.RBP, cpu.RBX, 11, 10, 9, 8, cpu.RAX, cpu.RCX, cpu.RDX, cpu.RSI, cpu.RDI} {
			regs = append(regs, r.GP[i])
		}
		const flatCode, flatData = 0x10, 0x18
		regs = append(regs, math.MaxUint64, r.PC, flatCode, r.Flags, r.GP[cpu.RSP], flatData,
			r.Base[0], r.Base[1], flatData, flatData, 0, 0)
	}
	b := make([]byte, 112)
	for _, v := range regs {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return append(b, make([]byte, 8)...) // pr_fpvalid
}

// maxNotes bounds the notes of a handoff file, in bytes.
const maxNotes = 64 << 20

// ReadHandoff reads what WriteTo has written, from the first size bytes of r. A
// file that is damaged or not one of ours is an error; the contents are as
// trustworthy as the file.
func ReadHandoff(r io.ReaderAt, size int64) (*Handoff, error) {
	h, err := readHandoff(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("emu: handoff file: %w", err)
	}
	return h, nil
}

func readHandoff(r *io.SectionReader) (*Handoff, error) {
	var header elf.Header64
	if err := binary.Read(io.NewSectionReader(r, 0, elfHeaderSize), binary.LittleEndian, &header); err != nil {
		return nil, err
	}
	want := [...]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)}
	if !bytes.HasPrefix(header.Ident[:], want[:]) || header.Type != uint16(elf.ET_CORE) ||
		header.Phentsize != elfProgSize || header.Phnum == 0 || header.Phnum > maxELFSegments {
		return nil, errors.New("no ELF64 core file")
	}
	h := &Handoff{}
	for arch, machine := range elfMachines {
		if header.Machine == uint16(machine) {
			h.Arch = arch
		}
	}
	if h.Arch == 0 {
		return nil, fmt.Errorf("for machine %v", elf.Machine(header.Machine))
	}
	progs := make([]elf.Prog64, header.Phnum)
	table := io.NewSectionReader(r, int64(min(header.Phoff, math.MaxInt64)), elfProgSize*int64(header.Phnum))
	if err := binary.Read(table, binary.LittleEndian, progs); err != nil {
		return nil, fmt.Errorf("program headers: %w", err)
	}
	found := false
	left := uint64(r.Size()) // the parts of a file lie beside each other: a small file is no large handoff
	for _, p := range progs {
		if p.Filesz > left {
			return nil, fmt.Errorf("parts of more than the file's %d bytes", r.Size())
		}
		left -= p.Filesz
		switch elf.ProgType(p.Type) {
		case elf.PT_NOTE:
			notes, err := readPart(r, p.Off, min(p.Filesz, maxNotes+1), maxNotes)
			if err != nil {
				return nil, err
			}
			if err := h.readNotes(notes); err != nil {
				return nil, err
			}
			found = true
		case elf.PT_LOAD:
			if err := h.readSegment(r, p); err != nil {
				return nil, err
			}
		case partKernel:
			data, err := readPart(r, p.Off, p.Filesz, math.MaxInt64)
			if err != nil {
				return nil, fmt.Errorf("kernel: %w", err)
			}
			h.kernel = io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
		}
	}
	if !found {
		return nil, errors.New("no note with the state of the machine")
	}
	return h, nil
}

// readPart reads n bytes at an offset, which must lie in the file.
func readPart(r *io.SectionReader, offset, n, limit uint64) ([]byte, error) {
	if n > limit || offset > uint64(r.Size()) || n > uint64(r.Size())-offset {
		return nil, fmt.Errorf("%d bytes at %#x: %w", n, offset, io.ErrUnexpectedEOF)
	}
	b := make([]byte, n)
	_, err := r.ReadAt(b, int64(offset))
	if err == io.EOF && n == 0 || err == io.EOF && offset+n == uint64(r.Size()) {
		err = nil
	}
	return b, err
}

func (h *Handoff) readSegment(r *io.SectionReader, p elf.Prog64) error {
	at, ok := efi.RangeOf(efi.Addr(p.Paddr), p.Memsz)
	if !ok || p.Memsz == 0 || !at.Start.PageAligned() || !at.End.PageAligned() || p.Filesz != 0 && p.Filesz != p.Memsz {
		return fmt.Errorf("segment %v with %d bytes", at, p.Filesz)
	}
	if n := len(h.Segments); n > 0 && h.Segments[n-1].End > at.Start {
		return fmt.Errorf("segments %v and %v are not in order", h.Segments[n-1].Range, at)
	}
	s := Segment{Range: at}
	if p.Filesz > 0 {
		var err error
		if s.Data, err = readPart(r, p.Off, p.Filesz, math.MaxInt64); err != nil {
			return fmt.Errorf("segment %v: %w", at, err)
		}
	}
	h.Segments = append(h.Segments, s)
	return nil
}

// readNotes finds our note among the notes.
func (h *Handoff) readNotes(b []byte) error {
	for len(b) >= 12 {
		owner, desc := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:]))
		typ := binary.LittleEndian.Uint32(b[8:])
		start := 12 + roundUp(owner, 4)
		end := start + roundUp(desc, 4)
		if end > uint64(len(b)) {
			return fmt.Errorf("note of %d bytes: %w", desc, io.ErrUnexpectedEOF)
		}
		if typ == noteHandoff && string(b[12:12+owner]) == noteOwner+"\x00" {
			return h.readState(b[start : start+desc])
		}
		b = b[end:]
	}
	return errors.New("no note of ours")
}

func (h *Handoff) readState(b []byte) error {
	var note handoffNote
	if err := json.Unmarshal(b, &note); err != nil {
		return err
	}
	if note.Version != handoffVersion {
		return fmt.Errorf("version %d, want %d", note.Version, handoffVersion)
	}
	h.Regs, h.FP, h.Reserved = note.Regs, note.FP, note.Reserved
	h.MemoryMap, h.SystemTable, h.ConfigurationTables = note.MemoryMap, note.SystemTable, note.ConfigurationTables
	h.Variables, h.LoadOptions, h.Measurements = note.Variables, note.LoadOptions, note.Measurements
	return nil
}
