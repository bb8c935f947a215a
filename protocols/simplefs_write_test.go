// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/protocols"
)

// writable is a folder of the host's that can be written to.
func writable(t *testing.T) protocols.WritableFS {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { root.Close() })
	require.NoError(t, root.MkdirAll("dir/sub", 0o755))
	require.NoError(t, root.WriteFile("file", []byte("contents"), 0o644))
	require.NoError(t, root.WriteFile("dir/inner", []byte("inner"), 0o644))
	require.NoError(t, root.WriteFile("locked", []byte("locked"), 0o444))
	return protocols.WritableDir(root)
}

// onWritable gives the guest a folder of its own, and the test the same.
func onWritable(t *testing.T, opts protocols.VolumeOptions, f func(g *volumeGuest, host protocols.WritableFS)) {
	t.Helper()
	var host protocols.WritableFS
	onVolume(t, func(t *testing.T) fs.FS { host = writable(t); return host }, opts, func(g *volumeGuest) { f(g, host) })
}

func (g *volumeGuest) wantHost(host fs.FS, name, want string) {
	g.T.Helper()
	raw, err := fs.ReadFile(host, name)
	if err != nil || string(raw) != want {
		g.T.Fatalf("%s: %q, %v, want %q", name, raw, err, want)
	}
}

func (g *volumeGuest) free() uint64 {
	g.T.Helper()
	raw, status := g.getInfo(g.root, efi.FileSystemInfoGUID, scratchSize)
	g.want("GetInfo", status, efi.Success)
	require.Zero(g.T, raw[8], "ReadOnly")
	g.put(g.scratch, raw)
	return g.load(efi.Ptr[uint64](g.scratch + 24))
}

func TestFileWrite(t *testing.T) {
	onWritable(t, protocols.VolumeOptions{}, func(g *volumeGuest, host protocols.WritableFS) {
		f, status := g.tryOpen(g.root, `dir\New File.txt `, forMaking, efi.FileArchive|efi.FileHidden)
		g.want("Open to create", status, efi.Success)
		g.want("Write", g.write(f, "hello, world"), efi.Success)
		require.EqualValues(g.T, 12, g.load(g.size))
		g.wantPosition(f, 12)
		g.seek(f, 7)
		g.want("Write over it", g.write(f, "WORLD"), efi.Success)
		g.seek(f, 0)
		g.wantRead(f, 100, "hello, WORLD")
		g.seek(f, 14)
		g.want("Write behind the end", g.write(f, "!"), efi.Success)
		g.want("Write of nothing", g.write(f, ""), efi.Success)
		g.want("Flush", g.Method(f, slotFileFlush), efi.Success)
		g.wantHost(host, "dir/New File.txt", "hello, WORLD\x00\x00!")
		require.EqualValues(g.T, 15, g.info(f).FileSize)

		other := g.open(`DIR\new file.TXT`, forReading)
		g.wantRead(other, 5, "hello")
		g.want("Write to a file open for reading", g.write(other, "x"), efi.AccessDenied)
		g.want("Flush of one", g.Method(other, slotFileFlush), efi.AccessDenied)
		again, status := g.tryOpen(g.root, `dir\NEW FILE.txt`, forMaking, 0)
		g.want("Open to create what is there", status, efi.Success)
		g.wantRead(again, 5, "hello")
		g.seek(again, math.MaxUint32)
		g.want("Write of more than FAT holds", g.write(again, "x"), efi.Unsupported)
		g.store(g.size, math.MaxUint64)
		g.want("Write of all there is", g.Method(again, slotFileWrite, g.size, g.scratch), efi.InvalidParameter)

		g.want("Delete of a file open for reading", g.Method(other, slotFileDelete), efi.WarnDeleteFailure)
		g.want("Delete", g.Method(f, slotFileDelete), efi.Success)
		_, err := fs.Stat(host, "dir/New File.txt")
		require.ErrorIs(g.T, err, fs.ErrNotExist)
		_, status = g.read(again, 1)
		g.want("Read of a deleted file", status, efi.DeviceError)
		g.want("Write of a deleted file", g.write(again, "x"), efi.DeviceError)
		_, status = g.tryOpen(again, `\file`, forReading, 0)
		g.want("Open from a deleted file", status, efi.DeviceError)
		g.want("Delete of a deleted file", g.Method(again, slotFileDelete), efi.Success)
	})
}

