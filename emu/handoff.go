// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/tables"
)

// Handoff is a machine that has exited boot services, as data: what has to be
// put in place for the payload to go on as if ExitBootServices had just
// returned to it. It owns the memory it names until Close.
//
// It holds the payload's secrets: random seeds, credentials, keys.
type Handoff struct {
	Arch cpu.Arch
	Regs cpu.Regs // behind the call, the status in place
	FP   cpu.FPState

	// Segments are the memory that must be put in place, ascending: every page
	// that was allocated, so the payload's, its stack, the tables, the resident
	// code. Free memory is in none, nor what the memory map had in use from the
	// start, such as the host's ACPI tables.
	Segments []Segment

	// Reserved are the ranges of Machine.Reserve. They are in Segments, too.
	Reserved []efi.Range

	MemoryMap           []efi.MemoryDescriptor
	SystemTable         efi.Addr
	ConfigurationTables []efi.ConfigurationTable
	Variables           []tables.Variable

	// LoadOptions are those of the handle that exited boot services, as they were
	// then in its LoadedImage; none if it has none, or what that says is no memory.
	LoadOptions []byte

	// Measurements are what Config.Measurer has extended; nothing of it has reached
	// a TPM.
	Measurements []Measurement

	memory   *mem.Memory
	kernel   *io.SectionReader
	noKernel error // why there is none
}

// Segment is a run of pages. Data is nil where all of it is zero and has to be
// zeroed: what lies there after kexec is garbage.
type Segment struct {
	efi.Range
	Data []byte
}

// handoff takes the frozen machine's state; it owns the memory from then on.
func (m *Machine) handoff() (*Handoff, error) {
	h := &Handoff{
		Arch:                m.cfg.Arch,
		Regs:                m.regs,
		Reserved:            slices.Clone(m.reserved),
		MemoryMap:           m.mmap.Descriptors(),
		SystemTable:         m.systemTable.Addr(),
		ConfigurationTables: m.config.Entries(),
		Variables:           slices.Collect(m.vars.All()),
		memory:              m.mem,
	}
	if err := m.engine.FP(&h.FP); err != nil {
		return nil, fmt.Errorf("emu: engine: %w", err)
	}
	h.LoadOptions = m.exitedWith()
	if m.cfg.Measurer != nil {
		h.Measurements = m.cfg.Measurer.Measurements()
	}
	h.kernel, h.noKernel = m.capture()
	if err := m.mem.Settle(); err != nil {
		return nil, fmt.Errorf("emu: handoff: %w", err)
	}
	// The end of the engine, a process perhaps, takes its time, and so does looking
	// for pages.
	var err error
	var done sync.WaitGroup
	done.Go(func() { err = h.addRanges(m.mmap.Ranges(taken)) })
	_ = m.engine.Close() // what it did is done
	done.Wait()
	return h, err
}

// exitedWith copies the load options of the handle that has exited boot services.
func (m *Machine) exitedWith() []byte {
	at, ok := m.handles.lookup(m.exitedBy, efi.LoadedImageProtocolGUID)
	if !ok {
		return nil
	}
	info, err := mem.Load(m.mem, efi.Ptr[efi.LoadedImage](at))
	if err != nil {
		return nil
	}
	options, err := m.mem.Read(info.LoadOptions, uint64(info.LoadOptionsSize))
	if err != nil {
		return nil
	}
	return bytes.Clone(options)
}

// taken tells what was allocated from what lay in the memory map from the start.
func taken(r tables.Region) bool {
	return r.Type != efi.ConventionalMemory && r.Owner != tables.OwnerPlatform
}

