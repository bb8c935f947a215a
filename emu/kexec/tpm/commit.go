// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// Tag is the text of the event that goes before what a payload measures, in each
// PCR that it extends: that there was a kexec, and no reset of the machine.
const Tag = "uefiexec: kexec"

// maxShown bounds what of the running system's own measurements goes into the log
// that is handed over, in bytes.
const maxShown = 512 << 10

// Ready looks whether the TPM has what the host's event log leads to
// (kexec.Host.ReadEventLog), with what the running system has extended beside,
// which is returned: the log that is handed over shows as much of it as there is
// room for. Errors are those of Banks, Read, ReadUserLogs and Check.
func Ready(host *kexec.Host, t transport.TPM, root fs.FS) ([]Explained, error) {
	explained, _, err := ready(host, t, root, nil)
	return explained, err
}

// ready is Ready, and how many of the measurements were extended already, by a
// Commit that was interrupted.
func ready(host *kexec.Host, t transport.TPM, root fs.FS, measurements []emu.Measurement) (explained []Explained, done int, err error) {
	if host.EventLog == nil {
		return nil, 0, errors.New("tpm: the host's event log was not read")
	}
	banks, err := Banks(t)
	if err != nil {
		return nil, 0, err
	}
	pcrs, err := Read(t, banks)
	if err != nil {
		return nil, 0, err
	}
	user, err := ReadUserLogs(root)
	if err != nil {
		return nil, 0, err
	}
	explained, err = Check(host.EventLog, user, pcrs)
	if errors.Is(err, ErrMismatch) && len(measurements) > 0 {
		if more, n := interrupted(host.EventLog, user, pcrs, measurements); n > 0 {
			explained, done, err = more, n, nil
		}
	}
	show(explained)
	return explained, done, err
}

// interrupted finds out whether the PCRs are those after the first n of the
// measurements, and what else is explained; n is 0 if not.
func interrupted(log *eventlog.Log, user []UserLog, pcrs eventlog.PCRs, measurements []emu.Measurement) (explained []Explained, n int) {
	earlier := UserLog{By: "an exec that was interrupted"}
	for _, m := range measurements {
		earlier.events = append(earlier.events, measurement{pcr: m.PCR, digests: m.Digests})
	}
	all, err := Check(log, append(slices.Clone(user), earlier), pcrs)
	if err != nil {
		return nil, 0
	}
	var done [eventlog.Registers]int
	for _, e := range all {
		if e.By != earlier.By {
			explained = append(explained, e)
			continue
		}
		done[e.PCR] = len(e.Events)
		n += len(e.Events)
	}
	for _, m := range measurements[:n] {
		done[m.PCR]--
	}
	if done != [eventlog.Registers]int{} {
		return nil, 0 // not the first ones
	}
	return explained, n
}

// show marks what the log that is handed over has room for.
func show(explained []Explained) {
	room := maxShown
	for i := range explained {
		size := 0
		for k := range explained[i].Events {
			size += len(explained[i].Events[k].Append(nil))
		}
		if explained[i].Shown = size <= room; explained[i].Shown {
			room -= size
		}
	}
}

// leaveToIMA marks what IMA's own list says, so that the log does not say it again.
func leaveToIMA(explained []Explained) {
	for i := range explained {
		if e := &explained[i]; e.By == IMA {
			e.Shown, e.Listed = false, true
		}
	}
}

// logWith is the log of the host, of the running system, and of a payload.
func logWith(host *kexec.Host, explained []Explained, measurements []emu.Measurement) *eventlog.Log {
	log := *host.EventLog
	log.Events = slices.Clone(log.Events)
	for _, e := range explained {
		if e.Shown {
			log.Events = append(log.Events, e.Events...)
		}
	}
	for _, m := range measurements {
		if !m.Unlogged {
			log.Events = append(log.Events, m.Event)
		}
	}
	return &log
}

// Load hands a frozen machine to the running kernel as kexec.Load does, with an
// event log that says what is true as long as Commit was not called: that nothing
// of it was extended. Explained is of Ready.
func Load(host *kexec.Host, handoff *emu.Handoff, opts kexec.Options, explained []Explained) (kexec.Loaded, error) {
	opts.Log = logWith(host, explained, nil)
	return kexec.Load(host, handoff, opts)
}

// Commit makes ready for kexec.Exec, which has to follow at once: it looks at the
// TPM again (Ready), loads the machine again, with the event log as it will be,
// and extends the TPM with what the machine has measured.
//
// After a Commit that was interrupted, by whatever means, another one goes on where
// that has stopped: what was extended already is found in the PCRs.
//
// If the error is an *ExtendError, some of it has been extended, and the error
// says what; the machine is then loaded with a log that says just that, if it can
// be told. With any other error nothing was extended.
func Commit(ctx context.Context, host *kexec.Host, handoff *emu.Handoff, opts kexec.Options, t transport.TPM, root fs.FS) ([]Explained, error) {
	explained, before, err := ready(host, t, root, handoff.Measurements)
	if err != nil {
		return explained, err
	}
	if opts.IMA != nil {
		leaveToIMA(explained)
	}
	events := make([]eventlog.Event, len(handoff.Measurements))
	for i, m := range handoff.Measurements {
		events[i] = m.Event
	}
	opts.Log = logWith(host, explained, handoff.Measurements)
	if _, err := kexec.Load(host, handoff, opts); err != nil {
		return explained, err
	}
	err = Extend(ctx, t, host.EventLog.Algorithms(), events[before:])
	if err == nil {
		return explained, nil
	}
	done := before
	if failed := (*ExtendError)(nil); errors.As(err, &failed) {
		done += failed.Done
	}
	opts.Log = logWith(host, explained, handoff.Measurements[:done])
	if _, again := kexec.Load(host, handoff, opts); again != nil {
		err = fmt.Errorf("%w; what is loaded has a log of all of it, and cannot be loaded again: %w", err, again)
	}
	return explained, err
}

// Device is a TPM: transport.TPM of go-tpm, by another name for those who need
// nothing else of it.
type Device = transport.TPM
