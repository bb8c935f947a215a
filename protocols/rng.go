// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// rngProtocol are the rows of EFI_RNG_PROTOCOL (§37.5).
var rngProtocol = emu.Protocol{
	GUID: efi.RNGProtocolGUID,
	Name: "RNG",
	Services: []emu.Service{
		emu.Func3("GetInfo", rngGetInfo, "this", "&rngAlgorithmListSize", "*rngAlgorithmList"),
		emu.Func4("GetRNG", rngGetRNG, "this", "rngAlgorithm", "rngValueLength", "rngValue"),
	},
}

// rngAlgorithms are the algorithms that GetInfo lists, the default first.
var rngAlgorithms = [...]efi.GUID{efi.RNGAlgorithmSP80090CTR256GUID, efi.RNGAlgorithmRawGUID}

// maxRandom bounds what one call gets, in bytes.
const maxRandom = 1 << 20

// RNG makes an EFI_RNG_PROTOCOL (§37.5). Whatever the algorithm, the bytes are
// those of Machine.Random: its names for them say what a payload may use them
// for, not how they are made.
func RNG() emu.Interface { return emu.Interface{Protocol: &rngProtocol, Value: rng{}} }

// rng marks the interface structures that are an RNG's.
type rng struct{}

// rngGetInfo returns BufferTooSmall, and the size, if the list does not fit.
func rngGetInfo(c *emu.Call, this efi.Addr, size efi.Ptr[uint64], list efi.Addr) error {
	if _, err := emu.This[rng](c, this); err != nil {
		return err
	}
	if size == 0 {
		return efi.InvalidParameter
	}
	room, err := mem.Load(c.Memory(), size)
	if err != nil {
		return err
	}
	var raw []byte
	for _, algorithm := range rngAlgorithms {
		guid := algorithm.Bytes()
		raw = append(raw, guid[:]...)
	}
	if err := mem.Store(c.Memory(), size, uint64(len(raw))); err != nil {
		return err
	}
	switch {
	case room < uint64(len(raw)):
		return efi.BufferTooSmall
	case list == 0:
		return efi.InvalidParameter
	}
	return c.Memory().Write(list, raw)
}

// rngGetRNG returns Unsupported for an algorithm that GetInfo does not list, and
// InvalidParameter for no bytes and for more than 1 MiB of them.
func rngGetRNG(c *emu.Call, this efi.Addr, algorithm efi.Ptr[efi.GUID], n uint64, value efi.Addr) error {
	if _, err := emu.This[rng](c, this); err != nil {
		return err
	}
	if value == 0 || n == 0 || n > maxRandom {
		return fmt.Errorf("%d bytes: %w", n, efi.InvalidParameter)
	}
	if algorithm != 0 {
		guid, err := mem.Load(c.Memory(), algorithm)
		if err != nil {
			return err
		}
		if guid != rngAlgorithms[0] && guid != rngAlgorithms[1] {
			return fmt.Errorf("algorithm %v: %w", guid, efi.Unsupported)
		}
	}
	view, err := c.Memory().Edit(value, n)
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(c.Machine().Random(), view); err != nil {
		return deviceError(err)
	}
	return nil
}
