// SPDX-License-Identifier: BSD-3-Clause

package tcg2

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// Transport sends a command to a TPM and returns its response: the interface TPM
// of github.com/google/go-tpm/tpm2/transport.
type Transport interface {
	Send(command []byte) (response []byte, err error)
}

// Options say what the payload finds measured already, and what there is to
// measure. Zero values are useful.
type Options struct {
	// Banks are the active banks; nil is SHA-1, SHA-256, SHA-384 and SHA-512. With
	// Log they are its own.
	Banks []eventlog.Algorithm

	// Log is what was measured before, which the TPM goes on with. It is not
	// changed.
	Log *eventlog.Log

	// Tag is measured as an EV_EVENT_TAG into each PCR before the first that the
	// boot extends it with; "" has none. It makes visible that no reset lies
	// between Log and what follows it.
	Tag string

	// GPT is the partition table of the disk that is booted from, as UEFI_GPT_DATA
	// (protocols.GPT.EventData). It is measured before the first image that comes
	// from a partition with a GUID. Nil measures none.
	GPT []byte

	// Transport is where SubmitCommand sends commands to. Whatever the payload
	// sends reaches that TPM. Nil answers as a TPM that has no such command.
	Transport Transport
}

// DefaultBanks are the banks of Options that name none.
func DefaultBanks() []eventlog.Algorithm {
	return []eventlog.Algorithm{eventlog.SHA1, eventlog.SHA256, eventlog.SHA384, eventlog.SHA512}
}

// TPM is what a payload sees of one, and an emu.Measurer. It serves one machine
// and is used by its goroutine.
type TPM struct {
	opts   Options
	banks  []eventlog.Algorithm
	log    *eventlog.Log
	pcrs   eventlog.PCRs
	before int // events of the log that no payload has caused

	measured []emu.Measurement
	tagged   [eventlog.Registers]bool
	gptDone  bool

	area area // in the guest's memory
}

var _ emu.Measurer = (*TPM)(nil)

// New makes a TPM that nothing is measured into yet but Options.Log.
func New(opts Options) (*TPM, error) {
	t := &TPM{opts: opts, banks: opts.Banks}
	if t.banks == nil {
		t.banks = DefaultBanks()
	}
	if opts.Log != nil {
		if opts.Log.Legacy {
			return nil, errors.New("tcg2: the log before is of a TPM 1.2")
		}
		t.banks = opts.Log.Algorithms()
	}
	if len(t.banks) == 0 {
		return nil, errors.New("tcg2: no bank is active")
	}
	for i, a := range t.banks {
		if _, ok := a.Hash(); !ok || bitOf(a) == 0 {
			return nil, fmt.Errorf("tcg2: bank %v cannot be computed", a)
		}
		if slices.Contains(t.banks[:i], a) {
			return nil, fmt.Errorf("tcg2: bank %v twice", a)
		}
	}
	t.log = eventlog.NewLog(t.banks...)
	if opts.Log != nil {
		t.log.Banks, t.log.Spec = opts.Log.Banks, opts.Log.Spec
		t.log.Events = slices.Clone(opts.Log.Events)
	}
	t.before = len(t.log.Events)
	t.pcrs = t.log.Replay()
	return t, nil
}

// Log is a copy of the event log as it is now: what Options.Log had, what
// Firmware has measured, and Events.
func (t *TPM) Log() *eventlog.Log {
	l := *t.log
	l.Events = slices.Clone(l.Events)
	return &l
}

// Events are what of the log the boot has caused: the payload, and its loading.
func (t *TPM) Events() []eventlog.Event { return slices.Clone(t.log.Events[t.before:]) }

// PCRs are the PCRs as they are now.
func (t *TPM) PCRs() eventlog.PCRs { return t.pcrs.Clone() }

// Measurements are what the boot has extended, Options.Tag with it, in order: the
// Events, and those that the payload wanted no log of.
func (t *TPM) Measurements() []emu.Measurement { return slices.Clone(t.measured) }

// digests hashes in all banks at the same time; write has to write the same each
// time it is called.
func (t *TPM) digests(write func(a eventlog.Algorithm) ([]byte, error)) ([]eventlog.Digest, error) {
	list := make([]eventlog.Digest, len(t.banks))
	errs := make([]error, len(t.banks))
	var wait sync.WaitGroup
	for i, a := range t.banks {
		wait.Go(func() {
			sum, err := write(a)
			list[i], errs[i] = eventlog.Digest{Algorithm: a, Sum: sum}, err
		})
	}
	wait.Wait()
	return list, errors.Join(errs...)
}

// sums are the digests of bytes.
func (t *TPM) sums(data []byte) []eventlog.Digest {
	if len(data) < parallel {
		return eventlog.New(t.banks, 0, 0, data, nil).Digests
	}
	list, _ := t.digests(func(a eventlog.Algorithm) ([]byte, error) { return a.Sum(data), nil })
	return list
}

// parallel is from how many bytes on it is worth it.
const parallel = 64 << 10

// extend extends PCRs and logs the event, unless it is not to be logged. The
// error is VolumeFull if the log that the payload sees has no room for it; it is
// extended all the same.
func (t *TPM) extend(e eventlog.Event, unlogged bool) error {
	var err error
	if t.opts.Tag != "" && e.Extends() && !t.tagged[e.PCR] {
		t.tagged[e.PCR] = true
		err = t.record(eventlog.KexecEvent(t.banks, e.PCR, t.opts.Tag), false)
	}
	return errors.Join(err, t.record(e, unlogged))
}

func (t *TPM) record(e eventlog.Event, unlogged bool) error {
	t.pcrs.Extend(&e)
	if e.Extends() {
		t.measured = append(t.measured, emu.Measurement{Event: e, Unlogged: unlogged})
	}
	if unlogged {
		return nil
	}
	t.log.Events = append(t.log.Events, e)
	return t.area.append(&e)
}

// measure extends and logs what is measured as it stands.
func (t *TPM) measure(pcr uint32, typ eventlog.EventType, measured, data []byte) error {
	return t.extend(eventlog.Event{PCR: pcr, Type: typ, Digests: t.sums(measured), Data: data}, false)
}

// bitOf is EFI_TCG2_BOOT_HASH_ALG_* (§6.4.4).
func bitOf(a eventlog.Algorithm) uint32 {
	switch a {
	case eventlog.SHA1:
		return 1 << 0
	case eventlog.SHA256:
		return 1 << 1
	case eventlog.SHA384:
		return 1 << 2
	case eventlog.SHA512:
		return 1 << 3
	}
	return 0
}

// full turns a log that is full into what the firmware's own measurements make of
// it, which is nothing.
func full(err error) error {
	if errors.Is(err, efi.VolumeFull) {
		return nil
	}
	return err
}
