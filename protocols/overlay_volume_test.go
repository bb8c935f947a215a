// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/protocols"
)

func TestOverlayIsBounded(t *testing.T) {
	const limit = 64 << 20
	full := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, efi.VolumeFull)
		require.Equal(t, efi.VolumeFull, emu.StatusOf(err))
	}
	o := protocols.Overlay(lowerFS())
	f, err := o.OpenFile("big", os.O_RDWR|os.O_CREATE, 0o644)
	require.NoError(t, err)
	full(f.Truncate(limit))
	full(f.Truncate(1 << 62))
	_, err = f.WriteAt([]byte("x"), limit-1)
	full(err)
	_, err = f.WriteAt([]byte("x"), 1<<62)
	full(err)
	require.NoError(t, f.Truncate(limit-2048)) // and 1024 for each of two names
	require.NoError(t, o.Mkdir("last", 0o755))
	full(o.Mkdir("one more", 0o755))
	full(o.Rename("file", "moved"))
	_, err = o.OpenFile("one more", os.O_RDWR|os.O_CREATE, 0o644)
	full(err)
	file, err := o.OpenFile("file", os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = file.WriteAt([]byte("x"), 0)
	full(err)
	raw, err := fs.ReadFile(o, "file")
	require.NoError(t, err)
	require.Equal(t, "contents", string(raw))
	_, err = fs.Stat(o, "one more")
	require.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, o.Remove("last")) // what is removed makes room
	require.NoError(t, o.Remove("big"))
	for range 100 {
		require.NoError(t, write(o, "again", strings.Repeat("x", 1<<20)))
		require.NoError(t, o.Rename("again", "and again"))
		require.NoError(t, o.Remove("and again"))
	}
	f, err = o.OpenFile("big", os.O_RDWR|os.O_CREATE, 0o644)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(limit-1024))
	require.NoError(t, f.Truncate(0))
	require.NoError(t, write(o, "file", "room again"))
}

