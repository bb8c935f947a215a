// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// fatMaxSize is the greatest size of a file on FAT, in bytes.
const fatMaxSize = 1<<32 - 1

// fileRead reads from a file's position, or the next entry of a folder
// (§13.5.5). At the end of either it reads nothing. DeviceError: the position is
// behind the end, or the host cannot read; BufferTooSmall: see readFolder.
func fileRead(c *emu.Call, this efi.Addr, size efi.Ptr[uint64], buffer efi.Addr) error {
	f, err := thisFile(c, this)
	if err != nil {
		return err
	}
	room, err := mem.Load(c.Memory(), size)
	if err != nil {
		return err
	}
	if f.folder {
		return f.readFolder(c, size, room, buffer)
	}
	info, err := f.info()
	if err != nil {
		return err
	}
	if f.pos > info.Size() {
		return fmt.Errorf("position %d of %d: %w", f.pos, info.Size(), efi.DeviceError)
	}
	n := min(room, uint64(info.Size()-f.pos))
	if n > 0 && buffer == 0 {
		return efi.InvalidParameter
	}
	view, err := c.Memory().Edit(buffer, n)
	if err != nil {
		return err
	}
	if n > 0 {
		got, err := f.host.ReadAt(view, f.pos)
		if got < len(view) && !errors.Is(err, io.EOF) {
			return deviceError(err)
		}
		n = uint64(got) // less if the file has become shorter
	}
	if err := mem.Store(c.Memory(), size, n); err != nil {
		return err
	}
	f.pos += int64(n)
	return nil
}

// fileWrite writes at a file's position (§13.5.6), over zeros from the end to
// there. Unsupported: a folder, or more than FAT can hold. WriteProtected: a
// read-only volume. AccessDenied: not open for writing. VolumeFull: the guest
// has taken what it may.
func fileWrite(c *emu.Call, this efi.Addr, size efi.Ptr[uint64], buffer efi.Addr) error {
	f, err := thisFile(c, this)
	switch {
	case err != nil:
		return err
	case f.folder:
		return efi.Unsupported
	case f.volume.write == nil:
		return efi.WriteProtected
	case !f.writable:
		return efi.AccessDenied
	}
	n, err := mem.Load(c.Memory(), size)
	if err != nil {
		return err
	}
	view, err := c.Memory().Read(buffer, n)
	if err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	if n > fatMaxSize || f.pos > fatMaxSize-int64(n) {
		return fmt.Errorf("%d bytes at %d: %w", n, f.pos, efi.Unsupported)
	}
	if err := mem.Store(c.Memory(), size, n); err != nil {
		return err // before anything is written
	}
	if err := f.grow(f.pos + int64(n)); err != nil {
		return err
	}
	wrote, err := f.host.write.WriteAt(view, f.pos)
	f.pos += int64(wrote)
	if serr := mem.Store(c.Memory(), size, uint64(wrote)); err == nil {
		err = serr
	}
	return err
}

// grow pays for a file to be of a size, if it is smaller.
func (f *openFile) grow(size int64) error {
	info, err := f.info()
	if err != nil || size <= info.Size() {
		return err
	}
	return f.volume.charge(f.volume.blocks(info.Size()), f.volume.blocks(size))
}

// blocks is how many blocks a file has.
func (v *volume) blocks(size int64) uint64 {
	return (uint64(max(size, 0)) + uint64(v.block) - 1) / uint64(v.block)
}

// charge takes the blocks from old to now off the free space.
func (v *volume) charge(old, now uint64) error {
	cost := (now - old) * uint64(v.block)
	if cost > v.free {
		return fmt.Errorf("%d bytes are free: %w", v.free, efi.VolumeFull)
	}
	v.free -= cost
	return nil
}

// refund gives blocks back.
func (v *volume) refund(blocks uint64) { v.free += blocks * uint64(v.block) }

// fileGetPosition (§13.5.12): Unsupported for a folder.
func fileGetPosition(c *emu.Call, this efi.Addr, position efi.Ptr[uint64]) error {
	f, err := thisFile(c, this)
	if err != nil {
		return err
	}
	if f.folder {
		return efi.Unsupported
	}
	if position == 0 {
		return efi.InvalidParameter
	}
	return mem.Store(c.Memory(), position, uint64(f.pos))
}

// fileSetPosition (§13.5.11): the highest position is the end. A folder can only
// be read from its start again, else Unsupported.
func fileSetPosition(c *emu.Call, this efi.Addr, position uint64) error {
	f, err := thisFile(c, this)
	if err != nil {
		return err
	}
	switch {
	case f.folder && position != 0:
		return efi.Unsupported
	case f.folder:
		f.pos, f.entries, f.listed = 0, nil, false
		return nil
	case position == math.MaxUint64:
		info, err := f.info()
		if err != nil {
			return err
		}
		f.pos = info.Size()
		return nil
	case position > math.MaxInt64:
		return fmt.Errorf("position %#x: %w", position, efi.Unsupported)
	}
	f.pos = int64(position)
	return nil
}
