// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/tables"
)

// BootOption is something that the boot manager tries (§3.1).
type BootOption struct {
	Name        string // "Boot0001", or "" for the file of removable media
	Description string
	Path        efi.DevicePath // as it stands in the option: a short form may begin it
	LoadOptions []byte
}

// String is how a person calls it.
func (o BootOption) String() string {
	text := o.Name
	if o.Description != "" {
		text += fmt.Sprintf(" %q", o.Description)
	}
	if text == "" {
		text = "removable media"
	}
	return text
}

// BootManagerOptions are what a boot manager is told.
type BootManagerOptions struct {
	// Attempt, if not nil, is told of each option before its image is loaded. Its
	// error ends the boot.
	Attempt func(BootOption) error
}

// BootManager boots as firmware does by itself (§3.1, §3.5.1): the option of
// BootNext, which is then gone, those of BootOrder that are active, and last the
// file for removable media, \EFI\BOOT\BOOTX64.EFI or what it is called for the
// machine, of each volume. It goes on to the next when an image cannot be loaded
// or comes back with an error; what was tried is in the error when all have
// failed. An image that comes back with Success ends it, as firmware would show
// its menu then: that is its *ExitError. Anything else is as of Boot.
//
// The variables are those of the machine; BootCurrent is set, BootNext deleted.
// An image is read from volumes that are implemented in Go. A device path may
// start with its partition or with the path of its file (§3.1.2).
func (m *Machine) BootManager(ctx context.Context, opts BootManagerOptions) (*Handoff, error) {
	var failed []error
	try := func(o BootOption) (*Handoff, error, bool) {
		if opts.Attempt != nil {
			if err := opts.Attempt(o); err != nil {
				return nil, err, true
			}
		}
		handoff, err := m.bootOption(ctx, o)
		if err == nil || !goesOn(err) {
			return handoff, err, true
		}
		failed = append(failed, fmt.Errorf("%v: %w", o, err))
		return nil, nil, false
	}
	for _, number := range m.bootNumbers() {
		o, err := m.numbered(number)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if err := m.vars.Define(tables.Variable{
			Name: "BootCurrent", GUID: efi.GlobalVariableGUID,
			Attributes: efi.VariableBootServiceAccess | efi.VariableRuntimeAccess,
			Data:       binary.LittleEndian.AppendUint16(nil, number),
		}); err != nil {
			return nil, fmt.Errorf("emu: BootCurrent: %w", err)
		}
		if handoff, err, done := try(o); done {
			return handoff, err
		}
	}
	m.vars.DeleteFunc(isGlobal("BootCurrent"))
	guid := efi.SimpleFileSystemProtocolGUID
	for _, h := range m.handles.with(&guid) {
		if path, err := m.devicePath(h.id); err == nil {
			if handoff, err, done := try(BootOption{Path: path}); done {
				return handoff, err
			}
		}
	}
	if len(failed) == 0 {
		failed = append(failed, fmt.Errorf("no boot option and no volume: %w", efi.NotFound))
	}
	return nil, fmt.Errorf("emu: nothing boots: %w", errors.Join(failed...))
}

// goesOn reports whether an attempt has failed in a way that firmware goes on
// from.
func goesOn(err error) bool {
	var exit *ExitError
	var status efi.Status
	switch {
	case errors.As(err, &exit):
		return exit.Status.IsError()
	case errors.As(err, new(*FaultError)), errors.As(err, new(*LimitError)), errors.As(err, new(*ResetError)):
		return false
	}
	return errors.As(err, &status)
}

func isGlobal(name string) func(tables.Variable) bool {
	return func(v tables.Variable) bool { return v.Name == name && v.GUID == efi.GlobalVariableGUID }
}

