// SPDX-License-Identifier: BSD-3-Clause

// Package efi holds the words of the UEFI specification: status codes, GUIDs,
// guest addresses, memory types and descriptors, table headers, device paths,
// load options and variable attributes.
//
// Section numbers (§7.2.3) are those of the Unified Extensible Firmware
// Interface Specification, release 2.10 (August 2022). Structures have the
// layout the specification gives them on a 64-bit machine: fixed-size fields,
// explicit padding, little endian on the wire, so that encoding/binary reads
// and writes them as they lie in guest memory.
//
// The package owns no memory and knows no machine, no engine and no service.
package efi
