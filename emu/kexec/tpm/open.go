// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/go-tpm/tpm2/transport"
)

// ErrNoTPM is what errors of Open answer to errors.Is when the machine has no
// TPM 2.0, or its kernel no driver for it.
var ErrNoTPM = errors.New("no TPM 2.0 here")

// DefaultPath is Linux's device of the first TPM, behind its resource manager.
const DefaultPath = "/dev/tpmrm0"

// Open opens the TPM with the given device; "" is DefaultPath. It sends nothing.
// Errors are ErrNoTPM, fs.ErrPermission, that it is not a device, or what the
// system says.
func Open(path string) (transport.TPMCloser, error) {
	if path == "" {
		path = DefaultPath
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("tpm: %w: %w; is it switched on in the firmware's setup, and has the kernel its driver?", ErrNoTPM, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("tpm: %w: it needs root, or the group that owns the device", err)
	case err != nil:
		return nil, fmt.Errorf("tpm: %w", err)
	}
	// A command that is written to a file destroys the file.
	info, err := f.Stat()
	if err == nil && info.Mode()&fs.ModeCharDevice == 0 {
		err = fmt.Errorf("%s is not a device (%v)", path, info.Mode())
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("tpm: %w", err)
	}
	return patient{transport.FromReadWriteCloser(f)}, nil
}

// patient asks again where asking does no harm: the kernel's driver gives up on a
// TPM that is slow for once.
type patient struct{ transport.TPMCloser }

// harmless are the commands that only read: TPM2_GetCapability and TPM2_PCR_Read
// (part 2, §6.5.2).
func harmless(command []byte) bool {
	const getCapability, pcrRead = 0x17a, 0x17e
	if len(command) < 10 {
		return false
	}
	code := binary.BigEndian.Uint32(command[6:])
	return code == getCapability || code == pcrRead
}

func (p patient) Send(command []byte) (response []byte, err error) {
	for range attempts {
		if response, err = p.TPMCloser.Send(command); err == nil || !harmless(command) {
			break
		}
	}
	return response, err
}
