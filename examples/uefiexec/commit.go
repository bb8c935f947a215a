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
	if err != nil || f.tpmUse == tpmView {
		return done, err
	}
	if err := saveState(state{f.opts, f.firmware}, handoff); err != nil {
		return done, fmt.Errorf("%w; it is loaded, but exec will extend nothing", errors.Join(err, dropState()))
	}
	fmt.Fprintf(s.err, "uefiexec: exec will extend the TPM with %d measurements; a jump by other means extends nothing\n", len(handoff.Measurements))
	return done, nil
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

// commit extends what the loaded payload has measured, so that nothing is left but
// to jump.
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
	if err := host.ReadEventLog(os.DirFS("/")); err != nil {
		return err
	}
	return withTPM(func(t tpm.Device) error {
		explained, err := tpm.Commit(ctx, host, handoff, st.Options, t, os.DirFS("/"))
		printExplained(s, explained)
		return err
	})
}
