// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// Host is what is known of the machine that is to be left: data, read once.
type Host struct {
	// Arch is the processor's architecture, 0 if it is not known.
	Arch cpu.Arch

	// Memory is the machine's memory as its firmware described it, sorted and
	// disjoint, in whole pages: RAM is ConventionalMemory, what firmware asks to
	// spare for a special purpose has MemorySP besides.
	Memory []efi.MemoryDescriptor

	// Kept are the parts of the RAM that a device tree has set aside for purposes of
	// the machine. They are described as RAM, and nothing is allocated there.
	Kept []efi.Range

	// DeviceTree is the flattened device tree that the payload is given, nil if the
	// machine has none: the running kernel's, without what was about its own boot.
	DeviceTree []byte

	// Tables are the addresses of firmware tables that stay valid, by the GUID
	// under which a payload looks for them: ACPI, SMBIOS.
	Tables []efi.ConfigurationTable

	// Contents are the parts of the memory that payloads look into while they
	// still run as a process: the tables themselves.
	Contents []emu.Content

	// SMBIOS is an SMBIOS entry point, of which the payload is given a copy: where
	// the firmware has it is not always known.
	SMBIOS []byte

	// Runtime is where the firmware's runtime services table lies, if the next boot
	// is to use it: see UseFirmware.
	Runtime efi.Addr

	// ESRT is the firmware's EFI_SYSTEM_RESOURCE_TABLE, nil if there is none. The
	// payload is given a copy.
	ESRT []byte

	// EventLog is what was measured before, if the payload is measured: see
	// ReadEventLog.
	EventLog *eventlog.Log

	// IMARoom is the room for IMA's list of measurements, in bytes, 0 if it is not
	// handed on: see ReadIMA.
	IMARoom uint64

	// FrameBuffer is what the screen shows, nil if it is not known: then a payload
	// is to have none.
	FrameBuffer *FrameBuffer

	// Total is what the kernel counts of the RAM, in bytes, and 0 if that is not
	// known. It loads no more than half of it.
	Total uint64

	// Flags are the features of the processor, in Linux's words.
	Flags []string

	Xen      bool   // the kernel is a guest of Xen, whose kexec is another one
	Lockdown string // "none", "integrity", "confidentiality", or "" if unknown
	Disabled bool   // kernel.kexec_load_disabled
}

// lowMemory is described but never given to the payload by an allocation: the
// next kernel starts its processors from there, and the BIOS has its data there.
var lowMemory = efi.Range{Start: 0, End: 1 << 20}

// ReadHost reads what a running Linux tells of its machine, from the root
// folder. What cannot be read but can be done without is left out.
func ReadHost(root fs.FS) (*Host, error) { return readHostAs(hostArch(), root) }

// hostArch is the architecture that this program was built for.
func hostArch() cpu.Arch {
	return map[string]cpu.Arch{"amd64": cpu.AMD64, "arm64": cpu.ARM64}[runtime.GOARCH]
}

func readHostAs(arch cpu.Arch, root fs.FS) (*Host, error) {
	h := &Host{Arch: arch}
	var err error
	if h.Memory, h.Kept, err = readMemory(root); errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("kexec: %w: %w; it needs root", ErrRefused, err)
	}
	if err != nil {
		return nil, fmt.Errorf("kexec: %w", err)
	}
	if tree, err := readDeviceTree(root); err == nil {
		tree.forNext()
		if h.DeviceTree, err = tree.flatten(); err != nil {
			return nil, fmt.Errorf("kexec: %w", err)
		}
	}
	readTables(root, h)
	readContents(root, h)
	readACPI(root, h)
	readSMBIOS(root, h)
	h.ESRT = readESRT(root)
	h.FrameBuffer = readFrameBuffer(root, h)
	if text, err := fs.ReadFile(root, "proc/cpuinfo"); err == nil {
		h.Flags = cpuFlags(string(text))
	}
	if text, err := fs.ReadFile(root, "proc/meminfo"); err == nil {
		h.Total = meminfo(string(text), "MemTotal")
	}
	if text, err := fs.ReadFile(root, "sys/kernel/security/lockdown"); err == nil {
		h.Lockdown = selected(string(text))
	}
	if text, err := fs.ReadFile(root, "proc/sys/kernel/kexec_load_disabled"); err == nil {
		h.Disabled = strings.TrimSpace(string(text)) == "1"
	}
	if text, err := fs.ReadFile(root, "sys/hypervisor/type"); err == nil {
		h.Xen = strings.TrimSpace(string(text)) == "xen"
	}
	return h, nil
}

