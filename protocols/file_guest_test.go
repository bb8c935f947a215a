// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_SIMPLE_FILE_SYSTEM_PROTOCOL (§13.4) and EFI_FILE_PROTOCOL (§13.5).
const slotOpenVolume = 1

const (
	slotFileRevision = iota
	slotFileOpen
	slotFileClose
	slotFileDelete
	slotFileRead
	slotFileWrite
	slotFileGetPosition
	slotFileSetPosition
	slotFileGetInfo
	slotFileSetInfo
	slotFileFlush
	slotFileOpenEx
	slotFileReadEx
	slotFileWriteEx
	slotFileFlushEx
)

const (
	forReading = efi.FileModeRead
	forWriting = efi.FileModeRead | efi.FileModeWrite
	forMaking  = forWriting | efi.FileModeCreate
)

// volumeGuest is a guest with a volume. Its methods stop the test where a status
// is not the one wanted.
type volumeGuest struct {
	*emutest.Guest
	handle        efi.Handle
	volume, root  efi.Addr
	word, size    efi.Ptr[uint64]
	name, scratch efi.Addr
}

const scratchSize = 16 << 10

// onVolume runs f as a guest of each architecture with the root of a volume open.
func onVolume(t *testing.T, fsys func(t *testing.T) fs.FS, opts protocols.VolumeOptions, f func(g *volumeGuest)) {
	t.Helper()
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		t.Run(arch.String(), func(t *testing.T) {
			var handle efi.Handle
			setup := func(m *emu.Machine) {
				var err error
				if handle, err = m.Install(0, protocols.SimpleFileSystem(fsys(t), opts)); err != nil {
					t.Fatal(err)
				}
			}
			_, err := emutest.Go(t, emu.Config{Arch: arch}, setup, func(guest *emutest.Guest) efi.Status {
				g := &volumeGuest{Guest: guest, handle: handle}
				g.word, g.size = efi.Ptr[uint64](g.Local(8)), efi.Ptr[uint64](g.Local(8))
				g.name, g.scratch = g.Local(4096), g.Local(scratchSize)
				var status efi.Status
				if g.volume, status = g.Protocol(handle, efi.SimpleFileSystemProtocolGUID); status != efi.Success {
					t.Fatal(status)
				}
				g.want("OpenVolume", g.Method(g.volume, slotOpenVolume, g.word), efi.Success)
				g.root = efi.Addr(g.load(g.word))
				f(g)
				return efi.Success
			})
			var exit *emu.ExitError
			if !errors.As(err, &exit) || exit.Status != efi.Success {
				t.Fatal(err)
			}
		})
	}
}

// only gives every run the same file system.
func only(fsys fs.FS) func(*testing.T) fs.FS { return func(*testing.T) fs.FS { return fsys } }

