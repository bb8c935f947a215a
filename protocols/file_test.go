// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/protocols"
)

func sample() fstest.MapFS {
	return fstest.MapFS{
		"EFI/BOOT/BOOTX64.EFI": {Data: []byte("an image"), Mode: 0o644, ModTime: time.Date(2024, 2, 29, 12, 30, 15, 500, time.FixedZone("", 3600))},
		"EFI/Linux/b.efi":      {Data: []byte("b")},
		"EFI/Linux/a.efi":      {Data: []byte("a")},
		"EFI/Linux/sub/x":      {},
		"loader/ü 😀.conf":      {Data: []byte(strings.Repeat("0123456789", 500)), Mode: 0o444},
	}
}

func TestFileRead(t *testing.T) {
	onVolume(t, only(sample()), protocols.VolumeOptions{}, func(g *volumeGuest) {
		f := g.open(`\efi\boot\bootx64.efi`, forReading)
		g.wantRead(f, 3, "an ")
		g.wantPosition(f, 3)
		g.wantRead(f, 0, "")
		g.wantRead(f, 100, "image")
		g.wantPosition(f, 8)
		g.wantRead(f, 100, "")
		g.seek(f, 1)
		g.wantRead(f, math.MaxUint64, "n image")
		g.seek(f, math.MaxUint64)
		g.wantPosition(f, 8)
		g.wantRead(f, 1, "")
		g.seek(f, 9)
		g.wantPosition(f, 9)
		_, status := g.read(f, 1)
		g.want("Read behind the end", status, efi.DeviceError)
		_, status = g.read(f, 0)
		g.want("Read of nothing behind the end", status, efi.DeviceError)
		g.want("SetPosition", g.Method(f, slotFileSetPosition, uint64(1)<<63), efi.Unsupported)

		other := g.open(`EFI\Linux\..\BOOT\BOOTX64.EFI`, forReading)
		g.seek(f, 0)
		g.wantRead(other, 8, "an image")
		g.wantRead(f, 2, "an")
		g.close(f)
		g.close(other)
	})
}

