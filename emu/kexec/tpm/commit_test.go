// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// TestReady: the TPM is as the log says, or as an interrupted exec has left it; in
// the second case it is found how far that has come.
func TestReady(t *testing.T) {
	log := firmwareLog()
	host := &kexec.Host{EventLog: log}
	var measurements []emu.Measurement
	for i, pcr := range []uint32{4, 4, 9, 4, 11, 9} {
		measurements = append(measurements, emu.Measurement{Event: event(pcr, string(rune('a'+i)), fourBanks...)})
	}
	entry, data := imaNG(10, "boot_aggregate")
	s := startTPM(t)
	extend := func(events ...eventlog.Event) {
		t.Helper()
		if err := Extend(t.Context(), s, fourBanks, events); err != nil {
			t.Fatal(err)
		}
	}
	extend(log.Events...)
	extend(event(10, string(data), fourBanks...))
	root := fstest.MapFS{imaPath: {Data: entry}}
	for n := range len(measurements) + 1 {
		explained, done, err := ready(host, s, root, measurements)
		if err != nil || done != n || len(explained) != 1 || explained[0].By != IMA || !explained[0].Shown {
			t.Errorf("after %d: %v, %d, %v", n, explained, done, err)
		}
		if _, err := Ready(host, s, root); (err == nil) != (n == 0) || n > 0 && !errors.Is(err, ErrMismatch) {
			t.Errorf("after %d, with no measurements: %v", n, err)
		}
		if n < len(measurements) {
			extend(measurements[n].Event)
		}
	}
	extend(event(11, "another", fourBanks...))
	if _, _, err := ready(host, s, root, measurements); !errors.Is(err, ErrMismatch) {
		t.Errorf("after another program: %v", err)
	}
	// The same events, but not the first ones.
	other := startTPM(t)
	if err := Extend(t.Context(), other, fourBanks, append(log.Events, measurements[2].Event)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ready(host, other, fstest.MapFS{}, measurements); !errors.Is(err, ErrMismatch) {
		t.Errorf("after the third alone: %v", err)
	}
	if _, err := Ready(&kexec.Host{}, s, root); err == nil {
		t.Error("without a log")
	}
}
