// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// Initramfs is what the first process of a kernel finds. All files are root's,
// mode 0755.
type Initramfs struct {
	Arch    cpu.Arch          // 0 is x86-64
	Scripts map[string]string // by NAME of vmtest=NAME
	Files   map[string]string // path in the guest: file or folder here
	Data    map[string][]byte // path in the guest: contents
	Modules []string          // files here, loaded in this order; a module that finds no device is no error
}

// Build writes the archive into a temporary folder of the test, with init, and
// returns its path.
func (r Initramfs) Build(t testing.TB) string {
	t.Helper()
	entries := []entry{
		{name: "init", mode: modeFile | 0o755, file: Program(t, r.Arch, "github.com/uefiexec/uefiexec/emu/kexec/vmtest/init")},
	}
	more, err := r.entries()
	if err != nil {
		t.Fatalf("initramfs: %v", err)
	}
	name := filepath.Join(t.TempDir(), "initramfs.cpio")
	if err := writeArchive(name, append(entries, more...)); err != nil {
		t.Fatalf("initramfs: %v", err)
	}
	return name
}

func writeArchive(name string, entries []entry) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	return errors.Join(writeCpio(w, entries), w.Flush(), f.Close())
}

// entries are those of r but for init.
func (r Initramfs) entries() ([]entry, error) {
	var all []entry
	for name, script := range r.Scripts {
		text, err := compile(script)
		if err != nil {
			return nil, fmt.Errorf("script %s: %w", name, err)
		}
		all = append(all, entry{name: "vmtest/" + name, mode: modeFile | 0o755, data: []byte(text)})
	}
	for name, data := range r.Data {
		all = append(all, entry{name: inside(name), mode: modeFile | 0o755, data: data})
	}
	for i, file := range r.Modules {
		name := fmt.Sprintf("vmtest.modules/%02d-%s", i, filepath.Base(file))
		all = append(all, entry{name: name, mode: modeFile | 0o755, file: file})
	}
	for name, file := range r.Files {
		below, err := tree(inside(name), file)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

func inside(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// tree is a file, or a folder with all that is below it, under a name.
func tree(name, file string) ([]entry, error) {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return nil, err
	}
	var all []entry
	err = filepath.WalkDir(file, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(file, at)
		if err != nil {
			return err
		}
		e := entry{name: inside(name + "/" + filepath.ToSlash(rel)), mode: modeFile | 0o755, file: at}
		if d.IsDir() {
			e.mode, e.file = modeDir|0o755, ""
		}
		all = append(all, e)
		return nil
	})
	return all, err
}
