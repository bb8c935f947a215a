// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	_ "embed" // the trampoline
	"fmt"
)

//go:embed trampoline-aa64.bin
var trampolineAA64 string

// trampolineAA64Block is the layout in src/trampoline.h for AArch64.
type trampolineAA64Block struct {
	trampolineCommon
	Root       uint64
	NZCV       uint64
	X          [31]uint64
	SP, PC     uint64
	FPCR, FPSR uint64
	_          uint64
	V          [32][16]byte
}

const trampolineAA64Size = 896

func blockAA64(p *TrampolineParams, common trampolineCommon, t *pageTables) (any, error) {
	s := &p.State
	if s.PC%4 != 0 || s.GP[31]%16 != 0 {
		return nil, fmt.Errorf("%w: pc %#x, sp %#x", errTrampoline, s.PC, s.GP[31])
	}
	return trampolineAA64Block{
		trampolineCommon: common,
		Root:             t.root(4),
		NZCV:             s.Flags & (0xf << 28),
		X:                [31]uint64(s.GP[:31]),
		SP:               s.GP[31],
		PC:               s.PC,
		FPCR:             uint64(s.Ctrl),
		FPSR:             uint64(s.Status),
		V:                s.V,
	}, nil
}