// cpuFlags are the features of the first processor in /proc/cpuinfo.
func cpuFlags(cpuinfo string) []string {
	for line := range strings.Lines(cpuinfo) {
		if name, flags, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "flags" {
			return strings.Fields(flags)
		}
	}
	return nil
}

// meminfo is a line like "MemTotal: 1000 kB" of /proc/meminfo in bytes, 0 if
// there is none.
func meminfo(text, name string) uint64 {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name+":" && fields[2] == "kB" {
			if kib, err := strconv.ParseUint(fields[1], 10, 42); err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

// selected is the word in brackets of a list like "none [integrity]".
func selected(list string) string {
	_, rest, ok := strings.Cut(list, "[")
	word, _, closed := strings.Cut(rest, "]")
	if !ok || !closed {
		return ""
	}
	return word
}

// Config makes cfg that of a machine on this host's memory. Of the low megabyte
// and of memory for a special purpose nothing will be allocated.
func (h *Host) Config(cfg emu.Config) emu.Config {
	cfg.MemoryMap, cfg.Contents, cfg.Withhold = h.Memory, h.Contents, nil
	cfg.RuntimeServices = h.Runtime
	for _, d := range h.Memory {
		r := d.Range()
		if isRAM(d) {
			r = intersect(r, lowMemory)
		}
		if d.Type == efi.ConventionalMemory && r.Size() > 0 {
			cfg.Withhold = append(cfg.Withhold, r)
		}
		for _, k := range h.Kept {
			k.Start, k.End = k.Start.PageDown(), (k.End + efi.PageSize - 1).PageDown()
			if k = intersect(d.Range(), k); isRAM(d) && k.Size() > 0 {
				cfg.Withhold = append(cfg.Withhold, k)
			}
		}
	}
	return cfg
}

func intersect(a, b efi.Range) efi.Range {
	return efi.Range{Start: max(a.Start, b.Start), End: min(a.End, b.End)}
}

// Prepare makes a machine that Config has configured ready for Load: it reserves
// room for the trampoline and installs the host's tables. It has to be called
// before Boot.
func (h *Host) Prepare(m *emu.Machine) error {
	if _, err := m.Reserve(efi.BootServicesData, h.trampolinePages(m.Arch())); err != nil {
		return fmt.Errorf("kexec: room for the trampoline: %w", err)
	}
	if h.EventLog != nil {
		if err := h.reserveLog(m); err != nil {
			return err
		}
	}
	for _, t := range h.Tables {
		if err := m.InstallConfigurationTable(t.VendorGUID, t.VendorTable); err != nil {
			return fmt.Errorf("kexec: %w", err)
		}
	}
	smbios := efi.SMBIOSTableGUID
	if bytes.HasPrefix(h.SMBIOS, []byte("_SM3_")) {
		smbios = efi.SMBIOS3TableGUID
	}
	if err := copyTable(m, smbios, efi.RuntimeServicesData, h.SMBIOS); err != nil {
		return fmt.Errorf("kexec: SMBIOS entry point: %w", err)
	}
	if err := copyTable(m, efi.SystemResourceTableGUID, efi.RuntimeServicesData, h.ESRT); err != nil {
		return fmt.Errorf("kexec: ESRT: %w", err)
	}
	tree := h.DeviceTree
	if h.IMARoom > 0 {
		var err error
		if tree, err = h.withIMA(m); err != nil {
			return fmt.Errorf("kexec: room for IMA's list: %w", err)
		}
	}
	// Kernels take a copy of their own, so that it may go with the boot services.
	if err := copyTable(m, efi.DTBTableGUID, efi.BootServicesData, tree); err != nil {
		return fmt.Errorf("kexec: device tree: %w", err)
	}
	return nil
}

// copyTable installs a table that is given to the payload as a copy, in memory of
// a type; there may be none. What is to be there after the boot goes to
// RuntimeServicesData, which kernels leave alone.
func copyTable(m *emu.Machine, guid efi.GUID, t efi.MemoryType, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	at, err := m.AllocatePool(t, uint64(len(data)))
	if err != nil {
		return err
	}
	if err := m.Memory().Write(at, data); err != nil {
		return err
	}
	return m.InstallConfigurationTable(guid, at)
}
