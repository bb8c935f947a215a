// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// ErrNoDigest is what errors of Extend answer to errors.Is when an event has no
// digest for an active bank. If the others were extended, the bank would stay
// open: whoever comes later could extend it with digests of its choice.
var ErrNoDigest = errors.New("no digest for an active bank")

// ErrBanks is what errors of Extend answer to errors.Is when the banks that are
// active in the TPM are not those that the caller takes for active.
var ErrBanks = errors.New("other banks are active in the TPM")

// Extend extends the TPM with the events, in their order, each in all active
// banks at once (TPM2_PCR_Extend, part 3, §22.2). EV_NO_ACTION events are passed
// over, and digests for banks that are not active.
//
// Before the first it checks that banks are the active ones, that each event has
// a digest for each of them, and that there are such PCRs. Errors from then on
// are *ExtendError; with any other error, nothing was extended. Where the way to the
// TPM fails, it is found out by reading whether the extend was done, and what was
// not is tried again, up to 3 times. Once ctx is done
// no further event is extended; a command that is under way is waited for.
func Extend(ctx context.Context, t transport.TPM, banks []eventlog.Algorithm, events []eventlog.Event) error {
	if err := fit(banks, events); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("tpm: nothing was extended: %w", err)
	}
	active, err := Banks(t)
	if err != nil {
		return err
	}
	if !slices.Equal(active, slices.Compact(slices.Sorted(slices.Values(banks)))) {
		return fmt.Errorf("tpm: nothing was extended: %w: %v, not %v", ErrBanks, active, banks)
	}
	if count(events) == 0 {
		return nil
	}
	before, err := Read(t, active)
	if err != nil {
		return fmt.Errorf("%w; nothing was extended", err)
	}
	for i := range events {
		e := &events[i]
		if !e.Extends() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return &ExtendError{Events: events, Done: i, Err: err}
		}
		after := extended(before, e)
		if unknown, err := extendSurely(t, active, e, before, after); err != nil {
			return &ExtendError{Events: events, Done: i, Unknown: unknown, Err: err}
		}
		before = after
	}
	return nil
}

// attempts is how often an extend is tried when the way to the TPM fails: drivers
// give up on a TPM that is slow for once.
const attempts = 3

// extendSurely extends, and where the answer does not come, looks whether it was
// done before it tries again. What the TPM itself refuses is final.
func extendSurely(t transport.TPM, banks []eventlog.Algorithm, e *eventlog.Event, before, after eventlog.PCRs) (unknown, err error) {
	for range attempts {
		if err = extend(t, banks, e); err == nil {
			return nil, nil
		}
		was, why := carriedOut(t, banks, e.PCR, before, after)
		if was {
			return nil, nil
		}
		if why != nil || errors.As(err, new(tpm2.TPMRC)) {
			return why, err
		}
	}
	return nil, err
}

// fit checks that each event that extends can be, in all of the banks.
func fit(banks []eventlog.Algorithm, events []eventlog.Event) error {
	for _, a := range banks {
		if a.Size() == 0 {
			return fmt.Errorf("tpm: bank %v: the size of its digests is not known; nothing was extended", a)
		}
	}
	for i := range events {
		e := &events[i]
		if !e.Extends() {
			continue
		}
		if e.PCR >= eventlog.Registers {
			return fmt.Errorf("tpm: event %d (%v): there is no PCR %d; nothing was extended", i, e.Type, e.PCR)
		}
		for _, a := range banks {
			switch sum := e.Digest(a); {
			case sum == nil:
				return fmt.Errorf("tpm: event %d (%v), PCR %d: bank %v: %w; nothing was extended", i, e.Type, e.PCR, a, ErrNoDigest)
			case len(sum) != a.Size():
				return fmt.Errorf("tpm: event %d (%v), PCR %d: bank %v: a digest of %d bytes; nothing was extended", i, e.Type, e.PCR, a, len(sum))
			}
		}
	}
	return nil
}

// extend sends the command. PCRs have no authorization value on a PC.
func extend(t transport.TPM, banks []eventlog.Algorithm, e *eventlog.Event) error {
	var digests []tpm2.TPMTHA
	for _, a := range banks {
		digests = append(digests, tpm2.TPMTHA{HashAlg: tpm2.TPMAlgID(a), Digest: e.Digest(a)})
	}
	_, err := tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(e.PCR), Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: digests},
	}.Execute(t)
	return err
}

// extended is what the PCRs are after the event. Where that cannot be computed it
// is nil.
func extended(before eventlog.PCRs, e *eventlog.Event) eventlog.PCRs {
	after := before.Clone()
	for a, bank := range after {
		if bank[e.PCR] != nil {
			bank[e.PCR] = a.Extend(bank[e.PCR], e.Digest(a))
		}
	}
	return after
}

// carriedOut finds out whether a PCR was extended by a command that has failed;
// why says why that cannot be told.
func carriedOut(t transport.TPM, banks []eventlog.Algorithm, pcr uint32, before, after eventlog.PCRs) (was bool, why error) {
	now, err := read(t, banks, 1<<pcr)
	if err != nil {
		return false, err
	}
	yes, no := 0, 0
	for _, a := range banks {
		switch v := now[a][pcr]; {
		case after[a][pcr] != nil && bytes.Equal(v, after[a][pcr]):
			yes++
		case before[a][pcr] != nil && bytes.Equal(v, before[a][pcr]):
			no++
		default:
			return false, fmt.Errorf("PCR %d of bank %v has a value that comes from something else: %x", pcr, a, v)
		}
	}
	if yes > 0 && no > 0 {
		return false, fmt.Errorf("PCR %d was extended in %d banks and not in %d", pcr, yes, no)
	}
	return yes > 0, nil
}
