// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"encoding/binary"
	"fmt"
)

// trampolineX64Block is the layout in src/trampoline.h for x86-64.
type trampolineX64Block struct {
	trampolineCommon
	Root4, Root5 uint64
	GP           [16]uint64
	RIP, RFLAGS  uint64
	FX           fxState
}

const trampolineX64Size = 752

// fxState is what fxrstor64 reads (Intel SDM volume 1, 10.5.1).
type fxState struct {
	FCW, FSW  uint16
	FTW, _    uint8
	FOP       uint16
	FIP, FDP  uint64
	MXCSR     uint32
	MXCSRMask uint32
	ST        [8][16]byte
	XMM       [16][16]byte
	_         [96]byte
}

const (
	statusFlags = 0xcd5 // CF PF AF ZF SF DF OF: what a payload can have set without privilege
	fixedFlag   = 2
	mxcsrBits   = 0xffff // fxrstor64 faults at others
)

// x64 makes the parameter block and the page tables, which lie at offset in the
// image, with the stack behind them.
func (p *TrampolineParams) x64(common trampolineCommon, offset uint64) (block, tables []byte, err error) {
	if p.State.Ctrl&^mxcsrBits != 0 {
		return nil, nil, fmt.Errorf("%w: MXCSR %#x", errTrampoline, p.State.Ctrl)
	}
	if p.State.PC >= lower || p.State.GP[4] >= lower {
		return nil, nil, fmt.Errorf("%w: rip %#x, rsp %#x", errTrampoline, p.State.PC, p.State.GP[4])
	}
	var t *pageTables
	size := offset + 16*pageSize
	for t == nil || uint64(len(t.raw))+pageSize > size-offset {
		if t != nil {
			size = offset + uint64(len(t.raw)) + pageSize
		}
		if t, err = newPageTables(p.Base+offset, append(p.own(size), p.Map...), p.GiantPages); err != nil {
			return nil, nil, err
		}
	}
	size = offset + uint64(len(t.raw)) + pageSize
	if p.FourLevels {
		if p.Base+size > 1<<32 {
			return nil, nil, fmt.Errorf("%w: %#x is above 4 GiB", errTrampoline, p.Base)
		}
		common.Flags |= flagFourLevels
	}
	common.Stack = p.Base + size
	b := trampolineX64Block{
		trampolineCommon: common,
		Root4:            t.root(4),
		Root5:            t.root(5),
		GP:               [16]uint64(p.State.GP[:16]),
		RIP:              p.State.PC,
		RFLAGS:           p.State.Flags&statusFlags | fixedFlag,
		FX:               fxState{FCW: p.State.X87, MXCSR: p.State.Ctrl, XMM: [16][16]byte(p.State.V[:16])},
	}
	block, err = binary.Append(nil, binary.LittleEndian, b)
	return block, t.raw, err
}
