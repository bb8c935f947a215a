// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// maxSeed is how much of a seed Linux uses, in bytes.
const maxSeed = 1024

// freshSeed renews the random seed that the payload has left for its kernel in
// LINUX_EFI_RANDOM_SEED_TABLE (a size of 32 bits and the bytes): the same frozen
// machine may be loaded more than once, and no two boots may share one.
func freshSeed(h *emu.Handoff) error {
	at, ok := h.ConfigurationTable(efi.LinuxRandomSeedTableGUID)
	if !ok {
		return nil
	}
	raw, err := h.Read(at, 4)
	if err != nil {
		return fmt.Errorf("kexec: random seed: %w", err)
	}
	seed := make([]byte, min(binary.LittleEndian.Uint32(raw), maxSeed))
	if _, err := rand.Read(seed); err != nil {
		return fmt.Errorf("kexec: random seed: %w", err)
	}
	if err := h.Write(at+4, seed); err != nil {
		return fmt.Errorf("kexec: random seed: %w", err)
	}
	return nil
}
