// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"runtime"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/tables"
)

// managed reports whether no image is named, but a volume or a boot option: then it
// is the boot manager that finds one.
func (f *runFlags) managed() bool {
	return f.image == "" && (f.esp != "" || f.disk != "" || f.bootNumber != "")
}

// bootNext makes the option that -boot names the next one.
func (f *runFlags) bootNext(vars *tables.Variables) error {
	if f.bootNumber == "" {
		return nil
	}
	n, err := strconv.ParseUint(f.bootNumber, 16, 16)
	if err != nil {
		return usagef("-boot %s: want up to four hexadecimal digits", f.bootNumber)
	}
	if _, err := vars.Get(fmt.Sprintf("Boot%04X", n), efi.GlobalVariableGUID); err != nil {
		return fmt.Errorf("-boot %s: %w", f.bootNumber, err)
	}
	return vars.Define(tables.Variable{
		Name: "BootNext", GUID: efi.GlobalVariableGUID,
		Attributes: efi.VariableNonVolatile | efi.VariableBootServiceAccess | efi.VariableRuntimeAccess,
		Data:       binary.LittleEndian.AppendUint16(nil, uint16(n)),
	})
}

// manage boots by the boot manager, and says of each attempt what it is.
func (f *runFlags) manage(ctx context.Context, s streams, b *booted) (*emu.Handoff, error) {
	if err := f.bootNext(b.machine.Variables()); err != nil {
		return nil, err
	}
	first := true
	return b.machine.BootManager(ctx, emu.BootManagerOptions{Attempt: func(o emu.BootOption) error {
		b.source.name = o.String()
		if !f.json {
			fmt.Fprintf(s.err, "uefiexec: booting %v, %v\n", o, o.Path)
		}
		if !first && b.tpm != nil {
			return b.tpm.Returned()
		}
		first = false
		return nil
	}})
}

// volumeArch is the architecture that a volume has a file for removable media of:
// the host's if it has both or neither.
func volumeArch(volume fs.FS) cpu.Arch {
	host, other := cpu.AMD64, cpu.ARM64
	if runtime.GOARCH == "arm64" {
		host, other = other, host
	}
	if volume != nil && !hasFile(volume, emu.RemovableMediaFile(host)) && hasFile(volume, emu.RemovableMediaFile(other)) {
		return other
	}
	return host
}

// hasFile looks for a file as firmware names it, whatever its case.
func hasFile(volume fs.FS, name string) bool {
	at := "."
	for part := range strings.SplitSeq(strings.TrimPrefix(name, `\`), `\`) {
		entries, err := fs.ReadDir(volume, at)
		if err != nil {
			return false
		}
		found := false
		for _, e := range entries {
			if found = strings.EqualFold(e.Name(), part); found {
				at = strings.TrimPrefix(at+"/"+e.Name(), "./")
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}