// The guest's view of one: what it writes is there, and below is as it was.
func TestOverlayAsVolume(t *testing.T) {
	lower := lowerFS()
	onVolume(t, func(*testing.T) fs.FS { return protocols.Overlay(lower) }, protocols.VolumeOptions{Free: 1 << 40}, func(g *volumeGuest) {
		f := g.open(`\DIR\Inner`, forWriting)
		g.want("Write", g.write(f, "changed"), efi.Success)
		g.seek(f, 0)
		g.wantRead(f, 100, "changed")
		g.close(f)
		made, status := g.tryOpen(g.root, `dir\made`, forMaking, efi.FileDirectory)
		g.want("Open to create", status, efi.Success)
		g.close(made)
		info := g.info(g.open("file", forWriting))
		info.name = `dir\made\moved`
		g.want("SetInfo", g.setInfo(g.open("file", forWriting), efi.FileInfoGUID, info.bytes()), efi.Success)
		g.want("Delete", g.Method(g.open("empty", forWriting), slotFileDelete), efi.Success)
		require.Equal(g.T, []string{`.\`, `..\`, "inner", `made\`, `sub\`}, g.list(g.open("dir", forReading)))
		require.Equal(g.T, []string{`dir\`, "locked", `void\`}, g.list(g.root))
		_, status = g.tryOpen(g.root, "locked", forWriting, 0)
		g.want("Open of a locked file", status, efi.AccessDenied)
		g.wantRead(g.open(`dir\made\moved`, forReading), 100, "contents")
		big := g.open(`dir\made\moved`, forWriting)
		g.seek(big, 64<<20)
		g.want("Write of too much", g.write(big, "x"), efi.VolumeFull)
	})
	require.Equal(t, tree(t, lowerFS()), tree(t, lower))
}

// FuzzOverlay does the same to an overlay and to a folder of the host's: they
// agree on what succeeds and on what there is then.
func FuzzOverlay(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"))
	f.Add([]byte("\x02\x00\x05\x02\x05\x00\x01\x03\x03\x00\x04\x05\x02\x01\x01"))
	f.Add([]byte("\x01\x00\x00\x03\x00\x08\x03\x08\x00\x00\x00\x00\x02\x00\x00"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, lowerFS()))
		require.NoError(t, os.Chmod(path.Join(dir, "locked"), 0o644))
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		defer root.Close()
		lower := lowerFS()
		lower["locked"].Mode = 0o644
		overlay, host := protocols.Overlay(lower), protocols.WritableDir(root)
		names := []string{"file", "empty", "dir", "dir/inner", "dir/sub", "dir/sub/deep", "void", "void/x", "y", "y/z", "locked", "file/x"}
		for ; len(steps) >= 3; steps = steps[3:] {
			name, other := names[int(steps[1])%len(names)], names[int(steps[2])%len(names)]
			do := func(fsys protocols.WritableFS) error { return step(fsys, steps[0], steps[2], name, other) }
			got, want := do(overlay), do(host)
			require.Equal(t, want == nil, got == nil, "step %x of %s, %s: %v, not %v", steps[0], name, other, got, want)
		}
		require.Equal(t, tree(t, host), tree(t, overlay))
		var there []string
		for name := range tree(t, overlay) {
			if name != "./" {
				there = append(there, strings.TrimSuffix(name, "/"))
			}
		}
		require.NoError(t, fstest.TestFS(overlay, there...))
	})
}

// step does one thing to a file system.
func step(fsys protocols.WritableFS, what, n byte, name, other string) error {
	switch what % 6 {
	case 0:
		return fsys.Mkdir(name, 0o755)
	case 1:
		return fsys.Remove(name)
	case 2:
		if name == other {
			return nil
		}
		return fsys.Rename(name, other)
	case 3:
		return write(fsys, name, other)
	}
	flag := os.O_RDWR
	if what&8 != 0 {
		flag |= os.O_CREATE
	}
	f, err := fsys.OpenFile(name, flag, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if what%6 == 4 {
		return f.Truncate(int64(n))
	}
	_, err = f.WriteAt([]byte(other), int64(n))
	return err
}

// shrinking is a file system whose files have become shorter than they say, or
// that fails altogether.
type shrinking struct {
	lower fstest.MapFS
	err   error
}

func (s *shrinking) Open(name string) (fs.File, error) {
	if s.err != nil {
		return nil, s.err
	}
	file, err := s.lower.Open(name)
	if name != "file" || err != nil {
		return file, err
	}
	info, err := file.Stat()
	return shrunkFile{info}, err
}

func (s *shrinking) Stat(name string) (fs.FileInfo, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.lower.Stat(name)
}

type shrunkFile struct{ fs.FileInfo }

func (f shrunkFile) Stat() (fs.FileInfo, error) { return f.FileInfo, nil }
func (shrunkFile) Read([]byte) (int, error)     { return 0, io.EOF }
func (shrunkFile) Close() error                 { return nil }

// What fails below fails above, and changes nothing.
func TestOverlayOfBroken(t *testing.T) {
	lower := &shrinking{lower: lowerFS()}
	o := protocols.Overlay(lower)
	f, err := o.OpenFile("file", os.O_RDWR, 0)
	require.NoError(t, err)
	for range 3 {
		_, err = f.WriteAt([]byte("x"), 60<<20) // a copy would be nearly all there may be
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.NotErrorIs(t, err, efi.VolumeFull)
	}
	info, err := f.Stat()
	require.NoError(t, err)
	require.EqualValues(t, 8, info.Size())

	lower.err = errors.New("the medium has failed")
	_, err = o.OpenFile("empty", os.O_RDWR|os.O_CREATE, 0o644)
	require.ErrorIs(t, err, lower.err)
	_, err = o.Open("file")
	require.ErrorIs(t, err, lower.err)
	_, err = fs.ReadDir(o, ".")
	require.ErrorIs(t, err, lower.err)
	require.ErrorIs(t, o.Mkdir("new", 0o755), lower.err)
	require.ErrorIs(t, o.Remove("file"), lower.err)
	require.ErrorIs(t, o.Rename("file", "new"), lower.err)
	lower.err = nil
	_, err = fs.Stat(o, "file")
	require.NoError(t, err)
}
