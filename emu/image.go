// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/pecoff"
)

// Image is a loaded image (§7.4). What the guest may change about it (where it
// says it lies, its load options) is in its LoadedImage structure in guest
// memory, not here.
type Image struct {
	handle  efi.Handle
	name    string
	kind    pecoff.Subsystem
	size    uint64 // SizeOfImage
	entry   efi.Addr
	pages   efi.Range // what was allocated for it
	mapped  efi.Range // where it lies in that
	info    efi.Ptr[efi.LoadedImage]
	owned   []efi.Addr // pool memory that goes with it
	started bool
	refused error // SecurityViolation: loaded, but may not be started

	file     *io.SectionReader // of a kernel
	buffer   fileBuffer        // of a kernel, in place of file
	profiles []pecoff.Profile  // of a unified kernel image
}

// exitData is what an image gives back beside its status.
type exitData struct {
	size uint64
	at   efi.Addr
	exit bool // it came through Exit, not by returning
}

// machineOf is the machine type that a guest's images have.
func machineOf(arch cpu.Arch) pecoff.Machine {
	if arch == cpu.ARM64 {
		return pecoff.ARM64
	}
	return pecoff.AMD64
}

// loadRoot loads the image that Boot was given.
func (m *Machine) loadRoot(r io.ReaderAt, opts BootOptions) (*Image, error) {
	size, err := sizeOf(r)
	if err != nil {
		return nil, err
	}
	var path efi.DevicePath
	if opts.Device != 0 {
		if path, err = m.devicePath(opts.Device); err != nil {
			return nil, fmt.Errorf("emu: boot device: %w", err)
		}
	}
	image, err := m.load(nil, path.Append(opts.Path...), r, size, 0, true)
	if err != nil {
		return nil, fmt.Errorf("emu: load: %w", err)
	}
	if err = image.refused; err == nil {
		err = m.setLoadOptions(image, opts.LoadOptions)
	}
	if err != nil {
		m.release(image)
		return nil, fmt.Errorf("emu: load: %w", err)
	}
	if opts.Name != "" {
		image.name = opts.Name
	}
	m.traceImage(image)
	return image, nil
}

// setLoadOptions gives an image its load options. Without any, LoadOptions
// points at zeros all the same: some programs (memtest86+) look at what it points
// at before its size.
func (m *Machine) setLoadOptions(image *Image, options []byte) error {
	at, err := m.allocate(efi.BootServicesData, append(slices.Clip(options), 0, 0, 0, 0))
	if err != nil {
		return fmt.Errorf("load options: %w", err)
	}
	image.owned = append(image.owned, at)
	info, err := mem.Load(m.mem, image.info)
	if err != nil {
		return err
	}
	info.LoadOptions, info.LoadOptionsSize = at, uint32(len(options))
	return mem.Store(m.mem, image.info, info)
}

