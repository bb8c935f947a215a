// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

func TestExtend(t *testing.T) {
	s := startTPM(t)
	log := eventlog.NewLog(fourBanks...)
	log.Events = []eventlog.Event{
		event(4, "loader", fourBanks...), event(4, "kernel", fourBanks...), event(0, "x", fourBanks...),
		{PCR: 99, Type: eventlog.NoAction, Data: []byte("x")}, event(15, "y", fourBanks...), event(23, "z", fourBanks...),
	}
	if err := Extend(t.Context(), s, fourBanks, log.Events); err != nil {
		t.Fatal(err)
	}
	got, err := Read(s, fourBanks)
	if err != nil {
		t.Fatal(err)
	}
	samePCRs(t, got, log.Replay())
	if err := Extend(t.Context(), s, fourBanks, nil); err != nil {
		t.Error(err)
	}
}

// untouched checks that nothing was extended since the reset.
func untouched(t *testing.T, s *software, banks []eventlog.Algorithm) {
	t.Helper()
	got, err := Read(s, banks)
	if err != nil {
		t.Fatal(err)
	}
	samePCRs(t, got, eventlog.Reset(banks...))
}

func TestExtendRefuses(t *testing.T) {
	s := startTPM(t)
	good := event(1, "good", fourBanks...)
	short := event(6, "short", fourBanks...)
	short.Digests[2].Sum = short.Digests[2].Sum[1:]
	done, cancel := context.WithCancel(t.Context())
	cancel()
	all, three := fourBanks, fourBanks[:3]
	for _, c := range []struct {
		name  string
		ctx   context.Context
		banks []eventlog.Algorithm
		bad   eventlog.Event
		is    error
		has   []string
	}{
		{"no digest", t.Context(), all, event(5, "x", three...), ErrNoDigest, []string{"event 1", "sha512", "PCR 5"}},
		{"short digest", t.Context(), all, short, nil, []string{"event 1", "sha384", "PCR 6", "47 bytes"}},
		{"no such PCR", t.Context(), all, event(24, "x", all...), nil, []string{"event 1", "PCR 24"}},
		{"a bank the caller does not know of", t.Context(), three, event(5, "x", three...), ErrBanks, []string{"sha512"}},
		{"a bank that is not active", t.Context(), append(all[:4:4], eventlog.SM3_256), event(5, "x", all...), ErrNoDigest, []string{"sm3"}},
		{"an unknown bank", t.Context(), append(all[:4:4], 0x99), event(5, "x", all...), nil, []string{"alg-0x0099"}},
		{"no banks", t.Context(), nil, event(5, "x", all...), ErrBanks, nil},
		{"done", done, all, event(5, "x", all...), context.Canceled, nil},
	} {
		err := Extend(c.ctx, s, c.banks, []eventlog.Event{good, c.bad})
		var half *ExtendError
		if err == nil || errors.As(err, &half) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, text := range append(c.has, "nothing was extended") {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %q is not in %v", c.name, text, err)
			}
		}
	}
	untouched(t, s, fourBanks)
	// A bank that is not active needs no digest.
	one := []eventlog.Algorithm{eventlog.SHA256}
	s.allocate(t, one...)
	untouched(t, s, one)
	if err := Extend(t.Context(), s, one, []eventlog.Event{good, event(5, "x", eventlog.SHA1)}); !errors.Is(err, ErrNoDigest) {
		t.Error(err)
	}
	untouched(t, s, one)
	if err := Extend(t.Context(), s, one, []eventlog.Event{good, event(5, "x", one...)}); err != nil {
		t.Error(err)
	}
}

