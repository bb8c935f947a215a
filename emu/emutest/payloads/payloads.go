// SPDX-License-Identifier: BSD-3-Clause

// Package payloads holds small EFI programs, made for this project: the demo
// of the uefiexec command, and programs that test an implementation of UEFI or
// try to break out of it. Their sources are in src, the script build.sh compiles
// them, and the script prove.sh runs those that are tests on OVMF and AAVMF: a
// test that judges our services has passed on real firmware first.
//
// Each is there for x64 and aa64. Those marked as tests print a line "PASS
// name" or "FAIL name: detail" for each check on ConOut and return Success
// only if nothing has failed, Aborted otherwise. Load options are UTF-16 text;
// a first word that ends in ".efi" is taken for the program's name and
// skipped. A status N is decimal, and "-2" is error 2.
//
//	name       load options            does
//	calls                              calls GetTime, RaiseTPL and RestoreTPL for ever
//	child      return N, exit N, deep N, other
//	                                   is loaded by image; returns, calls Exit, starts itself N deep
//	demo                               greets, reads \hello.txt, keeps a variable, exits boot services, spins
//	driver     fail, stuck             boot service driver, is loaded by image; stays, and can be unloaded
//	ebs        noevent early serial    exits boot services with a wrong key, then the right one; leaves a report
//	events                             test: events, timers, task priority levels (§7.1)
//	exit       N                       calls Exit with status N and exit data "bye", from a nested function
//	fds        METHOD [CALL]           tries Linux system calls; see src/fds.c
//	files      write                   test: SimpleFileSystem and File (§13.4, §13.5) on Volume
//	image                              test: LoadImage, StartImage, Exit, UnloadImage (§7.4) on Volume
//	jump       TEST                    one privileged instruction or wild access; see src/jump_*.h; "list" names them
//	memory                             test: pages, pools, memory map (§7.2), CopyMem, SetMem, CalculateCrc32
//	protocols                          test: handles, protocols, drivers (§7.3), configuration tables
//	random                             test: AllocateAddress at random addresses, the RNG protocol (§37.5)
//	return     N                       returns status N
//	spin                               loops for ever and calls nothing
//	stall                              stalls a second, for ever
//	vars       list                    test: variable services (§8.2)
//	wild       SERVICE                 test: calls every service with wild arguments (not for real firmware)
//
// The package knows no machine and no engine: it hands out bytes.
package payloads

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"
)

//go:embed x64/*.efi aa64/*.efi
var images embed.FS

//go:embed volume
var volume embed.FS

//go:embed x64/demo.efi
var demoX64 string

//go:embed aa64/demo.efi
var demoAA64 string

// Names returns the names of all payloads, sorted.
func Names() []string {
	entries, err := images.ReadDir("x64")
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".efi"))
	}
	return names
}

// Image returns a copy of the payload name for arch, which is "x64" or "aa64".
// The error is fs.ErrNotExist if there is none.
func Image(arch, name string) ([]byte, error) {
	b, err := images.ReadFile(arch + "/" + name + ".efi")
	if err != nil {
		return nil, fmt.Errorf("payload %q for %q: %w", name, arch, fs.ErrNotExist)
	}
	return b, nil
}

// Demo returns a copy of the payload demo for arch. A program that calls only
// Demo carries no other payload.
func Demo(arch string) ([]byte, error) {
	switch arch {
	case "x64":
		return []byte(demoX64), nil
	case "aa64":
		return []byte(demoAA64), nil
	}
	return nil, fmt.Errorf("payload %q for %q: %w", "demo", arch, fs.ErrNotExist)
}

// Volume returns the files that the payloads demo, files and image expect on
// their own volume: those of the folder volume, and every payload for arch in
// the root. The caller may change the map.
func Volume(arch string) (fstest.MapFS, error) {
	files := fstest.MapFS{}
	add := func(from fs.FS) error {
		return fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(from, path)
			files[path] = &fstest.MapFile{Data: data, Mode: 0o444}
			return err
		})
	}
	root, err := fs.Sub(volume, "volume")
	if err != nil {
		return nil, err
	}
	if err := add(root); err != nil {
		return nil, err
	}
	programs, err := fs.Sub(images, arch)
	if err != nil {
		return nil, err
	}
	if err := add(programs); err != nil {
		return nil, fmt.Errorf("payloads for %q: %w", arch, err)
	}
	return files, nil
}
