// SPDX-License-Identifier: BSD-3-Clause

// Package protocols implements UEFI protocols over ordinary Go things: consoles
// over readers and writers, file systems over io/fs, disks and an initrd over an
// io.ReaderAt, random numbers over the machine's source of them, and the conversions of
// device paths. Each function returns interfaces for Machine.Install; Platform
// composes what a plain machine has.
//
// What a guest passes is untrusted: pointers are checked by package mem, names
// and sizes are bounded, file systems are read-only unless a WritableFS is given
// and never left. The package owns no machine and keeps no state beside what it
// is handed.
package protocols
