// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/emu/kexec/tpm"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// The values of -tpm of load.
const (
	tpmAuto   = "auto"
	tpmExtend = "extend"
	tpmView   = "view"
	tpmOff    = "off"
)

// stateDir is where load leaves what exec has to load again and to extend. It is
// in memory, and of root alone.
const stateDir = "/run/uefiexec"

// shutdownHook is the program that goes at the end of an orderly shutdown.
const shutdownHook = "/usr/lib/systemd/system-shutdown/uefiexec"

// state is what exec needs to know of a load, beside the frozen machine.
type state struct {
	Options  kexec.Options
	Firmware bool // -firmware-runtime
	Measured bool // what the machine has measured is to be extended
}

func stateFile(name string) string { return filepath.Join(stateDir, name) }

// dropState forgets an earlier load.
func dropState() error { return os.RemoveAll(stateDir) }

// saveState keeps what exec needs. The frozen machine holds secrets.
func saveState(s state, handoff *emu.Handoff) error {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(stateDir, 0o700); err != nil {
		return err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.WriteFile(stateFile("options"), raw, 0o600); err != nil {
		return err
	}
	if err := writeHandoff(stateFile("new"), handoff); err != nil {
		return err
	}
	return os.Rename(stateFile("new"), stateFile("machine"))
}

// readState is what saveState has kept, nil if nothing.
func readState() (*state, *emu.Handoff, error) {
	if _, err := os.Stat(stateFile("machine")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	raw, err := os.ReadFile(stateFile("options"))
	if err != nil {
		return nil, nil, err
	}
	s := new(state)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", stateFile("options"), err)
	}
	handoff, err := readHandoff(stateFile("machine"))
	if err == nil && handoff == nil {
		err = errors.New("it is no frozen machine")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", stateFile("machine"), err)
	}
	return s, handoff, nil
}

// readMeasured gets the machine's event log, for a payload that is to go on with
// it, and looks whether the TPM agrees with it; measured is false where there is none
// and none is asked for.
func (f *loadFlags) readMeasured(s streams, host *kexec.Host) (measured bool, err error) {
	if f.tpmUse == tpmOff || f.crash || f.backend == backendFile {
		return false, nil // a crash kernel never extends
	}
	switch err = host.ReadEventLog(os.DirFS("/")); {
	case errors.Is(err, kexec.ErrNoEventLog) && f.tpmUse == tpmAuto:
		if _, none := os.Stat(tpm.DefaultPath); none == nil {
			fmt.Fprintf(s.err, "uefiexec: the machine has a TPM 2.0, but nothing will be measured: %v\n", err)
		}
		return false, nil
	case err == nil && f.tpmUse != tpmView:
		err = withTPM(func(t tpm.Device) (err error) {
			f.explained, err = tpm.Ready(host, t, os.DirFS("/"))
			return err
		})
		printExplained(s, f.explained)
	}
	if err != nil {
		return false, fmt.Errorf("%w; -tpm off loads without measuring", err)
	}
	return true, nil
}

// loadMeasured is load for a payload whose measurements exec will extend.
func (f *loadFlags) loadMeasured(s streams, host *kexec.Host, handoff *emu.Handoff) (kexec.Loaded, error) {
	if err := dropState(); err != nil {
		return kexec.Loaded{}, err
	}
	done, err := tpm.Load(host, handoff, f.opts, f.explained)
	if err == nil && f.tpmUse != tpmView {
		err = f.leave(s, handoff, true)
	}
	return done, err
}

// leave keeps what exec has to do at last; it may be nothing.
func (f *loadFlags) leave(s streams, handoff *emu.Handoff, measured bool) error {
	_, list := kexec.IMABuffer(handoff)
	if !measured && !list {
		return nil
	}
	if err := saveState(state{f.opts, f.firmware, measured}, handoff); err != nil {
		err = errors.Join(err, dropState())
		if !measured {
			fmt.Fprintf(s.err, "uefiexec: %v; IMA's list ends with this kernel\n", err)
			return nil
		}
		return fmt.Errorf("%w; it is loaded, but exec will extend nothing", err)
	}
	if measured {
		fmt.Fprintf(s.err, "uefiexec: exec will extend the TPM with %d measurements; a jump by other means extends nothing\n", len(handoff.Measurements))
	}
	if list {
		fmt.Fprintln(s.err, "uefiexec: exec will hand IMA's list to the next kernel; a jump by other means does not")
	}
	return nil
}

// handOverIMA takes IMA's list, if the next kernel looks for it. A list that the TPM
// does not hold stays here: the next kernel begins one of its own.
func handOverIMA(s streams, log *eventlog.Log, t tpm.Device, handoff *emu.Handoff) *kexec.IMAList {
	if _, ok := kexec.IMABuffer(handoff); !ok {
		return nil
	}
	list, err := tpm.HandOver(os.DirFS("/"), log, t)
	if err != nil {
		fmt.Fprintf(s.err, "uefiexec: %v\n", err)
	}
	return list
}

func printExplained(s streams, explained []tpm.Explained) {
	for _, e := range explained {
		fmt.Fprintf(s.err, "uefiexec: %v\n", e)
	}
}

// withTPM opens the machine's TPM.
func withTPM(use func(tpm.Device) error) error {
	t, err := tpm.Open("")
	if err != nil {
		return err
	}
	return errors.Join(use(t), t.Close())
}

// commit extends what the loaded payload has measured, and hands over IMA's list, so
// that nothing is left but to jump.
func commit(ctx context.Context, s streams, st *state, handoff *emu.Handoff) error {
	host, err := kexec.ReadHost(os.DirFS("/"))
	if err != nil {
		return err
	}
	if st.Firmware {
		if err := host.UseFirmware(os.DirFS("/")); err != nil {
			return err
		}
	}
	if !st.Measured {
		return commitUnmeasured(s, st, host, handoff)
	}
	if err := host.ReadEventLog(os.DirFS("/")); err != nil {
		return err
	}
	return withTPM(func(t tpm.Device) error {
		st.Options.IMA = handOverIMA(s, host.EventLog, t, handoff)
		explained, err := tpm.Commit(ctx, host, handoff, st.Options, t, os.DirFS("/"))
		printExplained(s, explained)
		return err
	})
}

// commitUnmeasured is commit where nothing is extended. A TPM that is there holds
// IMA's list all the same; what cannot be looked at does not keep from going.
func commitUnmeasured(s streams, st *state, host *kexec.Host, handoff *emu.Handoff) error {
	say := func(err error) {
		if err != nil {
			fmt.Fprintf(s.err, "uefiexec: %v\n", err)
		}
	}
	if err := host.ReadEventLog(os.DirFS("/")); !errors.Is(err, kexec.ErrNoEventLog) {
		say(err)
	}
	take := func(t tpm.Device) error {
		st.Options.IMA = handOverIMA(s, host.EventLog, t, handoff)
		return nil
	}
	if _, err := os.Stat(tpm.DefaultPath); errors.Is(err, fs.ErrNotExist) {
		say(take(nil))
	} else {
		say(withTPM(take))
	}
	_, err := kexec.Load(host, handoff, st.Options)
	return err
}
