// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// RuntimeSupported is what EFI_RT_PROPERTIES_TABLE (§4.6.2) is to say of the
// resident runtime services: variable services, and virtual memory services. The
// others are not there, and Unsupported stands in for them:
//
// Time and wake-up: on a PC the kernel drives the clock itself, under a lock
// that this code does not have, and the clock does not tell the century.
// ResetSystem: Unsupported returns, which a kernel takes for a failure, and
// resets by other means. Capsules and the monotonic count: nothing here outlives
// a reset.
const RuntimeSupported = 1<<4 | 1<<5 | 1<<6 | // GetVariable, GetNextVariableName, SetVariable
	1<<7 | 1<<8 | // SetVirtualAddressMap, ConvertPointer
	1<<13 // QueryVariableInfo

// RuntimeParams is the parameter block of a blob's runtime services. Until one
// is in place they return Unsupported. Addresses are physical.
//
// The code, with the block in it, is to lie in RuntimeServicesCode, which is
// written to when SetVirtualAddressMap is called. All that the block points to
// is to lie in RuntimeServicesData, and each of the store, the two tables and
// the code in one descriptor of the memory map.
//
// GetVariable (§8.2.1), GetNextVariableName (§8.2.2) and QueryVariableInfo
// (§8.2.4) serve the variables of the store. SetVariable (§8.2.3) changes the
// store, so what it does is gone at the next reset. To say so, it answers
// WriteProtected to any call about a variable that the store had to begin with,
// non-volatile or not, and to one that is to create a non-volatile one. Volatile
// ones can be created, changed and deleted: the specification knows no such
// variables at runtime, but nothing is promised that is not kept.
// SetVirtualAddressMap (§8.4.1) and ConvertPointer (§8.4.2) follow EDK2, but
// images of runtime drivers are not relocated.
type RuntimeParams struct {
	// Store is the address of a variable store image in the layout of package
	// tables, a multiple of 8, and StoreSize the bytes there are for it to grow
	// into. Linux writes no variable that would leave less than 5 KiB.
	Store, StoreSize uint64

	SystemTable     uint64 // EFI_SYSTEM_TABLE (§4.3)
	RuntimeServices uint64 // EFI_RUNTIME_SERVICES (§4.5)

	// Notify is the address of NotifyCount Notifications, in the layout that
	// encoding/binary gives them, whom SetVirtualAddressMap calls.
	Notify      uint64
	NotifyCount uint32

	// AcceptNonVolatile makes SetVariable follow §8.2.3 at runtime instead, as
	// tables.Variables does: variables that are non-volatile can be set, and are
	// lost all the same.
	AcceptNonVolatile bool

	MaxSize uint32 // of one variable with its name, in bytes; 0 is 64 KiB
	MaxName uint32 // of a name without its NUL, in UTF-16 units; 0 is 511
}

// RuntimeParamsSize is the size of the block in bytes.
const RuntimeParamsSize = 88

// Notification is a guest's function that is to be called when
// SetVirtualAddressMap is, as EFI_EVENT_NOTIFY is (§7.1.1).
type Notification struct{ Function, Event, Context uint64 }

// runtimeBlock is the layout in src/runtime.h.
type runtimeBlock struct {
	Store, StoreSize             uint64
	SystemTable, RuntimeServices uint64
	Notify                       uint64
	NotifyCount, Flags           uint32
	MaxSize, MaxName             uint32
	Map, MapCount, MapStride     uint64
	Virtual, _                   uint32
}

const flagAcceptNonVolatile = 1

var errParams = errors.New("bad parameters of resident code")

// Marshal is what to put at ParamsOffset. An error says that the store or a table
// is missing, or that something is not aligned.
func (p RuntimeParams) Marshal() ([]byte, error) {
	missing := p.Store == 0 || p.SystemTable == 0 || p.RuntimeServices == 0 || p.NotifyCount > 0 && p.Notify == 0
	if missing || (p.Store|p.SystemTable|p.RuntimeServices|p.Notify)%8 != 0 || p.Store+p.StoreSize <= p.Store {
		return nil, fmt.Errorf("%w: %+v", errParams, p)
	}
	block := runtimeBlock{
		Store: p.Store, StoreSize: p.StoreSize,
		SystemTable: p.SystemTable, RuntimeServices: p.RuntimeServices,
		Notify: p.Notify, NotifyCount: p.NotifyCount,
		MaxSize: p.MaxSize, MaxName: p.MaxName,
	}
	if p.AcceptNonVolatile {
		block.Flags = flagAcceptNonVolatile
	}
	if block.MaxSize == 0 {
		block.MaxSize = 64 << 10
	}
	if block.MaxName == 0 {
		block.MaxName = 511
	}
	return binary.Append(nil, binary.LittleEndian, block)
}

// ParamsOffset is where in Code, and so behind the address that Code is laid
// at, the parameter block lies: all zeros until the machine that keeps the code
// beyond ExitBootServices puts RuntimeParams there.
func (b *Blob) ParamsOffset() uint64 { return b.params }
