// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// ErrMismatch is what a *MismatchError answers to errors.Is.
var ErrMismatch = errors.New("the event log does not lead to the PCRs of the TPM")

// MismatchError is a PCR that comes neither from the event log nor from this and
// the logs of the running system.
type MismatchError struct {
	PCR    uint32
	Bank   eventlog.Algorithm
	Log    []byte   // what the event log leads to
	TPM    []byte   // what the TPM has
	Others []uint32 // further PCRs that are wrong

	hint string
}

func (e *MismatchError) Error() string {
	text := fmt.Sprintf("tpm: %v: PCR %d of bank %v has %x, and the log leads to %x", ErrMismatch, e.PCR, e.Bank, e.TPM, e.Log)
	if len(e.Others) > 0 {
		var m uint32
		for _, pcr := range e.Others {
			m |= 1 << pcr
		}
		text += fmt.Sprintf("; PCR %s too", names(m))
	}
	return text + e.hint
}

func (e *MismatchError) Unwrap() error { return ErrMismatch }

// hint is what to think of when a PCR is wrong.
func hint(pcr uint32, user []UserLog, real []byte) string {
	if pcr <= 7 && len(bytes.Trim(real, "\x00")) == 0 {
		return "; nothing is extended there: the firmware does not use the bank, or the TPM was reset since"
	}
	text := "; the log may be cut or of another boot, or a program, or a system before a kexec, has extended the PCR and its log is not here"
	for i := range user {
		l := &user[i]
		if l.Incomplete {
			text += fmt.Sprintf("; the log of %s is marked as incomplete", l.By)
		}
		for k := range l.events {
			if l.events[k].pcr == pcr {
				text += fmt.Sprintf("; what %s has logged does not explain it", l.By)
				break
			}
		}
	}
	return text
}

// ErrBank is what a *BankError answers to errors.Is.
var ErrBank = errors.New("nothing can be said of a bank of PCRs")

// BankError is a bank that the log and the TPM do not share. Firmware caps banks
// that it does not measure into, and nothing can be promised of others.
type BankError struct {
	Bank   eventlog.Algorithm
	Reason string
}

func (e *BankError) Error() string { return fmt.Sprintf("tpm: bank %v: %s", e.Bank, e.Reason) }

func (e *BankError) Unwrap() error { return ErrBank }
