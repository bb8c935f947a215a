// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// ErrResponse is what errors answer to errors.Is when the TPM has answered, but
// not as the specification has it.
var ErrResponse = errors.New("the TPM's response makes no sense")

// ErrBusy is what errors of Read answer to errors.Is when the PCRs did not keep
// still for as long as it takes to read them.
var ErrBusy = errors.New("the PCRs change while they are read")

const (
	allPCRs  = 1<<eventlog.Registers - 1
	maxTries = 8
)

// Banks are the active banks of PCRs, in the order of their numbers: those that
// have at least one of PCR 0 to 23 (TPM2_GetCapability of TPM_CAP_PCRS, part 3,
// §30.2). Errors are those of the transport, a tpm2.TPMRC, or ErrResponse.
func Banks(t transport.TPM) ([]eventlog.Algorithm, error) {
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapPCRs, PropertyCount: 1}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("tpm: banks: %w", err)
	}
	list, err := rsp.CapabilityData.Data.AssignedPCR()
	switch {
	case err != nil:
		return nil, fmt.Errorf("tpm: banks: %w: %w", ErrResponse, err)
	case rsp.MoreData:
		return nil, fmt.Errorf("tpm: banks: %w: it has more than it tells", ErrResponse)
	}
	var banks []eventlog.Algorithm
	for _, s := range list.PCRSelections {
		if mask(s.PCRSelect) == 0 {
			continue
		}
		a := eventlog.Algorithm(s.Hash)
		if slices.Contains(banks, a) {
			return nil, fmt.Errorf("tpm: banks: %w: bank %v twice", ErrResponse, a)
		}
		banks = append(banks, a)
	}
	slices.Sort(banks)
	return banks, nil
}

// Read reads PCR 0 to 23 of the banks (TPM2_PCR_Read, part 3, §22.4). What it
// returns was in the TPM at one moment, except for the PCRs that the TPM does not
// count changes of (16, 21, 22 and 23 of a PC). Errors are those of the
// transport, a tpm2.TPMRC, ErrResponse, and ErrBusy; they name the bank.
func Read(t transport.TPM, banks []eventlog.Algorithm) (eventlog.PCRs, error) {
	return read(t, banks, allPCRs)
}

// read reads the PCRs of a mask; the others are nil.
func read(t transport.TPM, banks []eventlog.Algorithm, want uint32) (eventlog.PCRs, error) {
	for range maxTries {
		pcrs, still, err := readOnce(t, banks, want)
		if err != nil {
			return nil, fmt.Errorf("tpm: reading PCRs: %w", err)
		}
		if still {
			return pcrs, nil
		}
	}
	return nil, fmt.Errorf("tpm: reading PCRs: %w, %d times", ErrBusy, maxTries)
}

// readOnce reads the PCRs with as many commands as it takes. Each brings at least
// one PCR. It is not still if the update counter has moved between them.
func readOnce(t transport.TPM, banks []eventlog.Algorithm, want uint32) (pcrs eventlog.PCRs, still bool, err error) {
	pcrs = eventlog.PCRs{}
	var first uint32
	began := false
	for _, a := range banks {
		if pcrs[a] != nil {
			continue
		}
		bank := new([eventlog.Registers][]byte)
		pcrs[a] = bank
		for left := want & allPCRs; left != 0; {
			counter, got, err := readSome(t, a, left, bank)
			if err != nil {
				return nil, false, fmt.Errorf("bank %v: %w", a, err)
			}
			if began && counter != first {
				return nil, false, nil
			}
			first, began = counter, true
			left &^= got
		}
	}
	return pcrs, true, nil
}

// readSome reads some of the PCRs of a mask, and says which.
func readSome(t transport.TPM, a eventlog.Algorithm, want uint32, bank *[eventlog.Registers][]byte) (counter, got uint32, err error) {
	rsp, err := tpm2.PCRRead{PCRSelectionIn: tpm2.TPMLPCRSelection{
		PCRSelections: []tpm2.TPMSPCRSelection{{Hash: tpm2.TPMAlgID(a), PCRSelect: selection(want)}},
	}}.Execute(t)
	if err != nil {
		return 0, 0, err
	}
	for _, s := range rsp.PCRSelectionOut.PCRSelections {
		m := mask(s.PCRSelect)
		if m == 0 {
			continue
		}
		if eventlog.Algorithm(s.Hash) != a || m&^want != 0 || got != 0 {
			return 0, 0, fmt.Errorf("%w: it has PCRs that were not asked for", ErrResponse)
		}
		got = m
	}
	values := rsp.PCRValues.Digests
	switch {
	case got == 0:
		return 0, 0, fmt.Errorf("%w: it has none of PCR %s", ErrResponse, names(want))
	case len(values) != bits.OnesCount32(got):
		return 0, 0, fmt.Errorf("%w: %d values for %d PCRs", ErrResponse, len(values), bits.OnesCount32(got))
	}
	for i, rest := 0, got; rest != 0; i, rest = i+1, rest&(rest-1) {
		pcr := bits.TrailingZeros32(rest)
		value := values[i].Buffer
		if size := a.Size(); len(value) == 0 || size != 0 && len(value) != size {
			return 0, 0, fmt.Errorf("%w: PCR %d has %d bytes", ErrResponse, pcr, len(value))
		}
		bank[pcr] = value
	}
	return rsp.PCRUpdateCounter, got, nil
}

// mask is a TPMS_PCR_SELECTION's bitmap (part 2, §10.6.2), of PCR 0 to 23.
func mask(selected []byte) uint32 {
	var m uint32
	for i, b := range selected[:min(len(selected), eventlog.Registers/8)] {
		m |= uint32(b) << (8 * i)
	}
	return m
}

// selection is the bitmap of a mask.
func selection(m uint32) []byte { return []byte{byte(m), byte(m >> 8), byte(m >> 16)} }

// names lists the PCRs of a mask for people.
func names(m uint32) string {
	var text []byte
	for rest := m & allPCRs; rest != 0; rest &= rest - 1 {
		if len(text) > 0 {
			text = append(text, ", "...)
		}
		text = fmt.Append(text, bits.TrailingZeros32(rest))
	}
	return string(text)
}