func TestFileFolders(t *testing.T) {
	onWritable(t, protocols.VolumeOptions{}, func(g *volumeGuest, host protocols.WritableFS) {
		d, status := g.tryOpen(g.root, `dir\made\`, forMaking, efi.FileDirectory)
		g.want("Open to make a folder", status, efi.Success)
		require.Equal(g.T, []string{`.\`, `..\`}, g.list(d))
		g.want("Flush of a folder", g.Method(d, slotFileFlush), efi.Success)
		f, status := g.tryOpen(d, `x`, forMaking, 0)
		g.want("Open to create in it", status, efi.Success)
		require.Empty(g.T, g.list(d))
		g.seek(d, 0)
		require.Equal(g.T, []string{`.\`, `..\`, "x"}, g.list(d))
		g.want("Delete of a folder with a file", g.Method(d, slotFileDelete), efi.WarnDeleteFailure)
		g.want("Delete of the file", g.Method(f, slotFileDelete), efi.Success)
		d = g.open(`dir\made`, forWriting)
		g.want("Delete of the folder", g.Method(d, slotFileDelete), efi.Success)
		_, err := fs.Stat(host, "dir/made")
		require.ErrorIs(g.T, err, fs.ErrNotExist)
		root := g.open(`\`, forWriting)
		g.want("Delete of the root", g.Method(root, slotFileDelete), efi.WarnDeleteFailure)
	})
}

func TestFileSetInfo(t *testing.T) {
	onWritable(t, protocols.VolumeOptions{}, func(g *volumeGuest, host protocols.WritableFS) {
		f := g.open("file", forWriting)
		other := g.open("file", forReading)
		set := func(want efi.Status, change func(i *fileInfo)) {
			g.T.Helper()
			i := g.info(f)
			change(&i)
			g.want("SetInfo", g.setInfo(f, efi.FileInfoGUID, i.bytes()), want)
		}
		set(efi.Success, func(i *fileInfo) {})
		set(efi.Success, func(i *fileInfo) { i.FileSize = 4 })
		g.wantHost(host, "file", "cont")
		set(efi.Success, func(i *fileInfo) { i.FileSize = 6 })
		g.wantHost(host, "file", "cont\x00\x00")
		set(efi.Success, func(i *fileInfo) { i.name = "renamed+3-0.conf" })
		g.wantHost(host, "renamed+3-0.conf", "cont\x00\x00")
		require.Equal(g.T, "renamed+3-0.conf", g.info(other).name)
		set(efi.Success, func(i *fileInfo) { i.name = "RENAMED+3-0.CONF" })
		require.Equal(g.T, "renamed+3-0.conf", g.info(f).name)
		set(efi.Success, func(i *fileInfo) { i.name = `\dir\moved` })
		g.wantHost(host, "dir/moved", "cont\x00\x00")
		set(efi.Success, func(i *fileInfo) { i.name = `..\file` })
		g.wantHost(host, "file", "cont\x00\x00")
		when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
		set(efi.Success, func(i *fileInfo) { i.ModificationTime = efi.TimeOf(when) })
		stat, err := fs.Stat(host, "file")
		require.NoError(g.T, err)
		require.True(g.T, when.Equal(stat.ModTime()))
		set(efi.Success, func(i *fileInfo) { i.ModificationTime = efi.Time{} })
		require.Equal(g.T, efi.TimeOf(when), g.info(f).ModificationTime)

		set(efi.AccessDenied, func(i *fileInfo) { i.name = "locked" })
		set(efi.AccessDenied, func(i *fileInfo) { i.name = "." })
		set(efi.AccessDenied, func(i *fileInfo) { i.Attribute |= efi.FileDirectory })
		set(efi.InvalidParameter, func(i *fileInfo) { i.Attribute |= 1 << 40 })
		set(efi.InvalidParameter, func(i *fileInfo) { i.ModificationTime.Month = 13 })
		set(efi.InvalidParameter, func(i *fileInfo) { i.CreateTime.Day = 0 })
		set(efi.InvalidParameter, func(i *fileInfo) { i.name = "" })
		set(efi.InvalidParameter, func(i *fileInfo) { i.name = "a:b" })
		set(efi.NotFound, func(i *fileInfo) { i.name = `new\new` })
		set(efi.Unsupported, func(i *fileInfo) { i.FileSize = 1 << 32 })
		set(efi.Unsupported, func(i *fileInfo) { i.FileSize = math.MaxUint64 })
		set(efi.VolumeFull, func(i *fileInfo) { i.FileSize = math.MaxUint32 })
		raw := g.info(f).bytes()
		g.want("SetInfo of too little", g.setInfo(f, efi.FileInfoGUID, raw[:81]), efi.BadBufferSize)
		g.want("SetInfo of less than it says", g.setInfo(f, efi.FileInfoGUID, raw[:len(raw)-2]), efi.BadBufferSize)
		g.want("SetInfo of no kind", g.setInfo(f, efi.SimpleFileSystemProtocolGUID, raw), efi.Unsupported)
		g.want("SetInfo of the root", g.setInfo(g.root, efi.FileInfoGUID, g.info(g.root).bytes()), efi.AccessDenied)

		set(efi.Success, func(i *fileInfo) { i.Attribute |= efi.FileReadOnly })
		require.Equal(g.T, efi.FileArchive|efi.FileReadOnly, g.info(f).Attribute)
		set(efi.AccessDenied, func(i *fileInfo) { i.FileSize = 1 })
		_, status := g.tryOpen(g.root, "file", forWriting, 0)
		g.want("Open to write what is READ_ONLY", status, efi.AccessDenied)
		set(efi.Success, func(i *fileInfo) { i.Attribute &^= efi.FileReadOnly })
		g.close(g.open("file", forWriting))
		i := g.info(other)
		i.name = "x"
		g.want("SetInfo of a file open for reading", g.setInfo(other, efi.FileInfoGUID, i.bytes()), efi.AccessDenied)
		g.wantHost(host, "file", "cont\x00\x00")
	})
}

func TestFileSetInfoOfFolders(t *testing.T) {
	onWritable(t, protocols.VolumeOptions{}, func(g *volumeGuest, host protocols.WritableFS) {
		d := g.open("dir", forWriting)
		set := func(want efi.Status, change func(i *fileInfo)) {
			g.T.Helper()
			i := g.info(d)
			change(&i)
			g.want("SetInfo", g.setInfo(d, efi.FileInfoGUID, i.bytes()), want)
		}
		set(efi.AccessDenied, func(i *fileInfo) { i.FileSize++ })
		set(efi.AccessDenied, func(i *fileInfo) { i.name = `dir\sub\x` })
		set(efi.AccessDenied, func(i *fileInfo) { i.name = `dir\x` })
		f := g.open(`dir\inner`, forReading)
		set(efi.AccessDenied, func(i *fileInfo) { i.name = "other" })
		g.close(f)
		set(efi.Success, func(i *fileInfo) { i.name = "other" })
		g.wantHost(host, "other/inner", "inner")
		require.Equal(g.T, []string{`.\`, `..\`, "inner", `sub\`}, g.list(d))
	})
}

// What a guest can take of the host's disk is bounded.
func TestFileFree(t *testing.T) {
	onWritable(t, protocols.VolumeOptions{Free: 10 * 512, BlockSize: 512}, func(g *volumeGuest, host protocols.WritableFS) {
		f, status := g.tryOpen(g.root, "new", forMaking, 0)
		g.want("Open to create", status, efi.Success)
		require.EqualValues(g.T, 9*512, g.free())
		g.want("Write", g.write(f, strings.Repeat("x", 513)), efi.Success)
		require.EqualValues(g.T, 7*512, g.free())
		g.want("Write in a block that it has", g.write(f, strings.Repeat("x", 511)), efi.Success)
		require.EqualValues(g.T, 7*512, g.free())
		g.want("Write of too much", g.write(f, strings.Repeat("x", 7*512+1)), efi.VolumeFull)
		g.seek(f, 9*512)
		g.want("Write too far", g.write(f, "x"), efi.VolumeFull)
		g.wantHost(host, "new", strings.Repeat("x", 1024))
		i := g.info(f)
		i.FileSize = 1
		g.want("SetInfo", g.setInfo(f, efi.FileInfoGUID, i.bytes()), efi.Success)
		require.EqualValues(g.T, 8*512, g.free())
		g.want("Delete", g.Method(f, slotFileDelete), efi.Success)
		require.EqualValues(g.T, 10*512, g.free())
		status = efi.Success
		n := 0
		for ; status == efi.Success && n < 100; n++ {
			_, status = g.tryOpen(g.root, strings.Repeat("n", n+1), forMaking, efi.FileDirectory)
		}
		g.want("Open of the last", status, efi.VolumeFull)
		require.Equal(g.T, 11, n)
	})
}

func TestVolumeLabel(t *testing.T) {
	onWritable(t, protocols.VolumeOptions{Label: "OLD"}, func(g *volumeGuest, _ protocols.WritableFS) {
		g.want("SetInfo", g.setInfo(g.root, efi.FileSystemVolumeLabelGUID, efi.EncodeString("NEW")), efi.Success)
		raw, _ := g.getInfo(g.root, efi.FileSystemVolumeLabelGUID, scratchSize)
		require.Equal(g.T, efi.EncodeString("NEW"), raw)
		info, _ := g.getInfo(g.root, efi.FileSystemInfoGUID, scratchSize)
		copy(info[36:], efi.EncodeString("ABC"))
		g.want("SetInfo", g.setInfo(g.root, efi.FileSystemInfoGUID, info), efi.Success)
		raw, _ = g.getInfo(g.root, efi.FileSystemVolumeLabelGUID, scratchSize)
		require.Equal(g.T, efi.EncodeString("ABC"), raw)
		g.want("SetInfo", g.setInfo(g.root, efi.FileSystemVolumeLabelGUID, efi.EncodeString("a label too long")), efi.Unsupported)
		g.want("SetInfo", g.setInfo(g.root, efi.FileSystemVolumeLabelGUID, efi.EncodeString("a?b")), efi.Unsupported)
		g.want("SetInfo", g.setInfo(g.root, efi.FileSystemVolumeLabelGUID, nil), efi.BadBufferSize)
		g.want("SetInfo", g.setInfo(g.root, efi.FileSystemInfoGUID, info[:37]), efi.BadBufferSize)
	})
}

// No name leads out of the folder, and none that a guest makes.
func TestWritableDirStaysInside(t *testing.T) {
	outside := t.TempDir()
	onVolume(t, func(t *testing.T) fs.FS {
		dir := t.TempDir()
		require.NoError(t, os.Symlink(outside, dir+"/out"))
		require.NoError(t, os.Symlink(outside+"/new", dir+"/new"))
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		t.Cleanup(func() { root.Close() })
		return protocols.WritableDir(root)
	}, protocols.VolumeOptions{}, func(g *volumeGuest) {
		for name, want := range map[string]efi.Status{
			`out\x`: efi.NotFound, `new`: efi.AccessDenied, `..\x`: efi.InvalidParameter, `..`: efi.InvalidParameter, `/x`: efi.InvalidParameter,
			outside + `\x`: efi.InvalidParameter,
		} {
			_, status := g.tryOpen(g.root, name, forMaking, 0)
			g.want("Open "+name, status, want)
		}
		require.Empty(g.T, g.list(g.root))
		entries, err := os.ReadDir(outside)
		require.NoError(g.T, err)
		require.Empty(g.T, entries)
	})
}
