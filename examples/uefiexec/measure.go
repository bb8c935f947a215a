// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// measureFlags are the flags of measure.
type measureFlags struct {
	*runFlags

	bank, firmwareLog, compare, phases, policy, pcrlock, logFile string
}

func parseMeasure(args []string, s streams) (*measureFlags, error) {
	f := &measureFlags{runFlags: newRunFlags("measure", s)}
	f.StringVar(&f.bank, "bank", "sha1,sha256,sha384,sha512", "`BANKS` of the TPM, the first of which text shows if sha256 is none of them")
	f.StringVar(&f.firmwareLog, "firmware-log", "", "`FILE` of an event log: what the firmware has measured before it started a boot loader is taken from there; \"machine\" is this machine's. The default is what EDK2 measures")
	f.StringVar(&f.compare, "compare", "", "`FILE` of the event log of a real boot, to say where it departs; \"machine\" is this machine's")
	f.StringVar(&f.phases, "phase", "", "`WORDS` such as enter-initrd:leave-initrd that systemd extends PCR 11 with later")
	f.StringVar(&f.policy, "policy", "", "`PCRS` such as 4,7,11 to print the digest of TPM2_PolicyPCR for")
	f.StringVar(&f.pcrlock, "pcrlock", "", "`FILE` to write what the boot measures to, as a component of systemd-pcrlock")
	f.Lookup("o").Usage = "`FILE` to write the event log to, as firmware has it"
	if err := f.parse(args); err != nil {
		return nil, err
	}
	if f.image == "" && !f.managed() {
		return nil, usagef("measure takes an IMAGE, or an -esp to find one on")
	}
	f.logFile, f.output = f.output, "" // that would be the frozen machine
	f.measured, f.firmwareFirst, f.writable = true, true, true
	for name := range strings.SplitSeq(f.bank, ",") {
		a, err := eventlog.ParseAlgorithm(name)
		if err != nil {
			return nil, usagef("-bank: %w", err)
		}
		f.tpm.Banks = append(f.tpm.Banks, a)
	}
	return f, nil
}

// prediction is what a boot would measure.
type prediction struct {
	firmware string // where what comes before is from
	log      *eventlog.Log
	first    int          // event of the boot itself
	guessed  map[int]bool // events that depend on random numbers
	err      error        // of the boot, if it has not exited boot services
}

// measure is the command of that name.
func measure(ctx context.Context, args []string, s streams) error {
	f, err := parseMeasure(args, s)
	if err != nil {
		return err
	}
	p, err := f.predict(ctx, s)
	if err != nil {
		return err
	}
	out, err := f.newOutput(p)
	if err != nil {
		return err
	}
	if err := f.writeFiles(p); err != nil {
		return err
	}
	if f.json {
		err = writeJSON(s.out, out)
	} else {
		err = out.writeText(s.out)
	}
	return errors.Join(err, p.err)
}

// predict boots the image, and a second time with other random numbers unless
// there is a seed: what differs then cannot be predicted.
func (f *measureFlags) predict(ctx context.Context, s streams) (*prediction, error) {
	p := &prediction{firmware: "as EDK2 measures", guessed: map[int]bool{}}
	if f.firmwareLog != "" {
		log, err := readLog(f.firmwareLog)
		if err != nil {
			return nil, fmt.Errorf("-firmware-log: %w", err)
		}
		n := log.Before()
		if n == 0 {
			return nil, fmt.Errorf("-firmware-log %s: it has no separator, so where the firmware ends is not known", f.firmwareLog)
		}
		log.Events = log.Events[:n]
		if f.tpm.Log, err = log.Only(f.tpm.Banks...); err != nil {
			return nil, fmt.Errorf("-firmware-log %s: %w", f.firmwareLog, err)
		}
		p.firmware, f.firmwareFirst = "from "+f.firmwareLog, false
	}
	if f.seed != "" {
		return p, f.bootOnce(ctx, s, p)
	}
	// The console of the second run would say the same again.
	f.seed = "uefiexec measure"
	second, other := *f, &prediction{}
	second.runFlags = new(*f.runFlags)
	second.seed, second.trace = "uefiexec measure, again", false
	if err := second.oneBank(); err != nil { // to tell whether an event is the same
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- second.bootOnce(ctx, streams{err: io.Discard, out: io.Discard}, other) }()
	err := f.bootOnce(ctx, s, p)
	if err = cmp.Or(err, <-done); err != nil {
		return nil, err
	}
	for _, d := range eventlog.Compare(p.log.Events, other.log.Events, nil) {
		if d.Predicted >= 0 {
			p.guessed[d.Predicted] = true
		}
	}
	return p, nil
}

// oneBank leaves one bank.
func (f *measureFlags) oneBank() (err error) {
	if f.tpm.Log == nil {
		f.tpm.Banks = []eventlog.Algorithm{preferred(f.tpm.Banks)}
		return nil
	}
	f.tpm.Log, err = f.tpm.Log.Only(preferred(f.tpm.Log.Algorithms()))
	return err
}

// preferred is the bank to take where one will do: that of SHA-256, which people
// know and processors are quick at, or else the first.
func preferred(banks []eventlog.Algorithm) eventlog.Algorithm {
	if slices.Contains(banks, eventlog.SHA256) {
		return eventlog.SHA256
	}
	return banks[0]
}

// bootOnce boots the image and takes what was measured.
func (f *measureFlags) bootOnce(ctx context.Context, s streams, p *prediction) error {
	if !f.trace {
		s.out = io.Discard // measurements alone are asked for
	}
	if f.json {
		s.err = io.Discard
	}
	b, err := f.boot(ctx, s, nil)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.lost(); err != nil {
		fmt.Fprintf(s.err, "uefiexec: %v\n", err)
	}
	p.log, p.err = b.tpm.Log(), b.err
	p.first = len(p.log.Events) - len(b.tpm.Events())
	if f.phases != "" {
		phases, err := eventlog.PhaseEvents(p.log.Algorithms(), f.phases)
		if err != nil {
			return usagef("-phase: %w", err)
		}
		p.log.Events = append(p.log.Events, phases...)
	}
	return nil
}

// readLog reads an event log.
func readLog(name string) (*eventlog.Log, error) {
	if name == "machine" {
		name = "/" + kexec.EventLogFile
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	log, err := eventlog.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return log, nil
}

// writeFiles writes the files that were asked for.
func (f *measureFlags) writeFiles(p *prediction) error {
	if f.logFile != "" {
		if err := os.WriteFile(f.logFile, p.log.Append(nil), 0o644); err != nil {
			return err
		}
	}
	if f.pcrlock != "" {
		for i := range p.guessed {
			return fmt.Errorf("-pcrlock: what goes to PCR %d depends on random numbers, so no policy can be made of it: %s",
				p.log.Events[i].PCR, p.log.Events[i].Describe())
		}
		component, err := eventlog.Component(p.log.Events[p.first:])
		if err != nil {
			return err
		}
		return os.WriteFile(f.pcrlock, component, 0o644)
	}
	return nil
}

// parsePCRs reads a list of numbers of PCRs.
func parsePCRs(list string) ([]uint32, error) {
	var pcrs []uint32
	for word := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == '+' || r == ' ' }) {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil || n >= eventlog.Registers {
			return nil, usagef("%q is no PCR", word)
		}
		pcrs = append(pcrs, uint32(n))
	}
	return pcrs, nil
}
