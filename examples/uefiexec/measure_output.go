// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// eventJSON is an event as -json prints it.
type eventJSON struct {
	PCR         uint32            `json:"pcr"`
	Type        uint32            `json:"type"`
	TypeName    string            `json:"type_name"`
	Digests     map[string]string `json:"digests"`
	Data        string            `json:"data"`
	Description string            `json:"description"`
	Origin      string            `json:"origin"`
	Predictable bool              `json:"predictable"`
}

// output is what measure prints.
type output struct {
	Result         string                       `json:"result"`
	Error          string                       `json:"error,omitempty"`
	Firmware       string                       `json:"firmware"`
	Disk           string                       `json:"disk"`
	Events         []eventJSON                  `json:"events"`
	PCRs           map[string]map[string]string `json:"pcrs"`
	NotPredictable []uint32                     `json:"not_predictable,omitempty"`
	Policies       map[string]string            `json:"policies,omitempty"`
	Differences    []string                     `json:"differences,omitempty"`

	banks    []eventlog.Algorithm
	touched  [eventlog.Registers]bool
	compared bool
}

// The origins of events.
const (
	originFirmware = "firmware-setup"
	originBoot     = "payload-or-loading"
)

func (f *measureFlags) newOutput(p *prediction) (*output, error) {
	end := endOf(p.err)
	o := &output{
		Result: end.result, Error: end.text, Firmware: p.firmware, Disk: f.disk,
		PCRs: map[string]map[string]string{}, banks: p.log.Algorithms(),
		touched: eventlog.Touched(p.log.Events[p.first:]),
	}
	for i := range p.log.Events {
		e := &p.log.Events[i]
		j := eventJSON{
			PCR: e.PCR, Type: uint32(e.Type), TypeName: e.Type.String(), Digests: map[string]string{},
			Data: hex.EncodeToString(e.Data), Description: e.Describe(), Origin: originBoot, Predictable: !p.guessed[i],
		}
		if i < p.first {
			j.Origin = originFirmware
		}
		for _, d := range e.Digests {
			j.Digests[d.Algorithm.String()] = hex.EncodeToString(d.Sum)
		}
		if p.guessed[i] && !slices.Contains(o.NotPredictable, e.PCR) {
			o.NotPredictable = append(o.NotPredictable, e.PCR)
		}
		o.Events = append(o.Events, j)
	}
	slices.Sort(o.NotPredictable)
	pcrs := p.log.Replay()
	for a, bank := range pcrs {
		values := map[string]string{}
		for n, v := range bank {
			if !slices.Contains(o.NotPredictable, uint32(n)) {
				values[strconv.Itoa(n)] = hex.EncodeToString(v)
			}
		}
		o.PCRs[a.String()] = values
	}
	if err := o.policies(f.policy, pcrs); err != nil {
		return nil, err
	}
	if f.compare != "" {
		if err := o.differences(f.compare, p); err != nil {
			return nil, fmt.Errorf("-compare %s: %w", f.compare, err)
		}
	}
	return o, nil
}

// policies are the digests of TPM2_PolicyPCR, one for each bank, for a policy of
// SHA-256 as is usual.
func (o *output) policies(list string, pcrs eventlog.PCRs) error {
	if list == "" {
		return nil
	}
	selection, err := parsePCRs(list)
	if err != nil {
		return err
	}
	for _, n := range selection {
		if slices.Contains(o.NotPredictable, n) {
			return fmt.Errorf("-policy: PCR %d depends on random numbers, so there is no policy for it", n)
		}
	}
	o.Policies = map[string]string{}
	for _, a := range o.banks {
		digest, err := eventlog.PolicyPCR(a, eventlog.SHA256, pcrs, selection...)
		if err != nil {
			return usagef("-policy: %w", err)
		}
		o.Policies[a.String()] = hex.EncodeToString(digest)
	}
	return nil
}

// differences compares what the boot measures with the log of a real one, without
// what the firmware has measured before it.
func (o *output) differences(name string, p *prediction) error {
	log, err := readLog(name)
	if err != nil {
		return err
	}
	o.compared = true
	for _, d := range eventlog.Compare(p.log.Events[p.first:], log.Events[log.Before():], func(i int) bool { return p.guessed[i+p.first] }) {
		o.Differences = append(o.Differences, d.Text)
	}
	return nil
}

// writeText prints the events, then the PCRs that the boot extends.
func (o *output) writeText(w io.Writer) error {
	bank := preferred(o.banks).String()
	fmt.Fprintf(w, "firmware: %s\n", o.Firmware)
	if o.Disk == "" {
		fmt.Fprintln(w, "disk: none, so no partition table is measured into PCR 5; give it with -disk")
	}
	fmt.Fprintf(w, "\n%3s  %-32s %-16s  %s\n", "pcr", "event", bank, "what")
	for _, e := range o.Events {
		digest := e.Digests[bank]
		mark := ""
		if !e.Predictable {
			mark = " (not predictable: it depends on random numbers)"
		}
		fmt.Fprintf(w, "%3d  %-32s %-16.16s  %s%s\n", e.PCR, e.TypeName, digest, e.Description, mark)
	}
	for _, a := range o.banks {
		fmt.Fprintf(w, "\n%s\n", a)
		for n, touched := range o.touched {
			if !touched {
				continue
			}
			value, ok := o.PCRs[a.String()][strconv.Itoa(n)]
			if !ok {
				value = "not predictable"
			}
			fmt.Fprintf(w, "%3d  %s\n", n, value)
		}
	}
	for _, a := range o.banks {
		if digest, ok := o.Policies[a.String()]; ok {
			fmt.Fprintf(w, "\npolicy for %v: %s\n", a, digest)
		}
	}
	if o.compared {
		fmt.Fprintln(w)
		if len(o.Differences) == 0 {
			fmt.Fprintln(w, "the real boot measured what was predicted")
		}
		for _, text := range o.Differences {
			fmt.Fprintln(w, text)
		}
	}
	return nil
}
