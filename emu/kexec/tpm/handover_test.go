// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// imaList is a list, and what a TPM is extended with for each entry of it.
func imaList(names ...string) (list []byte, events []eventlog.Event) {
	for _, name := range names {
		entry, data := imaNG(10, name)
		list, events = append(list, entry...), append(events, event(10, string(data), fourBanks...))
	}
	return list, events
}

func TestHandOver(t *testing.T) {
	list, events := imaList("boot_aggregate", "/init", "/bin/sh")
	violated := imaEntry(10, make([]byte, sha1Size), "ima-ng", sized([]byte("x")))
	wrong := slices.Clone(list)
	wrong[len(wrong)-2] ^= 1 // of the last name
	shown := firmwareLog()
	shown.Events = append(shown.Events, event(10, "of an earlier kernel", fourBanks...))
	for _, test := range []struct {
		name   string
		list   []byte
		log    *eventlog.Log
		events []eventlog.Event
		want   int // entries
		err    string
	}{
		{"all of it", list, nil, events, 3, ""},
		{"with a log", list, firmwareLog(), slices.Concat(firmwareLog().Events, events), 3, ""},
		{"with a log that has PCR 10", list, shown, slices.Concat(shown.Events, events), 3, ""},
		{"an entry on its way", list, nil, events[:2], 3, ""},
		{"another program", list, nil, slices.Concat(events, []eventlog.Event{event(10, "x", fourBanks...)}), 0, "does not lead to PCR 10"},
		{"nothing of it", list, nil, nil, 0, "PCR 10 has none of it"},
		{"another digest", wrong, nil, events, 0, "entry 2 has another digest"},
		{"no list", nil, nil, events, 0, ""},
	} {
		s := startTPM(t)
		if err := Extend(t.Context(), s, fourBanks, test.events); err != nil {
			t.Fatal(err)
		}
		root := fstest.MapFS{}
		if test.list != nil {
			root[imaPath] = &fstest.MapFile{Data: test.list}
		}
		got, err := HandOver(root, test.log, s)
		s.stop()
		switch {
		case test.err != "":
			if !errors.Is(err, ErrNotHandedOver) || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v", test.name, err)
			}
		case err != nil || (got != nil) != (test.want > 0):
			t.Errorf("%s: %v, %v", test.name, got, err)
		case got != nil && (got.Entries != test.want || !bytes.Equal(got.Bytes, test.list)):
			t.Errorf("%s: %d entries, %x", test.name, got.Entries, got.Bytes)
		}
	}
	// Without a TPM.
	for name, test := range map[string]struct {
		list []byte
		want int
		bad  bool
	}{
		"good":        {list, 3, false},
		"a violation": {slices.Concat(list, violated), 4, false},
		"empty":       {[]byte{}, 0, false},
		"damaged":     {wrong, 0, true},
		"cut":         {list[:len(list)-1], 0, true},
	} {
		got, err := HandOver(fstest.MapFS{imaPath: {Data: test.list}}, nil, nil)
		if (err != nil) != test.bad || (got != nil) != (test.want > 0) || got != nil && got.Entries != test.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A TPM with a bank that cannot be computed says nothing about a list.
func TestHandOverBanks(t *testing.T) {
	list, _ := imaList("boot_aggregate")
	l, err := ParseIMA(list)
	if err != nil {
		t.Fatal(err)
	}
	pcrs := eventlog.Reset(eventlog.SHA256)
	pcrs[eventlog.SM3_256] = pcrs[eventlog.SHA256]
	var bank *BankError
	if err := l.check(nil, pcrs); !errors.As(err, &bank) || bank.Bank != eventlog.SM3_256 {
		t.Error(err)
	}
}

// What IMA's list says that is handed over, the event log does not say again: who
// replays both comes to the PCR.
func TestLeaveToIMA(t *testing.T) {
	list, events := imaList("boot_aggregate", "/init")
	log := firmwareLog()
	root := fstest.MapFS{imaPath: {Data: list}}
	user, err := ReadUserLogs(root)
	if err != nil {
		t.Fatal(err)
	}
	phase, extended := phases(t, 11, fourBanks...)
	real := after(log, events, extended)
	explained, err := Check(log, append(user, phase), real)
	if err != nil {
		t.Fatal(err)
	}
	show(explained)
	leaveToIMA(explained)
	handed := logWith(&kexec.Host{EventLog: log}, explained, nil)
	if again, err := Check(handed, user, real); err != nil || len(again) != 1 || again[0].By != IMA || again[0].PCR != 10 {
		t.Errorf("%v, %v", again, err)
	}
	if text := explained[0].String(); explained[0].By != IMA || !strings.Contains(text, "list of IMA that is handed over") {
		t.Error(text)
	}
}
