// SPDX-License-Identifier: BSD-3-Clause

// Package resident holds code that runs in the guest: services that are called
// too often to leave the guest for (CopyMem, SetMem), the runtime services after
// ExitBootServices, and the trampoline by which a frozen guest gets from kexec
// to where it was. The sources are in src; build.sh compiles them, one blob of
// services and one trampoline for each guest architecture.
//
// A blob of services is position independent and has no relocation. It may lie at any
// multiple of 4096, readable and executable; its functions follow the calling
// convention that UEFI prescribes (§2.3.4, §2.3.6), use neither floating point
// nor vector registers, leave interrupts as they are and need some 300 bytes of
// stack. They trust their arguments: a bad pointer faults in the guest.
package resident

import (
	_ "embed" // the blobs
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strings"
)

//go:embed x64.bin
var x64 string

//go:embed aa64.bin
var aa64 string

// Blob is the resident code for one architecture.
type Blob struct {
	// Code is all there is to lay into guest memory, in one piece. It is a
	// copy of the caller's own.
	Code []byte

	functions map[string]uint64
	params    uint64
}

// Functions returns the offset in Code of each function, by its name. It has:
//
//	CopyMem      (§7.5.3), overlapping buffers included
//	SetMem       (§7.5.4)
//	Unsupported  returns EFI_UNSUPPORTED, whatever the arguments
//
// and the runtime services that RuntimeParams describes, by the names that they
// have in the specification.
func (b *Blob) Functions() map[string]uint64 { return maps.Clone(b.functions) }

// For returns the blob for arch, "x64" or "aa64".
func For(arch string) (*Blob, error) {
	switch arch {
	case "x64":
		return parse(x64, RuntimeParamsSize)
	case "aa64":
		return parse(aa64, RuntimeParamsSize)
	}
	return nil, fmt.Errorf("no resident code for %q", arch)
}

// The layout of a blob's header is in src/header.S.
const (
	magic      = "UEFIRES\x02"
	headerSize = 24
	entrySize  = 32
	nameSize   = 28
)

var errHeader = errors.New("bad header of resident code")

// parse reads the header of a blob whose parameter block has params bytes.
func parse(blob string, params uint64) (*Blob, error) {
	if len(blob) < headerSize || !strings.HasPrefix(blob, magic) {
		return nil, errHeader
	}
	b := &Blob{Code: []byte(blob), functions: map[string]uint64{}}
	word := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(b.Code[at:])) }
	size, n := word(8), word(12)
	if size != uint64(len(blob)) || n > uint64(len(blob)-headerSize)/entrySize {
		return nil, errHeader
	}
	b.params = word(16)
	if word(20) != params || b.params < headerSize || b.params > size || size-b.params < params {
		return nil, fmt.Errorf("%w: parameter block of %d bytes at %#x", errHeader, word(20), b.params)
	}
	table := b.Code[headerSize : headerSize+entrySize*int(n)]
	first := uint64(headerSize + len(table))
	for ; len(table) > 0; table = table[entrySize:] {
		name := strings.TrimRight(string(table[:nameSize]), "\x00")
		offset := uint64(binary.LittleEndian.Uint32(table[nameSize:]))
		if _, twice := b.functions[name]; twice || name == "" || offset < first || offset >= size {
			return nil, fmt.Errorf("%w: function %q at %#x", errHeader, name, offset)
		}
		b.functions[name] = offset
	}
	return b, nil
}