// addRanges adds the segments of runs of pages, as far as they are RAM.
func (h *Handoff) addRanges(runs iter.Seq[efi.Range]) error {
	for _, ram := range h.memory.Ranges() {
		for r := range runs {
			r = efi.Range{Start: max(r.Start, ram.Start), End: min(r.End, ram.End)}
			if r.Size() == 0 {
				continue
			}
			if err := h.addRange(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// addRange adds the segments of one run of pages.
func (h *Handoff) addRange(r efi.Range) error {
	at := r.Start
	zero := func(end efi.Addr) {
		if at < end {
			h.Segments = append(h.Segments, Segment{Range: efi.Range{Start: at, End: end}})
		}
	}
	for data := range h.memory.Touched(r) {
		view, err := h.memory.Read(data.Start, data.Size())
		if err != nil {
			return fmt.Errorf("emu: handoff: %w", err)
		}
		zero(data.Start)
		h.Segments = append(h.Segments, Segment{data, view})
		at = data.End
	}
	zero(r.End)
	return nil
}

// Close gives the memory back.
func (h *Handoff) Close() error {
	h.Segments, h.kernel, h.noKernel = nil, nil, nil
	if h.memory == nil {
		return nil
	}
	return h.memory.Close()
}

// Runs are the segments, those that touch joined.
func (h *Handoff) Runs() []efi.Range {
	var runs []efi.Range
	for _, s := range h.Segments {
		if n := len(runs); n > 0 && runs[n-1].End == s.Start {
			runs[n-1].End = s.End
		} else {
			runs = append(runs, s.Range)
		}
	}
	return runs
}

// Touched is the number of bytes of data in the segments.
func (h *Handoff) Touched() uint64 {
	var n uint64
	for _, s := range h.Segments {
		n += uint64(len(s.Data))
	}
	return n
}

// Read copies n bytes of the frozen memory at a, over segments that touch.
// Bytes that are in no segment are an error, and so is more than a gibibyte
// beyond the data there is.
func (h *Handoff) Read(a efi.Addr, n uint64) ([]byte, error) {
	r, ok := efi.RangeOf(a, n)
	if !ok || n > h.Touched()+zeroLimit {
		return nil, fmt.Errorf("emu: handoff: %d bytes at %v: %w", n, a, efi.InvalidParameter)
	}
	end := a
	for _, s := range h.Segments {
		if s.Contains(end) {
			end = min(s.End, r.End)
		}
	}
	if end != r.End {
		return nil, fmt.Errorf("emu: handoff: %v is in no segment: %w", end, efi.InvalidParameter)
	}
	out := make([]byte, n)
	for _, s := range h.Segments {
		if from, to := max(s.Start, a), min(s.End, end); from < to && s.Data != nil {
			copy(out[from-a:to-a], s.Data[from-s.Start:])
		}
	}
	return out, nil
}

// view is Read without the copy where one segment has it all.
func (h *Handoff) view(a efi.Addr, n uint64) ([]byte, error) {
	if end, ok := a.Add(n); ok {
		for _, s := range h.Segments {
			if s.Data != nil && s.Covers(efi.Range{Start: a, End: end}) {
				return s.Data[a-s.Start:][:n:n], nil
			}
		}
	}
	return h.Read(a, n)
}

// Write changes bytes of the frozen memory at a, in one segment that holds data.
func (h *Handoff) Write(a efi.Addr, b []byte) error {
	for _, s := range h.Segments {
		if end, ok := a.Add(uint64(len(b))); ok && s.Data != nil && s.Covers(efi.Range{Start: a, End: end}) {
			copy(s.Data[a-s.Start:], b)
			return nil
		}
	}
	return fmt.Errorf("emu: handoff: %d bytes at %v are in no segment with data: %w", len(b), a, efi.InvalidParameter)
}

// zeroLimit bounds how much of zero memory Read returns beyond the data there is.
const zeroLimit = 1 << 30

// CommandLine is LoadOptions as text.
func (h *Handoff) CommandLine() string { return efi.DecodeString(h.LoadOptions) }

// ConfigurationTable finds a configuration table.
func (h *Handoff) ConfigurationTable(guid efi.GUID) (efi.Addr, bool) {
	for _, t := range h.ConfigurationTables {
		if t.VendorGUID == guid {
			return t.VendorTable, true
		}
	}
	return 0, false
}

// SetConfigurationTable changes the address of a configuration table that the
// payload has, in its memory, too. NotFound: it has none of that GUID.
func (h *Handoff) SetConfigurationTable(guid efi.GUID, table efi.Addr) error {
	raw, err := h.Read(h.SystemTable, uint64(binary.Size(efi.SystemTable{})))
	if err != nil {
		return err
	}
	var st efi.SystemTable
	if _, err := binary.Decode(raw, binary.LittleEndian, &st); err != nil {
		return err
	}
	for i := range h.ConfigurationTables {
		if h.ConfigurationTables[i].VendorGUID != guid {
			continue
		}
		at := st.ConfigurationTable.Addr() + efi.Addr(i)*tables.ConfigurationTableSize
		entry := guid.Bytes()
		if there, err := h.Read(at, uint64(len(entry))); err != nil || !bytes.Equal(there, entry[:]) {
			return fmt.Errorf("emu: handoff: the configuration tables at %v are not those that were frozen: %w", at, efi.NotFound)
		}
		if err := h.Write(at, binary.LittleEndian.AppendUint64(entry[:], uint64(table))); err != nil {
			return err
		}
		h.ConfigurationTables[i].VendorTable = table
		return nil
	}
	return fmt.Errorf("emu: handoff: configuration table %v: %w", guid, efi.NotFound)
}

// ErrNoInitrd says that the payload has left no initrd in its configuration
// tables.
var ErrNoInitrd = errors.New("emu: the payload has left no initrd")

// Initrd is the initrd that the payload's Linux EFI stub has handed to its
// kernel, in the LINUX_EFI_INITRD_MEDIA configuration table: all that stubs and
// sidecars have added is in it. It is not to be changed, and good until Close.
func (h *Handoff) Initrd() ([]byte, error) {
	at, ok := h.ConfigurationTable(efi.LinuxInitrdMediaGUID)
	if !ok {
		return nil, ErrNoInitrd
	}
	raw, err := h.Read(at, 16)
	if err != nil {
		return nil, fmt.Errorf("emu: initrd table: %w", err)
	}
	initrd, err := h.view(efi.Addr(leUint64(raw)), leUint64(raw[8:]))
	if err != nil {
		return nil, fmt.Errorf("emu: initrd: %w", err)
	}
	return initrd, nil
}
