// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Memory allocation services (§7.2).

func allocatePages(c *Call, how efi.AllocateType, t efi.MemoryType, pages uint64, memory efi.Ptr[efi.Addr]) error {
	at, err := mem.Load(c.m.mem, memory)
	if err != nil {
		return err
	}
	if at, err = c.m.mmap.AllocatePages(how, t, pages, at); err != nil {
		return err
	}
	if err := mem.Store(c.m.mem, memory, at); err != nil {
		_ = c.m.mmap.FreePages(at, pages) // it was allocated just now
		return err
	}
	return nil
}

func freePages(c *Call, memory efi.Addr, pages uint64) error {
	return c.m.mmap.FreePages(memory, pages)
}

func getMemoryMap(c *Call, size efi.Ptr[uint64], buffer efi.Addr, key, descriptorSize efi.Ptr[uint64], version efi.Ptr[uint32]) error {
	m := c.m
	room, err := mem.Load(m.mem, size)
	if err != nil {
		return err
	}
	raw := m.mmap.Marshal()
	if err := mem.Store(m.mem, size, uint64(len(raw))); err != nil {
		return err
	}
	if err := m.store64(descriptorSize, efi.MemoryDescriptorSize); err != nil {
		return err
	}
	if version != 0 {
		if err := mem.Store(m.mem, version, efi.MemoryDescriptorVersion); err != nil {
			return err
		}
	}
	if err := m.store64(key, m.mmap.Key()); err != nil {
		return err
	}
	switch {
	case room < uint64(len(raw)):
		return efi.BufferTooSmall
	case buffer == 0:
		return efi.InvalidParameter
	}
	return m.mem.Write(buffer, raw)
}

func allocatePool(c *Call, t efi.MemoryType, size uint64, buffer efi.Ptr[efi.Addr]) error {
	at, err := c.m.pool.Allocate(t, size)
	if err != nil {
		return err
	}
	if err := mem.Store(c.m.mem, buffer, at); err != nil {
		_ = c.m.pool.Free(at) // it was allocated just now
		return err
	}
	return nil
}

func freePool(c *Call, buffer efi.Addr) error {
	if buffer == 0 {
		return fmt.Errorf("NULL: %w", efi.InvalidParameter)
	}
	return c.m.pool.Free(buffer)
}
