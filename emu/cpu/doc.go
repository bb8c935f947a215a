// SPDX-License-Identifier: BSD-3-Clause

// Package cpu is the seam between the machine and what executes the guest:
// registers, calling conventions as data, the Engine that runs the guest until
// something happens, and the Exit that says what.
//
// An engine knows the guest's memory and its processor, and nothing of UEFI. It
// is handed registers and gives them back; it never calls the machine. What
// the guest asks of its surroundings (a service through a gate, a port, a
// model-specific register, a privileged instruction) is an Exit, answered by
// the machine, once for all engines.
//
// To add an engine: write a New; make it pass cputest.TestEngine, whose cases
// may not be skipped; add it to emu/auto and to the trace comparison of the
// payload tests. To add an architecture: a row in Arch, its ABI, its cases in
// cputest, a blob in emu/resident.
package cpu
