// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// firmwareLog is a log of what firmware has measured.
func firmwareLog() *eventlog.Log {
	log := eventlog.NewLog(fourBanks...)
	for pcr := range uint32(8) {
		log.Events = append(log.Events, event(pcr, "firmware", fourBanks...))
	}
	log.Events = append(log.Events, event(10, "initrd", fourBanks...), event(11, "kernel", fourBanks...))
	return log
}

// list is a measurement list and what Linux extends for it.
func list(t *testing.T, r reading) (UserLog, []eventlog.Event) {
	t.Helper()
	var raw []byte
	var events []eventlog.Event
	for _, name := range []string{"boot_aggregate", "/init", "", "/bin/sh"} {
		entry, data := imaNG(10, name)
		sum := sha1.Sum(data)
		e := event(10, string(data), fourBanks...)
		if name == "" { // a violation
			entry = imaEntry(10, make([]byte, 20), "ima-ng", sized(data))
			sum = [20]byte(bytes.Repeat([]byte{0xff}, 20))
		}
		for i := range e.Digests {
			d := &e.Digests[i]
			size := d.Algorithm.Size()
			switch {
			case name == "" && r != padded:
				d.Sum = bytes.Repeat([]byte{0xff}, size)
			case name == "" || r != hashed:
				d.Sum = append(bytes.Clone(sum[:]), make([]byte, size-20)...)
			}
		}
		raw, events = append(raw, entry...), append(events, e)
	}
	l, err := ParseIMA(raw)
	if err != nil {
		t.Fatal(err)
	}
	return l, events
}

