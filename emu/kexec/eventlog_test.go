// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// aLog is an event log of one event.
func aLog() *eventlog.Log {
	log := eventlog.NewLog(eventlog.SHA256)
	log.Events = append(log.Events, eventlog.New(log.Algorithms(), 7, eventlog.Separator, make([]byte, 4), make([]byte, 4)))
	return log
}

func TestReadEventLog(t *testing.T) {
	legacy := aLog().Events[0].AppendLegacy(nil)
	for _, test := range []struct {
		name string
		raw  []byte
		err  error
	}{
		{"a log", aLog().Append(nil), nil},
		{"cut", aLog().Append(nil)[:100], eventlog.ErrTruncated},
		{"empty", nil, eventlog.ErrTruncated},
		{"TPM 1.2", legacy, ErrNoEventLog},
	} {
		var h Host
		err := h.ReadEventLog(fstest.MapFS{EventLogFile: {Data: test.raw}})
		if !errors.Is(err, test.err) || (err == nil) != (h.EventLog != nil) {
			t.Errorf("%s: %v, %v", test.name, h.EventLog, err)
		}
	}
	var h Host
	long := fstest.MapFS{EventLogFile: {Data: make([]byte, maxEventLog+1)}}
	if err := h.ReadEventLog(long); err == nil || !strings.Contains(err.Error(), "over") || h.EventLog != nil {
		t.Errorf("too long: %v, %v", h.EventLog, err)
	}
	if err := h.ReadEventLog(fstest.MapFS{}); !errors.Is(err, ErrNoEventLog) {
		t.Error(err)
	}
}

// A log takes the place of the one that the payload has, in its memory, too, and
// can do so again.
func TestSetLog(t *testing.T) {
	h := &Host{EventLog: aLog(), Memory: emu.Layout(amd64, 64<<20)}
	handoff := freeze(t, h, func(g *emutest.Guest) {
		for _, guid := range []efi.GUID{efi.LinuxTPMEventLogTableGUID, efi.TCG2FinalEventsTableGUID} {
			if err := copyTable(g.Machine, guid, efi.RuntimeServicesData, make([]byte, 64)); err != nil {
				t.Fatal(err)
			}
		}
	})
	for range 2 {
		log := aLog()
		log.Events = append(log.Events, log.Events[0])
		if err := setLog(handoff, log); err != nil {
			t.Fatal(err)
		}
		at, _ := handoff.ConfigurationTable(efi.LinuxTPMEventLogTableGUID)
		if at != handoff.Reserved[1].Start {
			t.Errorf("the table is at %v", at)
		}
		want := log.Append(nil)
		got, err := handoff.Read(at, uint64(logHeader+len(want)))
		if err != nil || !bytes.Equal(got[logHeader:], want) || int(got[0]) != len(want)&0xff || got[8] != logFormat2 {
			t.Errorf("%x, %v", got, err)
		}
		final, _ := handoff.ConfigurationTable(efi.TCG2FinalEventsTableGUID)
		if raw, err := handoff.Read(final, 16); err != nil || !bytes.Equal(raw, eventlog.AppendFinal(nil, nil)) {
			t.Errorf("final events: %x, %v", raw, err)
		}
	}
	long := aLog()
	long.Events = append(long.Events, eventlog.Event{Data: make([]byte, 2<<20)})
	if err := setLog(handoff, long); err == nil {
		t.Error("a log that does not fit")
	}
	handoff.Reserved = handoff.Reserved[:1]
	if err := setLog(handoff, aLog()); !errors.Is(err, errNoRoom) {
		t.Errorf("without room: %v", err)
	}
	handoff.ConfigurationTables = nil
	if err := setLog(handoff, aLog()); err != nil {
		t.Errorf("a payload that looks for no log: %v", err)
	}
}
