// SPDX-License-Identifier: BSD-3-Clause

// Package tables holds what lies in guest memory as host-side data: the memory
// map, which is the page allocator too, the pool, the variable store, the
// configuration tables, and the encoding of tables that start with a header.
//
// Nothing here reads or writes guest memory: the package decides what lies
// where, and gives bytes for the owner of the memory to put there. A guest can
// reach none of its state but through the calls that its owner makes for it,
// and all state that a guest can make grow is bounded.
//
// Errors are an efi.Status, with detail wrapped around it, unless stated. No
// type is safe for use by several goroutines at once. Where the specification
// leaves a case open, the behaviour is that of EDK2, and the comment says so.
package tables
