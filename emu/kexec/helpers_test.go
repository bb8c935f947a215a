// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

const amd64 = cpu.AMD64

// noEngine is for machines that run nothing.
func noEngine(cpu.Config) (cpu.Engine, error) { return nil, errors.New("no engine") }

// machine is the files of a running Linux, and its physical memory in /dev/mem,
// as far as that may be read.
type machine struct {
	fstest.MapFS
	memory map[efi.Addr][]byte
}

func (m machine) Open(name string) (fs.File, error) {
	if name != "dev/mem" {
		return m.MapFS.Open(name)
	}
	if m.memory == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return physical{memory: m.memory}, nil
}

// physical is /dev/mem: reading what is in no range fails.
type physical struct {
	fs.File
	memory map[efi.Addr][]byte
}

func (physical) Close() error { return nil }

func (p physical) ReadAt(b []byte, offset int64) (int, error) {
	for at, data := range p.memory {
		if from := offset - int64(at); from >= 0 && from < int64(len(data)) {
			if n := copy(b, data[from:]); n < len(b) {
				return n, io.ErrUnexpectedEOF
			}
			return len(b), nil
		}
	}
	return 0, fs.ErrPermission
}

// with adds files to those of a machine.
func with(root fstest.MapFS, files map[string]string) fstest.MapFS {
	root = maps.Clone(root)
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}
