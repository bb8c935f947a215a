// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/pecoff"
)

// FileLoaded says what LoadFile has loaded, in bytes.
type FileLoaded struct {
	Kernel, Initrd int64
	CommandLine    string
}

// LoadFile hands to the running kernel what a run has come to, by
// kexec_file_load(2), for kernels that refuse Load: the payload's kernel as it was
// signed, its initrd with all that stubs and sidecars have added, its command
// line. The running kernel checks the signature itself, as far as its policy
// asks for one.
//
// The frozen machine itself is not loaded. Lost are the EFI variables of the run,
// its configuration tables, device trees and measurements: the next kernel is
// told of firmware what the running one knows, and is started with EFI only if
// that one was. The handoff may be one of another machine.
//
// Files are handed over in memory, so signatures in extended attributes, which
// IMA looks for, are lost; signatures in the file are not. What was loaded before
// is replaced, unless there is an error.
func LoadFile(host *Host, handoff *emu.Handoff) (FileLoaded, error) {
	if !host.FileMayDo() {
		return FileLoaded{}, host.allowed()
	}
	p, err := planFile(handoff)
	if err != nil {
		return FileLoaded{}, fmt.Errorf("kexec: %w", err)
	}
	if err := p.load(); err != nil {
		return FileLoaded{}, fmt.Errorf("kexec: %w", err)
	}
	return FileLoaded{p.kernel.Size(), int64(len(p.initrd)), p.cmdline}, nil
}

// FileMayDo reports whether LoadFile may do what Load was refused: it is no help
// where the kernel loads nothing at all.
func (h *Host) FileMayDo() bool { return !h.Xen && !h.Disabled }

// filePlan is what kexec_file_load(2) takes.
type filePlan struct {
	kernel  *io.SectionReader
	initrd  []byte // nil for none
	cmdline string
}

// planFile finds in a handoff what kexec_file_load(2) takes.
func planFile(h *emu.Handoff) (p filePlan, err error) {
	if p.kernel, err = h.Kernel(); err != nil {
		return p, err
	}
	limit, err := checkKernel(p.kernel)
	if err != nil {
		return p, err
	}
	// Linux's stub stops at a line's end, too.
	p.cmdline, _, _ = strings.Cut(h.CommandLine(), "\n")
	if len(p.cmdline) >= limit {
		return p, fmt.Errorf("a command line of %d bytes, where the kernel takes %d", len(p.cmdline), limit-1)
	}
	p.initrd, err = h.Initrd()
	if errors.Is(err, emu.ErrNoInitrd) {
		p.initrd, err = nil, nil
		// Since 6.1 the stub leaves both tables; the memory map always.
		if _, ok := h.ConfigurationTable(efi.LinuxBootMemmapTableGUID); !ok {
			err = errors.New("the kernel is older than 6.1, and where it has put its initrd is not known")
		}
	}
	return p, err
}

// checkKernel says why the running kernel would not know what an image is, and
// how long its command line may be, with the NUL, in bytes.
func checkKernel(kernel *io.SectionReader) (limit int, err error) {
	image, err := pecoff.Parse(kernel, kernel.Size())
	if err != nil {
		return 0, err
	}
	switch kind := image.Kind(); kind {
	case pecoff.KindBzImage:
		return checkBzImage(kernel)
	case pecoff.KindARM64Image:
		// Linux has had a number there since 5.8.
		if image.MajorImageVersion == 0 {
			return 0, errors.New("what exited boot services is not Linux: kexec_file_load takes nothing else")
		}
		return arm64CommandLine, nil
	default:
		return 0, fmt.Errorf("the kernel is of kind %v: kexec_file_load takes a bzImage or an arm64 Image", kind)
	}
}

// arm64CommandLine is COMMAND_LINE_SIZE of arm64; what is longer would be cut.
const arm64CommandLine = 2048

// checkBzImage reads the setup header (Documentation/arch/x86/boot.rst), as the
// kernel's bzImage64_probe does.
func checkBzImage(kernel *io.SectionReader) (limit int, err error) {
	const (
		start       = 0x200
		version     = 0x206 - start
		loadFlags   = 0x211 - start
		xloadFlags  = 0x236 - start
		cmdlineSize = 0x238 - start
		end         = 0x23c - start

		loadedHigh = 1 << 0 // in loadFlags
		kernel64   = 1 << 0 // in xloadFlags
		above4G    = 1 << 1
	)
	h := make([]byte, end)
	if _, err := kernel.ReadAt(h, start); err != nil {
		return 0, err
	}
	le := binary.LittleEndian
	if le.Uint16(h[version:]) < 0x20c || h[loadFlags]&loadedHigh == 0 || le.Uint16(h[xloadFlags:])&(kernel64|above4G) != kernel64|above4G {
		return 0, errors.New("what exited boot services is no 64-bit Linux: kexec_file_load takes nothing else")
	}
	return int(min(le.Uint32(h[cmdlineSize:]), 1<<16)), nil
}
