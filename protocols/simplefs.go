// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"cmp"
	"fmt"
	"io/fs"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// simpleFileSystemProtocol are the rows of EFI_SIMPLE_FILE_SYSTEM_PROTOCOL (§13.4).
var simpleFileSystemProtocol = emu.Protocol{
	GUID: efi.SimpleFileSystemProtocolGUID,
	Name: "SimpleFileSystem",
	Services: []emu.Service{
		emu.Field("Revision"),
		emu.Func2("OpenVolume", openVolume, "this", "*root"),
	},
}

const simpleFileSystemRevision = 0x00010000

// VolumeOptions say what a volume tells of itself.
type VolumeOptions struct {
	Label string // "" is none

	// Size is the size of the volume in bytes; 0 is 1 GiB. Free is how much of it
	// is free: on a volume that can be written to, what the guest may make its
	// files grow by, and 0 is 64 MiB; on others it is only shown.
	Size, Free uint64

	// BlockSize is what files grow by in bytes; 0 is 4096.
	BlockSize uint32
}

// volume is a file system and what guests have open on it.
type volume struct {
	tree  fatTree
	write WritableFS // nil: read-only
	label string
	size  uint64
	free  uint64
	block uint32

	files *emu.Protocol
	open  map[efi.Addr]*openFile
}

// maxOpenFiles is how many files and folders a guest can have open on a volume.
const maxOpenFiles = 512

// SimpleFileSystem makes a volume (§13.4, §13.5) of any file system of Go's: a
// folder, an archive (see package archive), files in the program. It is used as
// a FAT volume is, so names are found whatever their case; where two differ by
// nothing else, the one that is spelled exactly so is taken, else the first.
// Short names (PROGRA~1) do not exist.
//
// The volume is read-only unless fsys is a WritableFS: opening for writing and
// creating are WriteProtected, and Delete is a warning.
//
// Names of the guest never lead out of fsys. Links in it do where it lets them:
// give a folder as os.Root.FS, which keeps them inside, not as os.DirFS. Opening
// must not block: pipes and devices are told by Stat and left alone, which
// fsys should implement (fs.StatFS) if it has any.
//
// The interface is for one machine. Files that a guest has not closed are closed
// when the interface is garbage.
func SimpleFileSystem(fsys fs.FS, opts VolumeOptions) emu.Interface {
	v := &volume{
		tree:  fatTree{fsys},
		label: opts.Label,
		size:  cmp.Or(opts.Size, 1<<30),
		free:  opts.Free,
		block: cmp.Or(opts.BlockSize, 4096),
		files: &fileProtocol,
		open:  map[efi.Addr]*openFile{},
	}
	if w, ok := fsys.(WritableFS); ok {
		v.write, v.free = w, cmp.Or(opts.Free, 64<<20)
	}
	return emu.Interface{
		Protocol: &simpleFileSystemProtocol,
		Value:    v,
		Fields:   func(*emu.Machine) ([]uint64, error) { return []uint64{simpleFileSystemRevision}, nil },
	}
}

// openVolume opens the root. OutOfResources: too many files are open.
func openVolume(c *emu.Call, this efi.Addr, out efi.Ptr[efi.Addr]) error {
	v, err := emu.This[*volume](c, this)
	if err != nil {
		return err
	}
	if _, err := v.tree.stat("."); err != nil {
		return err
	}
	return v.give(c, &openFile{volume: v, path: ".", folder: true, writable: v.write != nil}, out)
}

// give hands an open file to the guest.
func (v *volume) give(c *emu.Call, f *openFile, out efi.Ptr[efi.Addr]) error {
	at, err := v.place(c.Machine(), f)
	if err != nil {
		f.close()
		return err
	}
	if err := mem.Store(c.Memory(), out, at); err != nil {
		v.forget(c.Machine(), at, f)
		return err
	}
	return nil
}

func (v *volume) place(m *emu.Machine, f *openFile) (efi.Addr, error) {
	if len(v.open) >= maxOpenFiles {
		return 0, fmt.Errorf("%d files are open: %w", len(v.open), efi.OutOfResources)
	}
	at, err := m.Place(emu.Interface{
		Protocol: v.files,
		Value:    f,
		Fields:   func(*emu.Machine) ([]uint64, error) { return []uint64{fileRevision}, nil },
	})
	if err != nil {
		return 0, err
	}
	v.open[at] = f
	return at, nil
}

// forget closes a file and takes its structure out of guest memory.
func (v *volume) forget(m *emu.Machine, at efi.Addr, f *openFile) {
	f.close()
	delete(v.open, at)
	m.Remove(at)
}

// ReadFile makes a volume an emu.FileReader, for LoadImage. NotFound: there is
// no such file, or it is a folder. OutOfResources: it is longer than limit.
func (v *volume) ReadFile(name string, limit int64) ([]byte, error) {
	at, rest, err := v.tree.locate(".", name, 0)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, fmt.Errorf("no %q: %w", name, efi.NotFound)
	}
	f := &openFile{volume: v, path: at}
	info, err := v.tree.stat(at)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%q is a folder: %w", name, efi.NotFound)
	case info.Size() > limit:
		return nil, fmt.Errorf("%q has %d bytes: %w", name, info.Size(), efi.OutOfResources)
	}
	if err := f.openHost(0); err != nil {
		return nil, err
	}
	defer f.close()
	data := make([]byte, max(info.Size(), 0))
	if n, err := f.host.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("%q: %d of %d bytes: %w", name, n, len(data), err)
	}
	return data, nil
}
