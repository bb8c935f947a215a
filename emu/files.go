// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"bytes"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// FileReader is what LoadImage asks of a SimpleFileSystem that is implemented in
// Go: the contents of the file with that name, of at most limit bytes.
type FileReader interface {
	ReadFile(name string, limit int64) ([]byte, error)
}

// Loader is what LoadImage asks of a LoadFile or LoadFile2 that is implemented
// in Go.
type Loader interface {
	LoadFile(path efi.DevicePath, bootPolicy bool) ([]byte, error)
}

// readImageFile reads the file at a device path, by the protocols in the order
// of §7.4.1: SimpleFileSystem, LoadFile2 unless the boot policy asks, LoadFile.
func (c *Call) readImageFile(path efi.DevicePath, bootPolicy bool) ([]byte, error) {
	m := c.m
	if h, rest, ok := m.locateByPath(efi.SimpleFileSystemProtocolGUID, path); ok {
		if device, name := rest.SplitFile(); len(device) == 0 && name != "" {
			return c.readVolumeFile(h, name)
		}
	}
	if !bootPolicy {
		if h, rest, ok := m.locateByPath(efi.LoadFile2ProtocolGUID, path); ok {
			return c.loadFile(h, efi.LoadFile2ProtocolGUID, rest, false)
		}
	}
	if h, rest, ok := m.locateByPath(efi.LoadFileProtocolGUID, path); ok {
		return c.loadFile(h, efi.LoadFileProtocolGUID, rest, bootPolicy)
	}
	return nil, fmt.Errorf("nothing reads %v: %w", path, efi.NotFound)
}

func (c *Call) readVolumeFile(h efi.Handle, name string) ([]byte, error) {
	at, _ := c.m.handles.lookup(h, efi.SimpleFileSystemProtocolGUID)
	if host, ok := c.m.instances[at].(FileReader); ok {
		return host.ReadFile(name, c.m.limits.Image)
	}
	return c.readGuestFile(at, name)
}

func (c *Call) loadFile(h efi.Handle, guid efi.GUID, path efi.DevicePath, bootPolicy bool) ([]byte, error) {
	at, _ := c.m.handles.lookup(h, guid)
	if host, ok := c.m.instances[at].(Loader); ok {
		return host.LoadFile(path, bootPolicy)
	}
	return c.loadGuestFile(at, path, bootPolicy)
}

// scratch is pool memory that is given back when the service is done.
type scratch struct {
	c    *Call
	used []efi.Addr
}

func (s *scratch) put(data []byte) (efi.Addr, error) {
	at, err := s.c.m.allocate(efi.BootServicesData, data)
	if err == nil {
		s.used = append(s.used, at)
	}
	return at, err
}

func (s *scratch) free() {
	for _, at := range s.used {
		_ = s.c.m.pool.Free(at) // the guest may have freed it
	}
}

// method calls the function in slot i of the guest's interface structure at
// this, with this as the first argument.
func (c *Call) method(this efi.Addr, i int, args ...uint64) error {
	fn, err := mem.Load(c.m.mem, efi.Ptr[efi.Addr](this+efi.Addr(8*i)))
	if err != nil {
		return err
	}
	result, err := c.CallGuest(fn, append([]uint64{uint64(this)}, args...)...)
	if err != nil {
		return err
	}
	if status := efi.Status(result); status != efi.Success {
		return status
	}
	return nil
}

// loadGuestFile calls a LoadFile that the guest has installed (§13.1), first
// for the size.
func (c *Call) loadGuestFile(at efi.Addr, path efi.DevicePath, bootPolicy bool) ([]byte, error) {
	s := scratch{c: c}
	defer s.free()
	pathAt, err := s.put(path.Bytes())
	if err != nil {
		return nil, err
	}
	sizeAt, err := s.put(make([]byte, 8))
	if err != nil {
		return nil, err
	}
	policy := uint64(efi.BooleanOf(bootPolicy))
	err = c.method(at, 0, uint64(pathAt), policy, uint64(sizeAt), 0)
	if StatusOf(err) != efi.BufferTooSmall {
		if err == nil {
			err = efi.LoadError
		}
		return nil, err
	}
	size, err := mem.Load(c.m.mem, efi.Ptr[uint64](sizeAt))
	if err != nil {
		return nil, err
	}
	return c.fetch(size, func(buffer efi.Addr) (uint64, error) {
		err := c.method(at, 0, uint64(pathAt), policy, uint64(sizeAt), uint64(buffer))
		if err != nil {
			return 0, err
		}
		return mem.Load(c.m.mem, efi.Ptr[uint64](sizeAt))
	})
}

