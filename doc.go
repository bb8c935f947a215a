// SPDX-License-Identifier: BSD-3-Clause

// Package uefiexec runs a UEFI image in user space up to ExitBootServices and
// freezes the machine there.
//
// A UEFI image (a unified kernel image, a kernel behind its EFI stub, a boot
// loader, a test program) is loaded and relocated by package pecoff and started
// on a Machine of package emu, whose boot and runtime services are Go functions.
// The guest's processor is an engine: on Linux a ptraced child whose address
// space is the guest's physical memory and which runs at native speed, elsewhere an
// interpreter. When the
// image calls ExitBootServices, what it has made of the machine (memory,
// registers, variables, configuration tables) is the Handoff: data.
//
//	[]byte ──▶ pecoff.Image ──▶ emu.Machine ──▶ emu.Handoff
//	                              │      ▲
//	                        cpu.Engine  protocols.*
//
// Only the Machine is alive. Machines share nothing; there is no registry and no
// global state. A machine is composed by whoever opens it: an engine from
// emu/ptrace or emu/auto, memory, a clock, a source of randomness, and devices
// from package protocols. Nothing of the host is given to a guest that was not
// put there, and nothing of the host is changed: file systems are read-only,
// variables live in a private store.
//
// The folders, with what each may import of the others:
//
//	efi        the specification's words                      nothing
//	pecoff     images: parse, check, lay out, relocate        nothing
//	tables     memory map, pools, variables                   efi
//	tables/eventlog  logs of measured boot                    efi
//	emu/mem    guest memory                                   efi
//	emu/cpu    registers, calling conventions, Engine         efi emu/mem
//	emu/ptrace emu/interp emu/puppet                          efi emu/mem emu/cpu
//	emu        Machine, services, Handoff                     efi emu/mem emu/cpu pecoff tables
//	protocols/fat  FAT read as io/fs, io/fs shown as FAT
//	protocols  consoles, file systems, disks, initrd          efi emu emu/mem tables protocols/fat
//	protocols/tcg2  measured boot                             efi emu emu/mem pecoff tables
//	emu/auto   picks an engine                                the engines
//	emu/emutest  tests of EFI programs and of services        all of these
//
// Start with emu.Open and Machine.Boot, protocols.Platform, and emutest.Run. The
// command is examples/uefiexec.
package uefiexec