func (g *volumeGuest) want(what string, got, want efi.Status) {
	g.T.Helper()
	if got != want {
		g.T.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func (g *volumeGuest) load(p efi.Ptr[uint64]) uint64 {
	v, err := mem.Load(g.Memory(), p)
	if err != nil {
		g.T.Fatal(err)
	}
	return v
}

func (g *volumeGuest) store(p efi.Ptr[uint64], v uint64) {
	if err := mem.Store(g.Memory(), p, v); err != nil {
		g.T.Fatal(err)
	}
}

func (g *volumeGuest) bytes(at efi.Addr, n uint64) []byte {
	b, err := g.Memory().Read(at, n)
	if err != nil {
		g.T.Fatal(err)
	}
	return bytes.Clone(b)
}

func (g *volumeGuest) put(at efi.Addr, b []byte) {
	if err := g.Memory().Write(at, b); err != nil {
		g.T.Fatal(err)
	}
}

func (g *volumeGuest) tryOpen(dir efi.Addr, name string, mode efi.FileMode, attributes efi.FileAttribute) (efi.Addr, efi.Status) {
	g.put(g.name, efi.EncodeString(name))
	g.store(g.word, 0xdead)
	status := g.Method(dir, slotFileOpen, g.word, g.name, mode, attributes)
	return efi.Addr(g.load(g.word)), status
}

func (g *volumeGuest) open(name string, mode efi.FileMode) efi.Addr {
	g.T.Helper()
	f, status := g.tryOpen(g.root, name, mode, 0)
	g.want("Open "+name, status, efi.Success)
	return f
}

func (g *volumeGuest) close(f efi.Addr) {
	g.T.Helper()
	g.want("Close", g.Method(f, slotFileClose), efi.Success)
}

// read reads up to n bytes.
func (g *volumeGuest) read(f efi.Addr, n uint64) ([]byte, efi.Status) {
	g.store(g.size, n)
	status := g.Method(f, slotFileRead, g.size, g.scratch)
	if status != efi.Success {
		return nil, status
	}
	return g.bytes(g.scratch, g.load(g.size)), status
}

func (g *volumeGuest) wantRead(f efi.Addr, n uint64, want string) {
	g.T.Helper()
	got, status := g.read(f, n)
	g.want("Read", status, efi.Success)
	if string(got) != want {
		g.T.Fatalf("Read: %q, want %q", got, want)
	}
}

func (g *volumeGuest) write(f efi.Addr, text string) efi.Status {
	g.put(g.scratch, []byte(text))
	g.store(g.size, uint64(len(text)))
	return g.Method(f, slotFileWrite, g.size, g.scratch)
}

func (g *volumeGuest) seek(f efi.Addr, position uint64) {
	g.T.Helper()
	g.want("SetPosition", g.Method(f, slotFileSetPosition, position), efi.Success)
}

func (g *volumeGuest) wantPosition(f efi.Addr, want uint64) {
	g.T.Helper()
	g.want("GetPosition", g.Method(f, slotFileGetPosition, g.word), efi.Success)
	if got := g.load(g.word); got != want {
		g.T.Fatalf("GetPosition: %d, want %d", got, want)
	}
}

// getInfo asks for information into room bytes; the size is what the service
// left.
func (g *volumeGuest) getInfo(f efi.Addr, kind efi.GUID, room uint64) ([]byte, efi.Status) {
	id := kind.Bytes()
	g.put(g.name, id[:])
	g.store(g.size, room)
	status := g.Method(f, slotFileGetInfo, g.name, g.size, g.scratch)
	if status != efi.Success {
		return nil, status
	}
	return g.bytes(g.scratch, g.load(g.size)), status
}

func (g *volumeGuest) setInfo(f efi.Addr, kind efi.GUID, raw []byte) efi.Status {
	id := kind.Bytes()
	g.put(g.name, id[:])
	g.put(g.scratch, raw)
	return g.Method(f, slotFileSetInfo, g.name, len(raw), g.scratch)
}

// fileInfo is an EFI_FILE_INFO and its name.
type fileInfo struct {
	efi.FileInfo
	name string
}

func (g *volumeGuest) parse(raw []byte) (i fileInfo) {
	g.T.Helper()
	n, err := binary.Decode(raw, binary.LittleEndian, &i.FileInfo)
	if err != nil || n != 80 || i.Size != uint64(len(raw)) || len(raw)%2 != 0 || !bytes.HasSuffix(raw, []byte{0, 0}) {
		g.T.Fatalf("EFI_FILE_INFO % x: %v", raw, err)
	}
	i.name = efi.DecodeString(raw[n:])
	return i
}

func (i fileInfo) bytes() []byte {
	name := efi.EncodeString(i.name)
	i.Size = uint64(80 + len(name))
	raw, err := binary.Append(nil, binary.LittleEndian, i.FileInfo)
	if err != nil {
		panic(err)
	}
	return append(raw, name...)
}

func (g *volumeGuest) info(f efi.Addr) fileInfo {
	g.T.Helper()
	raw, status := g.getInfo(f, efi.FileInfoGUID, scratchSize)
	g.want("GetInfo", status, efi.Success)
	return g.parse(raw)
}

// list reads a folder from where it stands.
func (g *volumeGuest) list(dir efi.Addr) (names []string) {
	g.T.Helper()
	for {
		raw, status := g.read(dir, scratchSize)
		g.want("Read of a folder", status, efi.Success)
		if len(raw) == 0 {
			return names
		}
		name := g.parse(raw).name
		if g.parse(raw).Attribute&efi.FileDirectory != 0 {
			name += `\`
		}
		names = append(names, name)
	}
}
