// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// drain takes keys until there is none.
func drain(s *keySource) (keys []efi.KeyData, err error) {
	for {
		k, err := s.next()
		if err != nil {
			return keys, err
		}
		keys = append(keys, k)
	}
}

func TestKeySourceInMemory(t *testing.T) {
	long := strings.Repeat("0123456789abcde\x1b[A", 100) // sequences lie over the ends of chunks
	for _, test := range []struct{ bytes, keys string }{
		{"", ""},
		{"ab", "a b"},
		{"a\x1b", "a <0x17>"},
		{long, strings.TrimSpace(strings.Repeat("0 1 2 3 4 5 6 7 8 9 a b c d e <0x1> ", 100))},
	} {
		s := newKeySource(strings.NewReader(test.bytes))
		keys, err := drain(s)
		if got := keyText(keys); got != test.keys || err != efi.NotReady {
			t.Errorf("%q gives %q, %v", test.bytes, got, err)
		}
		if got := s.poll(); got != emu.Never {
			t.Errorf("%q: readiness at the end is %v", test.bytes, got)
		}
	}
}

func TestKeySourceEnds(t *testing.T) {
	broken := errors.New("cable is out")
	for _, test := range []struct {
		name string
		in   io.Reader
		err  efi.Status
	}{
		{"nil", nil, efi.NotReady},
		{"empty", strings.NewReader(""), efi.NotReady},
		{"at its end", iotest.OneByteReader(strings.NewReader("")), efi.NotReady},
		{"broken", iotest.ErrReader(broken), efi.DeviceError},
		{"no progress", stuckReader{}, efi.DeviceError},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newKeySource(test.in)
			waitFor(t, s, emu.Never)
			if _, err := s.next(); emu.StatusOf(err) != test.err {
				t.Errorf("next: %v, want %v", err, test.err)
			}
		})
	}
}

type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

// waitFor polls, woken as a machine is, until the source says so.
func waitFor(t *testing.T, s *keySource, want emu.Readiness) {
	t.Helper()
	wake := make(chan struct{}, 100)
	s.mu.Lock()
	s.wake = func() { wake <- struct{}{} }
	s.mu.Unlock()
	for {
		got := s.poll()
		if got == want {
			return
		}
		if got != emu.NotYet {
			t.Fatalf("readiness is %v, want %v", got, want)
		}
		select {
		case <-wake:
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing wakes; readiness is %v, want %v", got, want)
		}
	}
}

// countingReader tells of each Read that begins.
type countingReader struct {
	io.Reader
	reads chan struct{}
}

func (r countingReader) Read(b []byte) (int, error) {
	r.reads <- struct{}{}
	return r.Reader.Read(b)
}

func TestKeySourceReadsOnDemand(t *testing.T) {
	pr, pw := io.Pipe()
	defer pw.Close()
	in := countingReader{pr, make(chan struct{}, 100)}
	s := newKeySource(in)
	s.reset()
	if len(in.reads) != 0 {
		t.Fatal("read before a key was asked for")
	}
	if got := s.poll(); got != emu.NotYet {
		t.Fatalf("readiness is %v", got)
	}
	go io.WriteString(pw, "ab")
	waitFor(t, s, emu.Ready)
	for _, want := range "ab" {
		if k, err := s.next(); err != nil || rune(k.Key.UnicodeChar) != want {
			t.Fatalf("key is %+v, %v, want %c", k, err, want)
		}
	}
	if n := len(in.reads); n != 1 {
		t.Fatalf("%d reads for what one brought", n)
	}
	if _, err := s.next(); err != efi.NotReady {
		t.Fatalf("next: %v", err)
	}
	<-in.reads
	<-in.reads // the read that the last question began
	s.next()
	if n := len(in.reads); n != 0 {
		t.Fatalf("%d reads at a time", n+1)
	}
}

func TestKeySourceEscape(t *testing.T) {
	pr, pw := io.Pipe()
	defer pw.Close()
	s := newKeySource(pr)
	go io.WriteString(pw, "\x1b")
	waitFor(t, s, emu.Ready)
	if keys, _ := drain(s); keyText(keys) != "<0x17>" {
		t.Fatalf("a lone ESC gives %q", keyText(keys))
	}
	// A sequence in two pieces, the second close behind the first.
	go func() {
		io.WriteString(pw, "x\x1b")
		io.WriteString(pw, "[")
		io.WriteString(pw, "A")
	}()
	var keys []efi.KeyData
	for len(keys) < 2 {
		waitFor(t, s, emu.Ready)
		more, _ := drain(s)
		keys = append(keys, more...)
	}
	if got := keyText(keys); got != "x <0x1>" && !strings.HasPrefix(got, "x <0x17>") {
		t.Errorf("keys are %q", got)
	}
}

func TestKeySourceReset(t *testing.T) {
	s := newKeySource(strings.NewReader("abc"))
	if k, err := s.next(); err != nil || k.Key.UnicodeChar != 'a' {
		t.Fatalf("key is %+v, %v", k, err)
	}
	s.reset()
	if k, err := s.next(); err != efi.NotReady {
		t.Errorf("after a reset there is %+v, %v", k, err)
	}
}
