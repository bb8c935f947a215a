// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"errors"
	"testing"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// scripted answers with what is in a script: the lengths, in two bytes, and the
// responses, over and over.
type scripted struct {
	script []byte
	at     int
	sent   int
}

const maxCommands = maxTries * 24 * 4 * 4

func (s *scripted) Send([]byte) ([]byte, error) {
	if s.sent++; s.sent > maxCommands {
		return nil, errors.New("no end")
	}
	if s.at+2 > len(s.script) {
		if s.at = 0; len(s.script) < 2 {
			return nil, nil
		}
	}
	n := int(s.script[s.at])<<8 | int(s.script[s.at+1])
	from := s.at + 2
	s.at = min(from+n, len(s.script))
	return bytes.Clone(s.script[from:s.at]), nil
}

// recording keeps what a TPM answers.
type recording struct {
	*software
	script []byte
}

func (r *recording) Send(cmd []byte) ([]byte, error) {
	rsp, err := r.software.Send(cmd)
	r.script = append(append(r.script, byte(len(rsp)>>8), byte(len(rsp))), rsp...)
	return rsp, err
}

func FuzzResponses(f *testing.F) {
	banks := []eventlog.Algorithm{eventlog.SHA1, eventlog.SHA256}
	r := &recording{software: startTPM(f)}
	for _, run := range []func() error{
		func() error { _, err := Banks(r); return err },
		func() error { _, err := Read(r, banks); return err },
		func() error {
			return Extend(f.Context(), r, fourBanks, []eventlog.Event{event(4, "a", fourBanks...), event(5, "b", fourBanks...)})
		},
	} {
		r.script = nil
		if err := run(); err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(r.script))
		f.Add(r.script[:len(r.script)-3])
	}
	f.Add([]byte{})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		if got, err := Banks(&scripted{script: script}); err == nil {
			for i := range got {
				if i > 0 && got[i] <= got[i-1] {
					t.Errorf("banks %v", got)
				}
			}
		}
		s := &scripted{script: script}
		if got, err := Read(s, banks); err == nil {
			for _, a := range banks {
				for pcr, v := range got[a] {
					if len(v) != a.Size() {
						t.Errorf("PCR %d, bank %v: %x", pcr, a, v)
					}
				}
			}
		}
		if s.sent >= maxCommands {
			t.Error("it does not end")
		}
		for _, banks := range [][]eventlog.Algorithm{banks, fourBanks} {
			s = &scripted{script: script}
			events := []eventlog.Event{event(4, "a", fourBanks...), event(5, "b", fourBanks...)}
			err := Extend(t.Context(), s, banks, events)
			var half *ExtendError
			if errors.As(err, &half) && (half.Done > len(half.Events) || half.Unknown != nil && half.Done == len(half.Events) || err.Error() == "") {
				t.Errorf("%+v", half)
			}
			if s.sent >= maxCommands {
				t.Error("it does not end")
			}
		}
	})
}

func FuzzIMA(f *testing.F) {
	entry, _ := imaNG(10, "/init")
	f.Add(entry)
	f.Add(append(entry, imaEntry(10, make([]byte, 20), "ima", append(make([]byte, 20), sized([]byte("x"))...))...))
	f.Fuzz(func(t *testing.T, b []byte) { checkLog(t, b, ParseIMA) })
}

func FuzzSystemd(f *testing.F) {
	f.Add([]byte(systemdRecord(11, "x", fourBanks...)))
	f.Add([]byte(systemdRecord(11, "x", fourBanks...) + "\x1e{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) { checkLog(t, b, ParseSystemd) })
}

// checkLog checks that what a log says fits the banks, and that an error is where
// it says: what is before it is a log with the same events.
func checkLog(t *testing.T, b []byte, parse func([]byte) (UserLog, error)) {
	l, err := parse(b)
	for i := range l.events {
		m := &l.events[i]
		if m.pcr >= eventlog.Registers {
			t.Errorf("PCR %d", m.pcr)
		}
		for _, a := range fourBanks {
			for r := range readings {
				if sum := m.digest(a, r); sum != nil && len(sum) != a.Size() {
					t.Errorf("bank %v: %x", a, sum)
				}
			}
		}
	}
	if err != nil {
		var at *LogError
		if !errors.As(err, &at) || !errors.Is(err, eventlog.ErrFormat) && !errors.Is(err, eventlog.ErrTruncated) || at.Offset > len(b) {
			t.Fatal(err)
		}
		if before, err := parse(b[:at.Offset]); err != nil || before.Len() != l.Len() {
			t.Errorf("before the error: %d of %d, %v", before.Len(), l.Len(), err)
		}
	}
	if _, err := Check(eventlog.NewLog(fourBanks...), []UserLog{l}, eventlog.Reset(fourBanks...)); err != nil {
		t.Error(err)
	}
}