// phases is a log of systemd and what it extends for it.
func phases(t *testing.T, pcr uint32, banks ...eventlog.Algorithm) (UserLog, []eventlog.Event) {
	t.Helper()
	var raw string
	var events []eventlog.Event
	for _, phase := range []string{"enter-initrd", "leave-initrd", "sysinit"} {
		raw += systemdRecord(pcr, phase, banks...)
		events = append(events, event(pcr, phase, banks...))
	}
	l, err := ParseSystemd([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return l, events
}

// after is what the TPM has after the log and the events.
func after(log *eventlog.Log, events ...[]eventlog.Event) eventlog.PCRs {
	p := log.Replay()
	for _, e := range slices.Concat(events...) {
		p.Extend(&e)
	}
	return p
}

// claim is what is explained.
type claim struct {
	pcr   uint32
	by    string
	count int
}

// claims are what is explained, and a check that the log goes on with it to the
// PCRs.
func claims(t *testing.T, log *eventlog.Log, list []Explained, real eventlog.PCRs) []claim {
	t.Helper()
	var all []claim
	whole := *log
	whole.Events = slices.Clone(log.Events)
	for _, e := range list {
		all = append(all, claim{e.PCR, e.By, len(e.Events)})
		whole.Events = append(whole.Events, e.Events...)
	}
	parsed, err := eventlog.Parse(whole.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	for a, bank := range parsed.Replay() {
		for pcr := range checked {
			if !bytes.Equal(bank[pcr], real[a][pcr]) {
				t.Errorf("with what is explained, bank %v leads to %x for PCR %d, not to %x", a, bank[pcr], pcr, real[a][pcr])
			}
		}
	}
	return all
}

// With a TPM, and all of it at once.
func TestCheckTPM(t *testing.T) {
	s := startTPM(t)
	log := firmwareLog()
	ima, imaEvents := list(t, hashed)
	systemd, systemdEvents := phases(t, 11, fourBanks...)
	user := []UserLog{ima, systemd}
	for i, step := range []struct {
		events []eventlog.Event
		want   []claim
	}{
		{log.Events, nil},
		{imaEvents, []claim{{10, IMA, 4}}},
		{systemdEvents[:2], []claim{{10, IMA, 4}, {11, Systemd, 2}}}, // the log is read later
		{systemdEvents[2:], []claim{{10, IMA, 4}, {11, Systemd, 3}}},
		{[]eventlog.Event{event(16, "debug", fourBanks...), event(23, "application", fourBanks...)}, []claim{{10, IMA, 4}, {11, Systemd, 3}}},
	} {
		if err := Extend(t.Context(), s, fourBanks, step.events); err != nil {
			t.Fatal(err)
		}
		pcrs, err := Read(s, fourBanks)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Check(log, user, pcrs); err != nil || !slices.Equal(claims(t, log, got, pcrs), step.want) {
			t.Errorf("step %d: %v, %v", i, got, err)
		}
	}
	e := event(7, "unlogged", fourBanks...)
	if err := Extend(t.Context(), s, fourBanks, []eventlog.Event{e}); err != nil {
		t.Fatal(err)
	}
	pcrs, err := Read(s, fourBanks)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Check(log, user, pcrs)
	var wrong *MismatchError
	if !errors.As(err, &wrong) || !errors.Is(err, ErrMismatch) || wrong.PCR != 7 || wrong.Bank != eventlog.SHA1 || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCheckExplains(t *testing.T) {
	log := firmwareLog()
	for r := range readings {
		ima, imaEvents := list(t, r)
		same, sameEvents := phases(t, 10, fourBanks...)
		one, oneEvents := phases(t, 15, eventlog.SHA256) // the other banks are not extended
		both := []claim{{10, IMA, 4}, {10, Systemd, 3}}
		for _, c := range []struct {
			name string
			user []UserLog
			pcrs eventlog.PCRs
			want []claim
		}{
			{"nothing", nil, after(log), nil},
			{"IMA", []UserLog{ima}, after(log, imaEvents), []claim{{10, IMA, 4}}},
			{"half of IMA", []UserLog{ima}, after(log, imaEvents[:3]), []claim{{10, IMA, 3}}},
			{"none of IMA", []UserLog{ima}, after(log), nil},
			{"one bank", []UserLog{ima, one}, after(log, oneEvents), []claim{{15, Systemd, 3}}},
			{"IMA, systemd", []UserLog{ima, same}, after(log, imaEvents, sameEvents), both},
			{"systemd, IMA", []UserLog{ima, same}, after(log, sameEvents, imaEvents), []claim{{10, Systemd, 3}, {10, IMA, 4}}},
			{"systemd alone", []UserLog{ima, same}, after(log, sameEvents[:1]), []claim{{10, Systemd, 1}}},
		} {
			if got, err := Check(log, c.user, c.pcrs); err != nil || !slices.Equal(claims(t, log, got, c.pcrs), c.want) {
				t.Errorf("%s, %d: %v, %v", c.name, r, got, err)
			}
		}
	}
	// One log, two PCRs.
	mixed := UserLog{By: Systemd}
	eleven, elevenEvents := phases(t, 11, fourBanks...)
	fifteen, fifteenEvents := phases(t, 15, fourBanks...)
	for i := range eleven.events {
		mixed.events = append(mixed.events, eleven.events[i], fifteen.events[i])
	}
	want := []claim{{11, Systemd, 3}, {15, Systemd, 2}}
	pcrs := after(log, elevenEvents, fifteenEvents[:2])
	if got, err := Check(log, []UserLog{mixed}, pcrs); err != nil || !slices.Equal(claims(t, log, got, pcrs), want) {
		t.Errorf("two PCRs: %v, %v", got, err)
	}
	text := Explained{PCR: 10, By: IMA, Events: make([]eventlog.Event, 4)}.String()
	for _, want := range []string{"PCR 10", "4 measurements", "IMA", "unseal", "no room"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

func TestCheckMismatch(t *testing.T) {
	log := firmwareLog()
	ima, imaEvents := list(t, hashed)
	mixed := slices.Concat(imaEvents[1:], imaEvents[:1])
	inOne := after(log)
	inOne[eventlog.SHA512][4] = inOne[eventlog.SHA512][5][:0:0]
	oneBank := after(log, imaEvents)
	oneBank[eventlog.SHA384][10] = after(log, imaEvents[:3])[eventlog.SHA384][10]
	unused := after(log)
	for pcr := range 8 {
		unused[eventlog.SHA1][pcr] = make([]byte, 20)
	}
	marked := ima
	marked.Incomplete = true
	for _, c := range []struct {
		name   string
		user   []UserLog
		pcrs   eventlog.PCRs
		pcr    uint32
		bank   eventlog.Algorithm
		others int
		text   string
	}{
		{"nobody", nil, after(log, imaEvents), 10, eventlog.SHA1, 0, "keep"},
		{"another order", []UserLog{ima}, after(log, mixed), 10, eventlog.SHA1, 0, "what IMA has logged does not explain it"},
		{"marked", []UserLog{marked}, after(log, mixed), 10, eventlog.SHA1, 0, "marked as incomplete"},
		{"a value", nil, inOne, 4, eventlog.SHA512, 0, "sha512"},
		{"not as far in one bank", []UserLog{ima}, oneBank, 10, eventlog.SHA1, 0, "10"},
		{"an unused bank", nil, unused, 0, eventlog.SHA1, 7, "PCR 1, 2, 3, 4, 5, 6, 7 too; nothing is extended there"},
		{"another boot", nil, after(log, []eventlog.Event{event(0, "x", fourBanks...), event(12, "y", fourBanks...)}), 0, eventlog.SHA1, 1, "another boot"},
	} {
		_, err := Check(log, c.user, c.pcrs)
		var wrong *MismatchError
		if !errors.As(err, &wrong) || !errors.Is(err, ErrMismatch) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if wrong.PCR != c.pcr || wrong.Bank != c.bank || len(wrong.Others) != c.others {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.text == "keep" {
			c.text = "PCR 10 of bank sha1 has "
		}
		if !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %q is not in %v", c.name, c.text, err)
		}
	}
}

func TestCheckBanks(t *testing.T) {
	three := eventlog.NewLog(fourBanks[:3]...)
	legacy := &eventlog.Log{Legacy: true, Banks: []eventlog.Bank{{Algorithm: eventlog.SHA1, Size: 20}}}
	sm3 := eventlog.NewLog(eventlog.SHA256, eventlog.SM3_256)
	sm3PCRs := eventlog.Reset(eventlog.SHA256)
	sm3PCRs[eventlog.SM3_256] = new([eventlog.Registers][]byte)
	for name, c := range map[string]struct {
		log  *eventlog.Log
		pcrs eventlog.PCRs
		bank eventlog.Algorithm
	}{
		"active and not logged": {three, eventlog.Reset(fourBanks...), eventlog.SHA512},
		"logged and not active": {three, eventlog.Reset(eventlog.SHA1, eventlog.SHA384), eventlog.SHA256},
		"an old log":            {legacy, eventlog.Reset(eventlog.SHA1, eventlog.SHA256), eventlog.SHA256},
		"not computable":        {sm3, sm3PCRs, eventlog.SM3_256},
	} {
		_, err := Check(c.log, nil, c.pcrs)
		var wrong *BankError
		if !errors.As(err, &wrong) || !errors.Is(err, ErrBank) || wrong.Bank != c.bank || !strings.Contains(err.Error(), c.bank.String()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