func TestExtendFails(t *testing.T) {
	events := []eventlog.Event{
		event(4, "a", fourBanks...), {Type: eventlog.NoAction}, event(5, "b", fourBanks...), event(7, "c", fourBanks...),
	}
	for _, c := range []struct {
		name    string
		broken  broken
		meddle  bool
		done    int
		unknown string
		text    string
	}{
		{"before", broken{at: 1, stuck: true}, false, 2, "", "of 3 events 1 were extended (PCR 4), 2 were not (PCR 5, 7)"},
		{"the first, before", broken{stuck: true}, false, 0, "", "of 3 events 0 were extended, 3 were not (PCR 4, 5, 7)"},
		{"the last, before", broken{at: 2, stuck: true}, false, 3, "", "of 3 events 2 were extended (PCR 4, 5), 1 were not (PCR 7)"},
		{
			"gone", broken{at: 1, after: true, forever: true}, false, 2, errBroken.Error(),
			"1 were extended (PCR 4), of event 2 (EV_IPL, PCR 5) it is not known",
		},
		{"another program", broken{at: 1}, true, 2, "something else", "2 were not"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startTPM(t)
			b := &c.broken
			b.TPM, b.code = s, extendCode
			if c.meddle {
				c.text = "1 were not (PCR 7)"
				b.other = func() {
					e := event(5, "other", fourBanks...)
					if err := extend(s, fourBanks, &e); err != nil {
						t.Fatal(err)
					}
				}
			}
			err := Extend(t.Context(), b, fourBanks, events)
			var e *ExtendError
			if !errors.As(err, &e) || !errors.Is(err, errBroken) {
				t.Fatal(err)
			}
			if e.Done != c.done || len(e.Events) != len(events) || (e.Unknown != nil) != (c.unknown != "") {
				t.Errorf("%+v", e)
			}
			for _, text := range []string{c.text, c.unknown} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in %v", text, err)
				}
			}
		})
	}
}

// An answer that does not come, once or always, does not matter as long as the
// PCRs can be read: what was done is not done again, what was not is. What a PCR has
// had before is taken into account.
func TestExtendTriesAgain(t *testing.T) {
	events := []eventlog.Event{event(4, "a", fourBanks...), event(4, "b", fourBanks...), event(7, "c", fourBanks...)}
	want := eventlog.Reset(fourBanks...)
	for i := range events {
		want.Extend(&events[i])
	}
	for _, b := range []broken{{at: 0}, {at: 1}, {at: 2}, {at: 1, after: true}, {at: 2, after: true}, {at: 0, after: true, stuck: true}} {
		s := startTPM(t)
		b.TPM, b.code = s, extendCode
		if err := Extend(t.Context(), &b, fourBanks, events); err != nil {
			t.Errorf("%+v: %v", b, err)
		}
		got, err := Read(s, fourBanks)
		if err != nil {
			t.Fatal(err)
		}
		samePCRs(t, got, want)
	}
}

// A context that is done in the middle ends it between two events.
func TestExtendIsStopped(t *testing.T) {
	s := startTPM(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := Extend(ctx, &stopping{s, cancel}, fourBanks, []eventlog.Event{event(4, "a", fourBanks...), event(5, "b", fourBanks...)})
	var e *ExtendError
	if !errors.As(err, &e) || !errors.Is(err, context.Canceled) || e.Done != 1 || e.Unknown != nil {
		t.Error(err)
	}
}

// stopping calls a function at an extend.
type stopping struct {
	*software
	stop func()
}

func (s *stopping) Send(cmd []byte) ([]byte, error) {
	if cmd[9] == extendCode {
		s.stop()
	}
	return s.software.Send(cmd)
}

// The TPM says no: that is found not to have extended anything.
func TestExtendDenied(t *testing.T) {
	s := startTPM(t)
	err := Extend(t.Context(), s, fourBanks, []eventlog.Event{event(4, "a", fourBanks...), event(17, "b", fourBanks...)}) // of another locality
	var e *ExtendError
	if !errors.As(err, &e) || e.Done != 1 || e.Unknown != nil || !strings.Contains(err.Error(), "LOCALITY") {
		t.Error(err)
	}
}
