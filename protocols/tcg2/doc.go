// SPDX-License-Identifier: BSD-3-Clause

// Package tcg2 is measured boot: EFI_TCG2_PROTOCOL (TCG EFI Protocol
// Specification 1.00 revision 00.13, protocol version 1.1) over PCRs that it
// computes, and what firmware measures around a boot, in the order of EDK2.
//
// A TPM is given to emu.Config.Measurer before Open and is installed on the
// machine after it:
//
//	t, err := tcg2.New(tcg2.Options{})
//	m, err := emu.Open(emu.Config{…, Measurer: t})
//	err = t.Install(m)
//	t.Firmware(m.Variables())
//	h, err := m.Boot(…)
//	log := t.Log()
//
// Nothing reaches a real TPM: what a payload extends is recorded, and package
// emu/kexec/tpm can carry it out. Events are as EDK2 has them (SecurityPkg/Tcg,
// SecurityPkg/Library/DxeTpm2MeasureBootLib), which other firmware departs from:
// what it measures into PCR 0 to 3 and 7 before the boot loader is its own.
// Sections named in comments are those of the TCG EFI Protocol Specification.
package tcg2