// bootNumbers are those of BootNext, which is deleted, and of the active options
// of BootOrder, each once.
func (m *Machine) bootNumbers() []uint16 {
	var numbers []uint16
	add := func(n uint16) {
		if !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	if next, err := m.vars.Get("BootNext", efi.GlobalVariableGUID); err == nil {
		m.vars.DeleteFunc(isGlobal("BootNext"))
		if len(next.Data) == 2 {
			add(binary.LittleEndian.Uint16(next.Data))
		}
	}
	order, err := m.vars.Get("BootOrder", efi.GlobalVariableGUID)
	if err != nil {
		return numbers
	}
	for b := order.Data; len(b) >= 2; b = b[2:] {
		n := binary.LittleEndian.Uint16(b)
		if o, err := m.loadOption(n); err == nil && (o.Attributes&efi.LoadOptionActive == 0 ||
			o.Attributes&efi.LoadOptionCategory != efi.LoadOptionCategoryBoot) {
			continue
		}
		add(n)
	}
	return numbers
}

func (m *Machine) loadOption(number uint16) (efi.LoadOption, error) {
	name := bootName(number)
	v, err := m.vars.Get(name, efi.GlobalVariableGUID)
	if err != nil {
		return efi.LoadOption{}, fmt.Errorf("%s: %w", name, err)
	}
	o, err := efi.ParseLoadOption(v.Data)
	if err != nil {
		return o, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

func (m *Machine) numbered(number uint16) (BootOption, error) {
	o, err := m.loadOption(number)
	if err != nil {
		return BootOption{}, err
	}
	return BootOption{bootName(number), o.Description, o.FilePathList[0], o.OptionalData}, nil
}

func bootName(number uint16) string { return fmt.Sprintf("Boot%04X", number) }

// bootOption loads and starts what a boot option names: at the first of the
// places that it may mean where there is a file.
func (m *Machine) bootOption(ctx context.Context, o BootOption) (*Handoff, error) {
	places := m.expand(o.Path)
	if len(places) == 0 {
		return nil, fmt.Errorf("no device has %v: %w", o.Path, efi.NotFound)
	}
	var first error
	for _, path := range places {
		h, name, data, err := m.readBootFile(path)
		if err != nil {
			if first == nil {
				first = fmt.Errorf("%v: %w", path, err)
			}
			continue
		}
		return m.Boot(ctx, bytes.NewReader(data), BootOptions{
			Device: h, Path: efi.DevicePath{efi.FilePath(name)}, LoadOptions: o.LoadOptions,
		})
	}
	return nil, first
}

// readBootFile reads a file from a volume, that of removable media if the path is
// the volume's own.
func (m *Machine) readBootFile(path efi.DevicePath) (h efi.Handle, name string, data []byte, err error) {
	h, rest, ok := m.locateByPath(efi.SimpleFileSystemProtocolGUID, path)
	if !ok {
		return 0, "", nil, fmt.Errorf("no volume there: %w", efi.NotFound)
	}
	if len(rest) == 0 {
		name = RemovableMediaFile(m.cfg.Arch)
	} else if device, file := rest.SplitFile(); len(device) == 0 && file != "" {
		name = file
	} else {
		return 0, "", nil, fmt.Errorf("no file on a volume: %w", efi.Unsupported)
	}
	at, _ := m.handles.lookup(h, efi.SimpleFileSystemProtocolGUID)
	host, ok := m.instances[at].(FileReader)
	if !ok {
		return 0, "", nil, fmt.Errorf("a volume of the guest's, which does not run: %w", efi.Unsupported)
	}
	data, err = host.ReadFile(name, m.limits.Image)
	return h, name, data, err
}

// RemovableMediaFile is the file that is booted from a volume of which nothing
// else is known (§3.5.1.1).
func RemovableMediaFile(arch cpu.Arch) string {
	if arch == cpu.ARM64 {
		return `\EFI\BOOT\BOOTAA64.EFI`
	}
	return `\EFI\BOOT\BOOTX64.EFI`
}

// expand makes full paths of one that starts with a partition or with a file
// (§3.1.2).
func (m *Machine) expand(path efi.DevicePath) []efi.DevicePath {
	if len(path) == 0 {
		return nil
	}
	hd, _, isPartition := efi.DecodeNode[efi.HardDriveNode](path[0])
	_, isFile := path[0].FilePathName()
	if !isPartition && !isFile {
		return []efi.DevicePath{path}
	}
	rest := path
	if isPartition {
		rest = path[1:]
	}
	var full []efi.DevicePath
	guid := efi.SimpleFileSystemProtocolGUID
	for _, h := range m.handles.with(&guid) {
		device, err := m.devicePath(h.id)
		if err != nil || len(device) == 0 {
			continue
		}
		last, _, ok := efi.DecodeNode[efi.HardDriveNode](device[len(device)-1])
		if isFile || ok && samePartition(last, hd) {
			full = append(full, device.Append(rest...))
		}
	}
	return full
}

// samePartition compares what a short form names a partition by.
func samePartition(a, b efi.HardDriveNode) bool {
	return a.PartitionNumber == b.PartitionNumber && a.Format == b.Format &&
		a.SignatureType == b.SignatureType && a.Signature == b.Signature
}
