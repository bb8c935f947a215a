// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"bytes"
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Image services (§7.4).

func loadImage(c *Call, bootPolicy efi.Boolean, parent efi.Handle, pathAt efi.Ptr[efi.DevicePath], source efi.Addr, size uint64, out efi.Ptr[efi.Handle]) error {
	m := c.m
	by, ok := m.images[parent]
	switch {
	case !ok:
		return fmt.Errorf("the parent is no image: %w", efi.InvalidParameter)
	case out == 0:
		return efi.InvalidParameter
	}
	var path efi.DevicePath
	var err error
	if pathAt != 0 {
		if path, err = m.readDevicePath(efi.Addr(pathAt)); err != nil {
			return err
		}
	}
	var file io.ReaderAt
	guests := false
	switch {
	case source != 0 && size != 0:
		if guests = m.inUse(source, size); guests {
			file, err = m.mem.Reader(source, size)
			break
		}
		var data []byte
		data, err = m.mem.Read(source, size)
		file = bytes.NewReader(bytes.Clone(data)) // the image may be laid over it: what is checked must be what is loaded
	case source == 0 && pathAt != 0:
		var data []byte
		data, err = c.readImageFile(path, bootPolicy.Bool())
		file, size = bytes.NewReader(data), uint64(len(data))
	case source == 0:
		err = efi.InvalidParameter
	default:
		err = efi.LoadError
	}
	if err != nil {
		return err
	}
	image, err := m.load(by, path, file, int64(size), source, !guests)
	if err != nil {
		return err
	}
	m.traceImage(image)
	if guests {
		err = image.keepBuffer(source, io.NewSectionReader(file, 0, int64(size)), m.cfg.KeepKernel)
	}
	if err == nil {
		err = mem.Store(m.mem, out, image.handle)
	}
	if err != nil {
		m.release(image)
		return err
	}
	return image.refused
}

// inUse reports whether no byte of a range is free memory.
func (m *Machine) inUse(a efi.Addr, n uint64) bool {
	for at, end := a, a+efi.Addr(n); at < end; {
		d, ok := m.mmap.Lookup(at)
		if !ok || d.Type == efi.ConventionalMemory {
			return false
		}
		at = d.Range().End
	}
	return true
}

func startImage(c *Call, handle efi.Handle, sizeOut efi.Ptr[uint64], dataOut efi.Ptr[efi.Addr]) error {
	image, ok := c.m.images[handle]
	switch {
	case !ok || image.started:
		return fmt.Errorf("no image that waits to be started: %w", efi.InvalidParameter)
	case image.refused != nil:
		return image.refused
	}
	c.m.traceEnter(c, image)
	return c.m.enterImage(image, frame{sizeOut: sizeOut, dataOut: dataOut})
}

func exitImage(c *Call, handle efi.Handle, status efi.Status, size uint64, data efi.Addr) error {
	m := c.m
	image, ok := m.images[handle]
	if !ok {
		return efi.InvalidParameter
	}
	if !image.started {
		m.release(image)
		return nil
	}
	at, current := m.innermost()
	if image != current {
		return fmt.Errorf("%s is not the image that runs: %w", image.name, efi.InvalidParameter)
	}
	m.traceExit(c)
	m.frames = m.frames[:at+1]
	if err := m.leaveImage(status, exitData{size, data, true}); err != nil {
		return err
	}
	return errSwitched
}

func unloadImage(c *Call, handle efi.Handle) error {
	image, ok := c.m.images[handle]
	if !ok {
		return efi.InvalidParameter
	}
	if image.started {
		info, err := mem.Load(c.m.mem, image.info)
		if err != nil {
			return err
		}
		if info.Unload == 0 {
			return fmt.Errorf("%s cannot be unloaded: %w", image.name, efi.Unsupported)
		}
		result, err := c.CallGuest(info.Unload, uint64(handle))
		if err != nil {
			return err
		}
		if status := efi.Status(result); status.IsError() {
			return status
		}
	}
	c.m.release(image)
	return nil
}
