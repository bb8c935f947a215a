// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, ErrNoTPM) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no device: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), "not a device") {
		t.Errorf("a file: %v", err)
	}
	if _, err := Open(dir); err == nil || errors.Is(err, ErrNoTPM) {
		t.Errorf("a folder: %v", err)
	}
	if runtime.GOOS == "linux" {
		device, err := Open("/dev/null")
		if err != nil {
			t.Fatal(err)
		}
		if err := device.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBanks(t *testing.T) {
	s := startTPM(t)
	if got, err := Banks(s); err != nil || !slices.Equal(got, fourBanks) {
		t.Fatalf("%v, %v", got, err)
	}
	s.allocate(t, eventlog.SHA256, eventlog.SHA512)
	if got, err := Banks(s); err != nil || !slices.Equal(got, []eventlog.Algorithm{eventlog.SHA256, eventlog.SHA512}) {
		t.Fatalf("%v, %v", got, err)
	}
	// A bank that is not active answers with nothing.
	if _, err := Read(s, fourBanks); !errors.Is(err, ErrResponse) || !strings.Contains(err.Error(), "sha1") {
		t.Error(err)
	}
	s.stop()
	if _, err := Banks(s); err == nil {
		t.Error("banks of a TPM that is gone")
	}
}

func TestRead(t *testing.T) {
	s := startTPM(t)
	for _, banks := range [][]eventlog.Algorithm{fourBanks, {eventlog.SHA384}, {eventlog.SHA256, eventlog.SHA256}, {}} {
		got, err := Read(s, banks)
		if err != nil {
			t.Fatal(err)
		}
		samePCRs(t, got, eventlog.Reset(banks...))
	}
}

// moving is a TPM whose PCRs change while they are read.
type moving struct {
	*software
	t     *testing.T
	moves int
	reads int
}

func (m *moving) Send(cmd []byte) ([]byte, error) {
	if m.reads++; cmd[9] == readCode && m.reads%5 == 0 && m.moves > 0 {
		m.moves--
		e := event(9, "x", fourBanks...)
		if err := extend(m.software, fourBanks, &e); err != nil {
			m.t.Fatal(err)
		}
	}
	return m.software.Send(cmd)
}

const (
	readCode   = 0x7e
	extendCode = 0x82
)

func TestReadWaitsUntilStable(t *testing.T) {
	s := startTPM(t)
	m := &moving{software: s, t: t, moves: 2}
	got, err := Read(m, fourBanks)
	if err != nil {
		t.Fatal(err)
	}
	want := eventlog.Reset(fourBanks...)
	for range 2 {
		e := event(9, "x", fourBanks...)
		want.Extend(&e)
	}
	samePCRs(t, got, want)
	if m.moves != 0 {
		t.Errorf("%d moves are left", m.moves)
	}
	m.moves = 1000
	if _, err := Read(m, fourBanks); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}

func TestMask(t *testing.T) {
	for _, m := range []uint32{0, 1, 0x800000, 0x00ff01, allPCRs} {
		if got := mask(selection(m)); got != m {
			t.Errorf("%#x: %#x", m, got)
		}
	}
	if got := mask([]byte{1, 0, 0, 0xff}); got != 1 {
		t.Errorf("%#x", got)
	}
	if got := names(0x800003); got != "0, 1, 23" {
		t.Error(got)
	}
}