func TestFileFolder(t *testing.T) {
	onVolume(t, only(sample()), protocols.VolumeOptions{}, func(g *volumeGuest) {
		require.Equal(g.T, []string{`EFI\`, `loader\`}, g.list(g.root))
		require.Empty(g.T, g.list(g.root))
		dir := g.open(`EFI\LINUX`, forReading)
		all := []string{`.\`, `..\`, "a.efi", "b.efi", `sub\`}
		require.Equal(g.T, all, g.list(dir))
		g.seek(dir, 0)
		for range 2 {
			_, status := g.read(dir, 80)
			g.want("Read into too little", status, efi.BufferTooSmall)
			require.EqualValues(g.T, 80+4, g.load(g.size))
		}
		g.want("Read of an entry", g.Method(dir, slotFileRead, g.size, g.scratch), efi.Success)
		require.Equal(g.T, all[1:], g.list(dir))
		g.store(g.size, 0)
		g.want("Read at the end, of nothing", g.Method(dir, slotFileRead, g.size, 0), efi.Success)
		g.seek(dir, 0)
		g.store(g.size, 0)
		g.want("Read of nothing", g.Method(dir, slotFileRead, g.size, 0), efi.BufferTooSmall)

		g.want("SetPosition", g.Method(dir, slotFileSetPosition, 1), efi.Unsupported)
		g.want("SetPosition", g.Method(dir, slotFileSetPosition, uint64(math.MaxUint64)), efi.Unsupported)
		g.want("GetPosition", g.Method(dir, slotFileGetPosition, g.word), efi.Unsupported)
		g.want("Write", g.write(dir, "x"), efi.Unsupported)

		f, status := g.tryOpen(dir, `A.EFI`, forReading, 0)
		g.want("Open in a folder", status, efi.Success)
		g.wantRead(f, 10, "a")
		up, status := g.tryOpen(f, `..`, forReading, 0)
		g.want("Open of a file's folder", status, efi.Success)
		require.Equal(g.T, all, g.list(up))
		_, status = g.tryOpen(f, `x`, forReading, 0)
		g.want("Open in a file", status, efi.NotFound)
		top, status := g.tryOpen(f, `\`, forReading, 0)
		g.want("Open of the root", status, efi.Success)
		require.Equal(g.T, []string{`EFI\`, `loader\`}, g.list(top))
	})
}

func TestFileInfo(t *testing.T) {
	const label = "ESP ü"
	opts := protocols.VolumeOptions{Label: label, Size: 1 << 20, Free: 1 << 10, BlockSize: 512}
	onVolume(t, only(sample()), opts, func(g *volumeGuest) {
		when := efi.Time{Year: 2024, Month: 2, Day: 29, Hour: 11, Minute: 30, Second: 15, Nanosecond: 500}
		f := g.open(`\efi\boot\bootx64.efi`, forReading)
		want := fileInfo{efi.FileInfo{
			Size: 80 + 2*12, FileSize: 8, PhysicalSize: 512, CreateTime: when, LastAccessTime: when, ModificationTime: when, Attribute: efi.FileArchive,
		}, "BOOTX64.EFI"}
		require.Equal(g.T, want, g.info(f))
		_, status := g.getInfo(f, efi.FileInfoGUID, want.Size-1)
		g.want("GetInfo into too little", status, efi.BufferTooSmall)
		require.Equal(g.T, want.Size, g.load(g.size))
		raw, status := g.getInfo(f, efi.FileInfoGUID, g.load(g.size))
		g.want("GetInfo", status, efi.Success)
		require.Equal(g.T, want.bytes(), raw)

		i := g.info(g.open(`loader\Ü 😀.CONF`, forReading))
		require.Equal(g.T, "ü 😀.conf", i.name)
		require.EqualValues(g.T, 5000, i.FileSize)
		require.EqualValues(g.T, 5120, i.PhysicalSize)
		require.Equal(g.T, efi.FileArchive|efi.FileReadOnly, i.Attribute)
		require.Equal(g.T, efi.Time{Year: 1980, Month: 1, Day: 1}, i.ModificationTime)

		i = g.info(g.root)
		require.Equal(g.T, "", i.name)
		require.EqualValues(g.T, 82, i.Size)
		require.Equal(g.T, efi.FileDirectory, i.Attribute)

		for _, f := range []efi.Addr{f, g.root} {
			raw, status = g.getInfo(f, efi.FileSystemInfoGUID, scratchSize)
			g.want("GetInfo of the volume", status, efi.Success)
			text := efi.EncodeString(label)
			require.Equal(g.T, append([]byte{
				byte(36 + len(text)), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0,
			}, text...), raw)
			_, status = g.getInfo(f, efi.FileSystemInfoGUID, 36)
			g.want("GetInfo into too little", status, efi.BufferTooSmall)
			require.EqualValues(g.T, len(raw), g.load(g.size))
			raw, status = g.getInfo(f, efi.FileSystemVolumeLabelGUID, uint64(len(text)))
			g.want("GetInfo of the label", status, efi.Success)
			require.Equal(g.T, text, raw)
			_, status = g.getInfo(f, efi.FileSystemVolumeLabelGUID, uint64(len(text)-1))
			g.want("GetInfo into too little", status, efi.BufferTooSmall)
			_, status = g.getInfo(f, efi.SimpleFileSystemProtocolGUID, scratchSize)
			g.want("GetInfo of no kind", status, efi.Unsupported)
		}
	})
}

// A volume that cannot be written to says so in every way (§13.5).
func TestFileReadOnly(t *testing.T) {
	onVolume(t, only(sample()), protocols.VolumeOptions{}, func(g *volumeGuest) {
		for _, name := range []string{`\EFI\BOOT\BOOTX64.EFI`, `\EFI`, `\new`, `\new\new`} {
			_, status := g.tryOpen(g.root, name, forWriting, 0)
			g.want("Open to write", status, efi.WriteProtected)
			_, status = g.tryOpen(g.root, name, forMaking, efi.FileDirectory)
			g.want("Open to create", status, efi.WriteProtected)
		}
		f := g.open(`\EFI\BOOT\BOOTX64.EFI`, forReading)
		g.want("Write", g.write(f, "x"), efi.WriteProtected)
		g.want("Flush", g.Method(f, slotFileFlush), efi.WriteProtected)
		g.want("SetInfo", g.setInfo(f, efi.FileInfoGUID, g.info(f).bytes()), efi.WriteProtected)
		g.want("Delete", g.Method(f, slotFileDelete), efi.WarnDeleteFailure)
		g.close(g.open(`\EFI\BOOT\BOOTX64.EFI`, forReading))
		root := g.open(`\`, forReading)
		g.want("Delete of the root", g.Method(root, slotFileDelete), efi.WarnDeleteFailure)
	})
}

func TestFileOpenRefuses(t *testing.T) {
	onVolume(t, func(t *testing.T) fs.FS { return writable(t) }, protocols.VolumeOptions{}, func(g *volumeGuest) {
		for _, test := range []struct {
			name       string
			mode       efi.FileMode
			attributes efi.FileAttribute
			want       efi.Status
		}{
			{`file`, 0, 0, efi.InvalidParameter},
			{`file`, efi.FileModeWrite, 0, efi.InvalidParameter},
			{`file`, efi.FileModeCreate | efi.FileModeRead, 0, efi.InvalidParameter},
			{`file`, forReading | 4, 0, efi.InvalidParameter},
			{`new`, forMaking, efi.FileReadOnly, efi.InvalidParameter},
			{`new`, forMaking, 0x40, efi.InvalidParameter},
			{`new`, forMaking, efi.FileReserved, efi.InvalidParameter},
			{`file`, forReading, 0x40, efi.Success},
			{`new`, forReading, 0, efi.NotFound},
			{`new`, forWriting, 0, efi.NotFound},
			{`new\new`, forMaking, 0, efi.NotFound},
			{`file\new`, forMaking, 0, efi.NotFound},
			{`new\`, forMaking, 0, efi.InvalidParameter},
			{``, forReading, 0, efi.InvalidParameter},
			{`..`, forReading, 0, efi.InvalidParameter},
			{`n*w`, forMaking, 0, efi.InvalidParameter},
			{`locked`, forWriting, 0, efi.AccessDenied},
			{`locked`, forReading, 0, efi.Success},
			{strings.Repeat("x", 1025), forReading, 0, efi.InvalidParameter},
		} {
			f, status := g.tryOpen(g.root, test.name, test.mode, test.attributes)
			if status != test.want {
				g.T.Errorf("Open %.20q, %v, %v: %v, want %v", test.name, test.mode, test.attributes, status, test.want)
			}
			if status == efi.Success {
				g.close(f)
			} else if f != 0xdead {
				g.T.Errorf("Open %.20q: a handle on failure", test.name)
			}
		}
	})
}

// Every open file takes memory and a descriptor; both are bounded, and given
// back by Close.
func TestFileBound(t *testing.T) {
	onVolume(t, only(sample()), protocols.VolumeOptions{}, func(g *volumeGuest) {
		var open []efi.Addr
		status := efi.Success
		for range 10_000 {
			var f efi.Addr
			if f, status = g.tryOpen(g.root, `EFI\BOOT\BOOTX64.EFI`, forReading, 0); status != efi.Success {
				break
			}
			open = append(open, f)
		}
		g.want("Open of too many", status, efi.OutOfResources)
		g.want("OpenVolume of too many", g.Method(g.volume, slotOpenVolume, g.word), efi.OutOfResources)
		for _, f := range open {
			g.close(f)
		}
		before := g.Machine.MemoryMap()
		for range 3 {
			for range 500 {
				open = append(open[:0:0], g.open(`EFI\BOOT\BOOTX64.EFI`, forReading))
				g.close(open[0])
			}
		}
		require.Equal(g.T, before, g.Machine.MemoryMap())
		for _, slot := range []int{slotFileClose, slotFileDelete, slotFileFlush} {
			g.want("a closed file", g.Method(g.volume, slotOpenVolume, g.word), efi.Success)
			f := efi.Addr(g.load(g.word))
			fn := g.load(efi.Ptr[uint64](f + efi.Addr(8*slot)))
			g.close(f)
			g.want("a call of a closed file", efi.Status(g.Call(efi.Addr(fn), uint64(f))), efi.InvalidParameter)
		}
	})
}

func TestFileRevision(t *testing.T) {
	onVolume(t, only(sample()), protocols.VolumeOptions{}, func(g *volumeGuest) {
		require.EqualValues(g.T, 0x10000, g.load(efi.Ptr[uint64](g.volume)))
		require.EqualValues(g.T, 0x10000, g.load(efi.Ptr[uint64](g.root)))
		for slot := slotFileOpenEx; slot <= slotFileFlushEx; slot++ {
			g.want("a service of revision 2", g.Method(g.root, slot, g.word, g.name, forReading, 0, g.size), efi.Unsupported)
		}
	})
}

// bigFile notes what is read of it.
type bigFile struct {
	fs.File
	reads *[]int
}

func (f bigFile) ReadAt(b []byte, at int64) (int, error) {
	*f.reads = append(*f.reads, len(b))
	return f.File.(io.ReaderAt).ReadAt(b, at)
}

type bigFS struct {
	fstest.MapFS
	reads *[]int
}

func (b bigFS) Open(name string) (fs.File, error) {
	f, err := b.MapFS.Open(name)
	return bigFile{f, b.reads}, err
}

// A file goes straight into guest memory, in one piece.
func TestFileReadInOnePiece(t *testing.T) {
	const size = 20 << 20
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	var reads []int
	onVolume(t, only(bigFS{fstest.MapFS{"big": {Data: data}}, &reads}), protocols.VolumeOptions{}, func(g *volumeGuest) {
		reads = nil
		at, err := g.Machine.AllocatePages(efi.LoaderData, size/efi.PageSize)
		require.NoError(g.T, err)
		f := g.open("big", forReading)
		g.store(g.size, size)
		g.want("Read", g.Method(f, slotFileRead, g.size, at), efi.Success)
		view, err := g.Memory().Read(at, size)
		require.NoError(g.T, err)
		require.True(g.T, bytes.Equal(data, view))
		require.Equal(g.T, []int{size}, reads)
	})
}

// brokenFS fails as a host does.
type brokenFS struct{ fstest.MapFS }

func (b brokenFS) Open(name string) (fs.File, error) {
	f, err := b.MapFS.Open(name)
	switch name {
	case "secret":
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	case "strange":
		return nil, errors.New("strange")
	case "short":
		return shortFile{f}, err
	case "bad":
		return bigFile{badFile{f}, new([]int)}, err
	}
	return f, err
}

type badFile struct{ fs.File }

func (badFile) ReadAt(b []byte, at int64) (int, error) { return 1, errors.New("bad sector") }

// shortFile has become shorter since Stat.
type shortFile struct{ fs.File }

func (shortFile) ReadAt(b []byte, at int64) (int, error) { return copy(b, "12"), io.EOF }

func TestFileHostErrors(t *testing.T) {
	fsys := brokenFS{fstest.MapFS{"secret": {}, "strange": {}, "short": {Data: make([]byte, 9)}, "bad": {Data: make([]byte, 9)}}}
	onVolume(t, only(fsys), protocols.VolumeOptions{}, func(g *volumeGuest) {
		_, status := g.tryOpen(g.root, "secret", forReading, 0)
		g.want("Open", status, efi.AccessDenied)
		_, status = g.tryOpen(g.root, "strange", forReading, 0)
		g.want("Open", status, efi.DeviceError)
		f := g.open("short", forReading)
		g.wantRead(f, 9, "12")
		g.wantPosition(f, 2)
		f = g.open("bad", forReading)
		_, status = g.read(f, 9)
		g.want("Read", status, efi.DeviceError)
		g.wantPosition(f, 0)
	})
}

// Wild pointers and numbers in every argument are an error status or do no harm.
func TestFileWild(t *testing.T) {
	onVolume(t, func(t *testing.T) fs.FS { return writable(t) }, protocols.VolumeOptions{}, func(g *volumeGuest) {
		locked, err := g.Machine.AllocatePages(efi.LoaderData, 1)
		require.NoError(g.T, err)
		g.store(efi.Ptr[uint64](locked), 16)
		require.NoError(g.T, g.Memory().Protect(efi.Range{Start: locked, End: locked + efi.PageSize}, mem.Readable))
		ranges := g.Memory().Ranges()
		end := ranges[len(ranges)-1].End
		wild := []efi.Addr{0, 1, 7, end - 1, end, 0x8000_0000_0000, 1 << 63, math.MaxUint64, math.MaxUint64 - 7, g.volume, locked}
		good := func() [][]efi.Addr {
			g.store(g.size, 16)
			g.put(g.name, efi.EncodeString("file"))
			return [][]efi.Addr{
				slotFileOpen:        {efi.Addr(g.word), g.name, efi.Addr(forReading), 0},
				slotFileRead:        {efi.Addr(g.size), g.scratch},
				slotFileWrite:       {efi.Addr(g.size), g.scratch},
				slotFileGetPosition: {efi.Addr(g.word)},
				slotFileSetPosition: {0},
				slotFileGetInfo:     {g.name, efi.Addr(g.size), g.scratch},
				slotFileSetInfo:     {g.name, 100, g.scratch},
				slotFileFlush:       {},
				slotFileOpenEx:      {efi.Addr(g.word), g.name, efi.Addr(forReading), 0, 0},
				slotFileReadEx:      {0},
				slotFileWriteEx:     {0},
				slotFileFlushEx:     {0},
			}
		}
		f := g.open("file", forWriting)
		for _, this := range []efi.Addr{f, g.root} {
			for slot := range good() {
				fn := efi.Addr(g.load(efi.Ptr[uint64](this + efi.Addr(8*slot))))
				if slot == slotFileRevision || slot == slotFileClose || slot == slotFileDelete {
					continue
				}
				for i := range good()[slot] {
					for _, p := range wild {
						args := []uint64{uint64(this)}
						for _, a := range good()[slot] {
							args = append(args, uint64(a))
						}
						args[i+1] = uint64(p)
						if this == f || slot == slotFileRead {
							g.seek(this, 0)
						}
						if status := efi.Status(g.Call(fn, args...)); status == efi.Success && pointer(slot, i) && p != g.volume {
							g.T.Errorf("slot %d, argument %d is %v: %v", slot, i+1, p, status)
						}
					}
				}
			}
		}
		for slot := slotFileOpen; slot <= slotFileFlush; slot++ {
			fn := efi.Addr(g.load(efi.Ptr[uint64](f + efi.Addr(8*slot))))
			for _, this := range append(wild, g.volume, g.scratch) {
				args := []uint64{uint64(this)}
				for _, a := range good()[slot] {
					args = append(args, uint64(a))
				}
				if status := efi.Status(g.Call(fn, args...)); status != efi.InvalidParameter {
					g.T.Errorf("slot %d, this is %v: %v", slot, this, status)
				}
			}
		}
		fn := efi.Addr(g.load(efi.Ptr[uint64](g.volume + 8)))
		for _, p := range wild {
			if status := efi.Status(g.Call(fn, uint64(p), uint64(g.word))); p != g.volume && status != efi.InvalidParameter {
				g.T.Errorf("OpenVolume, this is %v: %v", p, status)
			}
			if status := efi.Status(g.Call(fn, uint64(g.volume), uint64(p))); p != g.volume && status != efi.InvalidParameter {
				g.T.Errorf("OpenVolume, root is %v: %v", p, status)
			}
		}
	})
}

// pointer reports whether an argument behind this is a pointer that is followed
// in the calls of TestFileWild.
func pointer(slot, i int) bool {
	switch slot {
	case slotFileOpen:
		return i < 2
	case slotFileRead, slotFileGetInfo:
		return true
	case slotFileWrite, slotFileGetPosition, slotFileSetInfo:
		return i == 0
	}
	return false
}

// LoadImage reads a volume without going through guest memory.
func TestVolumeReadFile(t *testing.T) {
	r := protocols.SimpleFileSystem(sample(), protocols.VolumeOptions{}).Value.(emu.FileReader)
	for _, test := range []struct {
		name  string
		limit int64
		want  efi.Status
	}{
		{`\EFI\BOOT\BOOTX64.EFI`, 8, efi.Success},
		{`efi\boot\bootx64.efi`, 100, efi.Success},
		{`\EFI\BOOT\BOOTX64.EFI`, 7, efi.OutOfResources},
		{`\EFI\BOOT`, 100, efi.NotFound},
		{`\EFI\BOOT\new`, 100, efi.NotFound},
		{`\new\new`, 100, efi.NotFound},
		{``, 100, efi.InvalidParameter},
		{`\..\x`, 100, efi.InvalidParameter},
	} {
		raw, err := r.ReadFile(test.name, test.limit)
		require.Equal(t, test.want, emu.StatusOf(err), test.name)
		if err == nil {
			require.Equal(t, "an image", string(raw))
		}
	}
}
