// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/archive"
)

// source is an image and the volume that it comes from.
type source struct {
	name    string // for people
	image   *io.SectionReader
	volume  fs.FS
	options protocols.VolumeOptions
	path    efi.DevicePath // of the image on the volume
	machineDisk

	closers []io.Closer
}

func (s *source) close() {
	for _, c := range s.closers {
		c.Close()
	}
}

// openSource finds the image. An image in the -esp folder, archive or disk image
// has its path there; one outside lies alone on a volume of its own if there is no
// other; none is the demonstration, or unknown if the boot manager is to find one.
// disk is the file of the disk that the volume lies on, if there is one.
func openSource(image, esp, disk string, managed bool) (*source, error) {
	s := &source{name: image}
	if err := s.open(image, esp, disk, managed); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *source) open(image, esp, disk string, managed bool) error {
	if esp != "" {
		if err := s.openVolume(esp); err != nil {
			return fmt.Errorf("-esp: %w", err)
		}
	}
	if disk != "" {
		if s.whole != nil {
			return usagef("-esp %s is a disk, and -disk another", esp)
		}
		if err := s.openDisk(disk); err != nil {
			return fmt.Errorf("-disk: %w", err)
		}
	}
	if managed {
		return nil
	}
	if image == "" {
		return s.demo()
	}
	inside, isInside := insideOf(esp, image)
	if isInside {
		return s.fromVolume(inside)
	}
	file, err := os.Open(image)
	if err != nil {
		if s.volume != nil && errors.Is(err, fs.ErrNotExist) {
			if verr := s.fromVolume(toSlash(image)); verr == nil {
				return nil
			}
		}
		return err
	}
	s.closers = append(s.closers, file)
	if s.image, err = section(file); err != nil {
		return err
	}
	base := filepath.Base(image)
	s.path = efi.DevicePath{efi.FilePath(`\` + base)}
	if s.volume == nil {
		s.volume = oneFile{base, s.image}
	}
	return nil
}

// insideOf says where in the folder esp an image lies, if it does.
func insideOf(esp, image string) (string, bool) {
	if esp == "" {
		return "", false
	}
	folder, err := filepath.Abs(esp)
	if err != nil {
		return "", false
	}
	file, err := filepath.Abs(image)
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(folder, file)
	if err != nil || !filepath.IsLocal(rel) || rel == "." {
		return "", false
	}
	if _, err := os.Stat(image); err != nil {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// toSlash takes a path as firmware or this system writes it.
func toSlash(name string) string {
	return strings.TrimPrefix(path.Clean(strings.ReplaceAll(filepath.ToSlash(name), `\`, "/")), "/")
}

// openVolume opens a folder, an archive as one, or a disk.
func (s *source) openVolume(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		root, err := os.OpenRoot(name)
		if err != nil {
			return err
		}
		s.closers = append(s.closers, root)
		if _, err := fs.ReadDir(root.FS(), "."); err != nil {
			return err
		}
		s.volume = root.FS()
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, file)
	if info.Mode().IsRegular() {
		if s.volume, err = archive.Open(file, info.Size()); !errors.Is(err, archive.ErrFormat) {
			return err
		}
	}
	s.volume = nil
	derr := s.openDisk(name)
	switch {
	case errors.Is(derr, protocols.ErrNoPartitions):
		return fmt.Errorf("%s is no disk with a FAT volume; nor as an archive: %w", name, err)
	case derr == nil && s.volume == nil:
		return fmt.Errorf("%s: its EFI system partition holds no FAT volume", name)
	}
	return derr
}

// fromVolume takes the image from the volume.
func (s *source) fromVolume(name string) error {
	file, err := s.volume.Open(name)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, file)
	info, err := file.Stat()
	if err != nil {
		return err
	}
	r, ok := file.(io.ReaderAt)
	if !ok {
		data, err := io.ReadAll(file)
		if err != nil {
			return err
		}
		r = bytes.NewReader(data)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", name)
	}
	s.image = io.NewSectionReader(r, 0, info.Size())
	s.path = efi.DevicePath{efi.FilePath(`\` + strings.ReplaceAll(name, "/", `\`))}
	return nil
}

// demo takes the demonstration, with the files it reads.
func (s *source) demo() error {
	arch := "x64"
	if runtime.GOARCH == "arm64" {
		arch = "aa64"
	}
	data, err := payloads.Demo(arch)
	if err != nil {
		return err
	}
	s.name = "demo.efi"
	s.image = io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
	s.path = efi.DevicePath{efi.FilePath(`\demo.efi`)}
	if s.volume == nil {
		hello := strings.NewReader("Hello from a file on the image's own volume.\n")
		s.volume = oneFile{"hello.txt", io.NewSectionReader(hello, 0, hello.Size())}
	}
	return nil
}
