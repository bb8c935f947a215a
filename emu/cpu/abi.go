// SPDX-License-Identifier: BSD-3-Clause

package cpu

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// ABI is a calling convention, as data.
type ABI struct {
	Args      []int  // GP indexes of the integer arguments, in order
	StackArgs uint64 // where further arguments lie above SP on entry, 8 bytes each
	Result    int    // GP index of the result
	Link      int    // GP index of the return address, or -1: it lies at SP
	Stack     int    // GP index of SP
	Preserved []int  // GP indexes that a callee leaves alone
}

var msx64 = ABI{
	Args:      []int{RCX, RDX, R8, R9},
	StackArgs: 0x28, // return address and the 32 bytes of home space
	Result:    RAX,
	Link:      -1,
	Stack:     RSP,
	Preserved: []int{RBX, RSP, RBP, RSI, RDI, 12, 13, 14, 15},
}

var aapcs64 = ABI{
	Args:      []int{0, 1, 2, 3, 4, 5, 6, 7},
	Result:    X0,
	Link:      LR,
	Stack:     SP,
	Preserved: []int{19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, SP},
}

// Arg is the i-th integer argument, counted from 0, of the call whose first
// instruction r is about to execute.
func (abi *ABI) Arg(m *mem.Memory, r *Regs, i int) (uint64, error) {
	if i < len(abi.Args) {
		return r.GP[abi.Args[i]], nil
	}
	at := r.GP[abi.Stack] + abi.StackArgs + 8*uint64(i-len(abi.Args))
	return mem.Load(m, efi.Ptr[uint64](at))
}

// ReturnAddress is where the call whose first instruction r is about to execute
// returns to.
func (abi *ABI) ReturnAddress(m *mem.Memory, r *Regs) (efi.Addr, error) {
	if abi.Link >= 0 {
		return efi.Addr(r.GP[abi.Link]), nil
	}
	return mem.Load(m, efi.Ptr[efi.Addr](r.GP[abi.Stack]))
}

// Return makes r come back from a call with a result, as the callee's last
// instruction would.
func (abi *ABI) Return(m *mem.Memory, r *Regs, result uint64) error {
	to, err := abi.ReturnAddress(m, r)
	if err != nil {
		return err
	}
	if abi.Link < 0 {
		r.GP[abi.Stack] += 8
	}
	r.PC = uint64(to)
	r.GP[abi.Result] = result
	return nil
}

// Call makes r enter fn with the given arguments, which will return to ret. The
// stack goes on below r's, aligned as the convention asks.
func (abi *ABI) Call(m *mem.Memory, r *Regs, fn, ret efi.Addr, args ...uint64) error {
	onStack := args[min(len(abi.Args), len(args)):]
	sp := r.GP[abi.Stack] &^ 15
	sp -= (8*uint64(len(onStack)) + 15) &^ 15
	if abi.Link < 0 {
		sp -= abi.StackArgs - 8
		sp -= 8
		if err := mem.Store(m, efi.Ptr[efi.Addr](sp), ret); err != nil {
			return err
		}
	} else {
		r.GP[abi.Link] = uint64(ret)
	}
	for i, v := range onStack {
		if err := mem.Store(m, efi.Ptr[uint64](sp+abi.StackArgs+8*uint64(i)), v); err != nil {
			return err
		}
	}
	for i, v := range args[:len(args)-len(onStack)] {
		r.GP[abi.Args[i]] = v
	}
	r.GP[abi.Stack] = sp
	r.PC = uint64(fn)
	return nil
}
