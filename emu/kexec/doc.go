// SPDX-License-Identifier: BSD-3-Clause

// Package kexec hands a frozen machine to the running Linux kernel, so that its
// payload goes on on bare metal.
//
//	host, err := kexec.ReadHost(os.DirFS("/"))   // the memory and tables of this machine
//	cfg := host.Config(emu.Config{…})            // become the guest's
//	m, err := emu.Open(cfg)
//	err = host.Prepare(m)                        // room for the trampoline, ACPI, SMBIOS
//	handoff, err := m.Boot(ctx, image, …)
//	err = kexec.Load(host, handoff, kexec.Options{})
//	err = kexec.Exec()                           // does not return
//
// The guest runs on this machine's physical memory map, so what it allocates
// lies at the addresses where it will be after the kexec. Load puts the
// handoff's segments and a trampoline there by kexec_load(2); nothing outside
// has changed until Exec. What the first kernel holds in those places it keeps
// until then.
//
// The package reads the host through an io/fs.FS, and plans without it; only
// loading and executing need Linux. It knows no service of UEFI.
package kexec