// fetch lets fill write up to size bytes into pages of guest memory, and copies
// them out.
func (c *Call) fetch(size uint64, fill func(buffer efi.Addr) (uint64, error)) ([]byte, error) {
	if size > uint64(c.m.limits.Image) {
		return nil, fmt.Errorf("a file of %d bytes: %w", size, efi.OutOfResources)
	}
	pages := max(efi.Pages(size), 1)
	buffer, err := c.m.AllocatePages(efi.BootServicesData, pages)
	if err != nil {
		return nil, err
	}
	defer c.m.mmap.FreePages(buffer, pages)
	n, err := fill(buffer)
	if err != nil {
		return nil, err
	}
	view, err := c.m.mem.Read(buffer, min(n, size))
	return bytes.Clone(view), err
}

// Slots of EFI_SIMPLE_FILE_SYSTEM_PROTOCOL and EFI_FILE_PROTOCOL (§13.4, §13.5),
// behind their revisions.
const (
	slotOpenVolume = 1
	slotOpen       = 1
	slotClose      = 2
	slotRead       = 4
	slotGetInfo    = 8
)

// closing closes a guest's file after err, unless the guest cannot be called any
// more; then err says why.
func (c *Call) closing(file efi.Addr, err *error) {
	if *err != nil && !isStatus(*err) {
		return
	}
	if cerr := c.method(file, slotClose); cerr != nil && !isStatus(cerr) {
		*err = cerr
	}
}

// readGuestFile reads a file from a file system that the guest has installed.
func (c *Call) readGuestFile(volume efi.Addr, name string) (data []byte, err error) {
	s := scratch{c: c}
	defer s.free()
	var slots [4]efi.Addr // root, file, size, GUID and FileInfo
	for i := range slots {
		at, err := s.put(make([]byte, 8))
		if err != nil {
			return nil, err
		}
		slots[i] = at
	}
	nameAt, err := s.put(efi.EncodeString(name))
	if err != nil {
		return nil, err
	}
	guid := efi.FileInfoGUID.Bytes()
	guidAt, err := s.put(guid[:])
	if err != nil {
		return nil, err
	}
	open := func(at efi.Addr) (efi.Addr, error) { return mem.Load(c.m.mem, efi.Ptr[efi.Addr](at)) }

	if err := c.method(volume, slotOpenVolume, uint64(slots[0])); err != nil {
		return nil, err
	}
	root, err := open(slots[0])
	if err != nil {
		return nil, err
	}
	defer c.closing(root, &err)
	if err := c.method(root, slotOpen, uint64(slots[1]), uint64(nameAt), uint64(efi.FileModeRead), 0); err != nil {
		return nil, err
	}
	file, err := open(slots[1])
	if err != nil {
		return nil, err
	}
	defer c.closing(file, &err)

	const infoRoom = 4096
	info, err := c.fetch(infoRoom, func(buffer efi.Addr) (uint64, error) {
		if err := c.m.store64(efi.Ptr[uint64](slots[2]), infoRoom); err != nil {
			return 0, err
		}
		return infoRoom, c.method(file, slotGetInfo, uint64(guidAt), uint64(slots[2]), uint64(buffer))
	})
	if err != nil {
		return nil, err
	}
	size := leUint64(info[8:]) // EFI_FILE_INFO.FileSize
	return c.fetch(size, func(buffer efi.Addr) (uint64, error) {
		if err := c.m.store64(efi.Ptr[uint64](slots[2]), size); err != nil {
			return 0, err
		}
		if err := c.method(file, slotRead, uint64(slots[2]), uint64(buffer)); err != nil {
			return 0, err
		}
		return mem.Load(c.m.mem, efi.Ptr[uint64](slots[2]))
	})
}
