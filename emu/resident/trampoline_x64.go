// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	_ "embed" // the trampoline
	"fmt"
)

//go:embed trampoline-x64.bin
var trampolineX64 string

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

func blockX64(p *TrampolineParams, common trampolineCommon, t *pageTables) (any, error) {
	s := &p.State
	switch {
	case s.Ctrl&^mxcsrBits != 0:
		return nil, fmt.Errorf("%w: MXCSR %#x", errTrampoline, s.Ctrl)
	case s.GP[4] >= t.format.limit:
		return nil, fmt.Errorf("%w: rsp %#x", errTrampoline, s.GP[4])
	case p.FourLevels && common.Stack > 1<<32:
		return nil, fmt.Errorf("%w: %#x is above 4 GiB", errTrampoline, p.Base)
	}
	return trampolineX64Block{
		trampolineCommon: common,
		Root4:            t.root(4),
		Root5:            t.root(5),
		GP:               [16]uint64(s.GP[:16]),
		RIP:              s.PC,
		RFLAGS:           s.Flags&statusFlags | fixedFlag,
		FX:               fxState{FCW: s.X87, MXCSR: s.Ctrl, XMM: [16][16]byte(s.V[:16])},
	}, nil
}