// sizeOf finds how long a reader's contents are.
func sizeOf(r io.ReaderAt) (int64, error) {
	switch r := r.(type) {
	case interface{ Size() int64 }:
		return r.Size(), nil
	case interface{ Stat() (os.FileInfo, error) }:
		info, err := r.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	return 0, errors.New("emu: the image's reader has neither Size nor Stat")
}

// load puts an image into memory and on a handle of its own. Its file lies at at in
// guest memory, or not there if that is 0. Lasting says that r can be read until Boot
// ends.
func (m *Machine) load(parent *Image, path efi.DevicePath, r io.ReaderAt, size int64, at efi.Addr, lasting bool) (*Image, error) {
	if size > m.limits.Image {
		return nil, fmt.Errorf("an image of %d bytes: %w", size, efi.OutOfResources)
	}
	parsed, err := pecoff.Parse(r, size)
	if err != nil {
		return nil, imageError(err)
	}
	if err := parsed.Check(machineOf(m.cfg.Arch)); err != nil {
		return nil, imageError(err)
	}
	image := &Image{name: m.imageName(parent, path), kind: parsed.Subsystem, size: uint64(parsed.SizeOfImage)}
	if m.cfg.Policy != nil {
		err := m.cfg.Policy.Check(parsed, path)
		switch {
		case errors.Is(err, efi.SecurityViolation):
			image.refused = err
		case err != nil:
			return nil, err
		}
	}
	if m.cfg.Measurer != nil && image.refused == nil {
		if err := m.cfg.Measurer.MeasureImage(parsed, at, path); err != nil {
			return nil, imageError(err)
		}
	}
	if err := m.mapImage(image, parsed, lasting); err != nil {
		m.release(image)
		return nil, imageError(err)
	}
	if err := m.introduce(image, parent, path); err != nil {
		m.release(image)
		return nil, err
	}
	image.keep(parsed, r, size)
	m.images[image.handle] = image
	return image, nil
}

// imageError gives the reasons of pecoff their status (§7.4.1).
func imageError(err error) error {
	var format *pecoff.FormatError
	switch {
	case !errors.As(err, &format):
		return err
	case errors.Is(err, pecoff.ErrTruncated):
		return fmt.Errorf("%w: %w", err, efi.LoadError)
	}
	return fmt.Errorf("%w: %w", err, efi.Unsupported)
}

// codeAndData are the memory types of an image's subsystem.
func codeAndData(s pecoff.Subsystem) (code, data efi.MemoryType) {
	switch s {
	case pecoff.BootServiceDriver:
		return efi.BootServicesCode, efi.BootServicesData
	case pecoff.RuntimeDriver:
		return efi.RuntimeServicesCode, efi.RuntimeServicesData
	}
	return efi.LoaderCode, efi.LoaderData
}

// mapImage allocates, lays out and relocates.
func (m *Machine) mapImage(image *Image, p *pecoff.Image, lasting bool) error {
	code, _ := codeAndData(p.Subsystem)
	size := efi.Pages(uint64(p.SizeOfImage)) * efi.PageSize
	align := uint64(max(p.SectionAlignment, efi.PageSize))
	room := size + align - efi.PageSize
	var at efi.Addr
	var err error
	if p.Characteristics&pecoff.RelocsStripped != 0 {
		room = size
		at, err = m.mmap.AllocatePages(efi.AllocateAddress, code, room/efi.PageSize, efi.Addr(p.ImageBase))
	} else {
		at, err = m.imagePages(p, code, room/efi.PageSize)
	}
	if err != nil {
		return fmt.Errorf("%d pages for the image: %w", room/efi.PageSize, err)
	}
	image.pages = efi.Range{Start: at, End: at + efi.Addr(room)}
	base := efi.Addr((uint64(at) + align - 1) &^ (align - 1))
	image.mapped = efi.Range{Start: base, End: base + efi.Addr(size)}
	image.entry = base + efi.Addr(p.EntryPoint)
	return m.layOut(base, p, lasting)
}

// overrun is how much old kernels read behind their images, in bytes: Linux 4.15
// copies itself from behind its setup sectors on, which are 32 KiB at most, but in
// its whole size. Firmware maps what is no RAM, too, and there it goes unnoticed.
const overrun = 32 << 10

// imagePages allocates pages for an image. A kernel is put where memory lies behind
// it, if there is such a place.
func (m *Machine) imagePages(p *pecoff.Image, t efi.MemoryType, pages uint64) (efi.Addr, error) {
	if p.Kind() == pecoff.KindBzImage && p.Subsystem == pecoff.Application { // runtime drivers come in larger units
		const more = overrun / efi.PageSize
		if at, err := m.mmap.AllocatePages(efi.AllocateAnyPages, t, pages+more, 0); err == nil {
			return at, m.mmap.FreePages(at+efi.Addr(pages*efi.PageSize), more)
		}
	}
	return m.mmap.AllocatePages(efi.AllocateAnyPages, t, pages, 0)
}

// layOut puts an image into memory and relocates it. The large parts of one that
// can be read for long come while the guest runs already.
func (m *Machine) layOut(base efi.Addr, p *pecoff.Image, lasting bool) error {
	laidOut, err := p.LaidOut()
	if err != nil {
		return err
	}
	var later []efi.Range // as RVAs
	if lasting {
		later = laterParts(p)
	}
	part := func(start, end efi.Addr) (efi.Range, io.ReaderAt) {
		return efi.Range{Start: base + start, End: base + end}, io.NewSectionReader(laidOut, int64(start), int64(end-start))
	}
	at := efi.Addr(0)
	for _, l := range append(later, efi.Range{Start: efi.Addr(p.SizeOfImage), End: efi.Addr(p.SizeOfImage)}) {
		r, contents := part(at, l.Start)
		if err := m.mem.Fill(r.Start, r.Size(), contents); err != nil {
			return err
		}
		at = l.End
	}
	view, err := m.mem.Edit(base, uint64(p.SizeOfImage))
	if err != nil {
		return err
	}
	if err := p.Relocate(view, uint64(base)); err != nil {
		return err
	}
	for _, l := range later {
		if err := m.mem.FillLater(part(l.Start, l.End)); err != nil {
			return err
		}
	}
	return nil
}

// laterSize is the least size, in bytes, of what is laid out later: less than that
// is laid out in the time that handing it over takes.
const laterSize = 1 << 20

// laterParts are the RVAs of the large runs of pages in an image's sections that
// Relocate does not look at, in ascending order.
func laterParts(p *pecoff.Image) []efi.Range {
	var parts []efi.Range
	for _, s := range p.Sections {
		start, end := efi.Addr(s.VirtualAddress), efi.Addr(s.VirtualAddress)+efi.Addr(min(s.MappedSize(), s.Size))
		r := efi.Range{Start: (start + efi.PageSize - 1).PageDown(), End: end.PageDown()}
		if r.Size() >= laterSize && !r.Contains(efi.Addr(p.EntryPoint)) && !slices.ContainsFunc(parts, r.Overlaps) {
			parts = append(parts, r)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	fixups, err := p.Fixups()
	if err != nil {
		return nil // Relocate says what is wrong
	}
	parts = slices.DeleteFunc(parts, func(r efi.Range) bool {
		return slices.ContainsFunc(fixups, func(f pecoff.Span) bool {
			return r.Overlaps(efi.Range{Start: efi.Addr(f.VirtualAddress), End: efi.Addr(f.VirtualAddress) + efi.Addr(f.Size)})
		})
	})
	slices.SortFunc(parts, func(a, b efi.Range) int { return cmp.Compare(a.Start, b.Start) })
	return parts
}

// introduce makes the image's handle with its two protocols.
func (m *Machine) introduce(image, parent *Image, path efi.DevicePath) error {
	device, rest := m.nearestDevice(path)
	own := func(data []byte) (efi.Addr, error) {
		at, err := m.allocate(efi.BootServicesData, data)
		if err == nil {
			image.owned = append(image.owned, at)
		}
		return at, err
	}
	code, data := codeAndData(image.kind)
	info := efi.LoadedImage{
		Revision:      efi.LoadedImageRevision,
		SystemTable:   m.systemTable,
		DeviceHandle:  device,
		ImageBase:     image.mapped.Start,
		ImageSize:     image.size,
		ImageCodeType: code,
		ImageDataType: data,
	}
	if parent != nil {
		info.ParentHandle = parent.handle
	}
	var whole efi.Addr
	if len(path) > 0 {
		var err error
		if whole, err = own(path.Bytes()); err != nil {
			return err
		}
		if info.FilePath, err = own(rest.Bytes()); err != nil {
			return err
		}
	}
	raw, err := own(make([]byte, loadedImageSize))
	if err != nil {
		return err
	}
	image.info = efi.Ptr[efi.LoadedImage](raw)
	if err := mem.Store(m.mem, image.info, info); err != nil {
		return err
	}
	if image.handle, err = m.handles.install(0, efi.LoadedImageProtocolGUID, raw); err != nil {
		return err
	}
	_, err = m.handles.install(image.handle, efi.LoadedImageDevicePathProtocolGUID, whole)
	return err
}

const loadedImageSize = 0x60

// imageName is what people call an image: its file's name, or its loader's with
// a number.
func (m *Machine) imageName(parent *Image, path efi.DevicePath) string {
	if _, file := path.SplitFile(); file != "" {
		name := []rune(file[strings.LastIndexAny(file, `\/`)+1:])
		return printable(string(name[:min(len(name), maxTraceString)]))
	}
	if parent == nil {
		return "image"
	}
	return fmt.Sprintf("%s/%d", parent.name, len(m.images))
}

// release gives back what an image has: its handle, memory, and what it has open.
func (m *Machine) release(image *Image) {
	if h := m.handles.byID[image.handle]; h != nil {
		for _, p := range slices.Clone(h.protocols) {
			if p.guid == efi.LoadedImageProtocolGUID || p.guid == efi.LoadedImageDevicePathProtocolGUID {
				p.opens = nil
				_ = m.handles.uninstall(h.id, p.guid, p.at) // it is there
			}
		}
	}
	for _, h := range m.handles.list {
		for _, p := range h.protocols {
			p.opens = slices.DeleteFunc(p.opens, func(o efi.OpenProtocolInformationEntry) bool {
				return o.AgentHandle == image.handle
			})
		}
	}
	for _, at := range image.owned {
		_ = m.pool.Free(at) // the guest may have freed it
	}
	if image.pages.Size() > 0 {
		_ = m.mmap.FreePages(image.pages.Start, image.pages.Size()/efi.PageSize) // likewise
	}
	image.owned, image.pages = nil, efi.Range{} // an image can be left and unloaded
	delete(m.images, image.handle)
}

// enterImage makes the guest enter an image's entry point; f says who waits.
func (m *Machine) enterImage(image *Image, f frame) error {
	f.kind, f.image, f.caller, f.tpl = frameImage, image, m.regs, m.events.tpl
	if err := m.engine.FP(&f.fp); err != nil {
		return stop{fmt.Errorf("emu: engine: %w", err)}
	}
	if err := m.push(f); err != nil {
		return err
	}
	image.started = true
	err := m.abi.Call(m.mem, &m.regs, image.entry, m.returns[frameImage], uint64(image.handle), uint64(m.systemTable))
	if err != nil {
		return m.badStack(err)
	}
	return errSwitched
}

// leaveImage ends the image of the innermost frame, which is one of an image,
// and brings its status to whoever started it.
func (m *Machine) leaveImage(status efi.Status, data exitData) error {
	f := m.pop()
	m.traceLeave(f.image, status)
	if len(m.frames) == 0 {
		exit := &ExitError{Image: f.image.name, Status: status}
		if text, err := m.mem.Tail(data.at, min(data.size, 4096)); err == nil {
			exit.Data = efi.DecodeString(text)
		}
		m.release(f.image)
		m.events.tpl = f.tpl
		return stop{exit}
	}
	if f.image.kind == pecoff.Application || status.IsError() {
		m.release(f.image)
	}
	m.regs = f.caller
	m.events.tpl = f.tpl
	if data.exit {
		if err := m.engine.SetFP(&f.fp); err != nil {
			return stop{fmt.Errorf("emu: engine: %w", err)}
		}
	}
	err := m.store64(f.sizeOut, data.size)
	if err == nil && data.at != 0 && f.dataOut != 0 {
		err = mem.Store(m.mem, f.dataOut, data.at)
	}
	if err != nil {
		status = StatusOf(err)
	}
	if err := m.abi.Return(m.mem, &m.regs, uint64(status)); err != nil {
		return m.badStack(err)
	}
	return m.deliver()
}

// store64 writes v at p, unless p is NULL.
func (m *Machine) store64(p efi.Ptr[uint64], v uint64) error {
	if p == 0 {
		return nil
	}
	return mem.Store(m.mem, p, v)
}
