// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// keySource is the keys of a reader, for all interfaces that share it.
//
// It reads only when the guest has asked for a key and there is none: then one
// goroutine reads until it has a key, wakes the machine and ends. So at most one
// Read is under way, the queue holds no more than came with two of them, and a
// Read that blocks outlives the machine; what it gets then is lost. A reader
// that has a method Len, as those of bytes and strings have, does not block: it
// is read at once, without a goroutine, so that what the guest sees is the same
// on every run.
type keySource struct {
	in io.Reader // nil: there are no keys

	mu      sync.Mutex
	wake    func() // may be nil
	parser  keyParser
	keys    []efi.KeyData
	came    time.Time // when the parser's pending bytes did
	reading bool
	err     error // of the reader
}

// escapeDelay is how long an ESC waits for what would make it a sequence.
const escapeDelay = 50 * time.Millisecond

// chunk is how much is read at once, in bytes.
const chunk = 256

func newKeySource(in io.Reader) *keySource {
	s := &keySource{in: in}
	if in == nil {
		s.err = io.EOF
	}
	return s
}

// attach makes the event that tells the guest of keys, and the machine the one
// to be woken when they come.
func (s *keySource) attach(m *emu.Machine) (efi.Event, error) {
	s.mu.Lock()
	s.wake = m.Wake
	s.mu.Unlock()
	return m.NewEvent(s.poll)
}

// next takes a key off the queue. NotReady: there is none now. DeviceError:
// the reader has failed.
func (s *keySource) next() (efi.KeyData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	if len(s.keys) == 0 {
		if s.err != nil && !errors.Is(s.err, io.EOF) {
			return efi.KeyData{}, deviceError(s.err)
		}
		return efi.KeyData{}, efi.NotReady
	}
	key := s.keys[0]
	s.keys = s.keys[1:]
	return key, nil
}

// poll says whether there is a key.
func (s *keySource) poll() emu.Readiness {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	switch {
	case len(s.keys) > 0:
		return emu.Ready
	case s.err != nil:
		return emu.Never
	}
	return emu.NotYet
}

// reset forgets the keys that have come and were not asked for.
func (s *keySource) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.parser = nil, keyParser{}
}

// look brings keys into the queue, as far as that is possible without waiting,
// and sees to it that more come.
func (s *keySource) look() {
	_, ready := s.in.(interface{ Len() int })
	for ready && len(s.keys) == 0 && s.err == nil {
		s.receive(s.read())
	}
	if len(s.keys) > 0 || s.err != nil {
		return
	}
	if s.parser.waiting() && time.Since(s.came) >= escapeDelay {
		s.keys = s.parser.flush(s.keys)
	}
	if len(s.keys) == 0 && !s.reading {
		s.reading = true
		go s.listen()
	}
}

// listen reads until there is a key, or an error.
func (s *keySource) listen() {
	for {
		b, err := s.read()
		s.mu.Lock()
		s.receive(b, err)
		done := len(s.keys) > 0 || s.err != nil
		s.reading = !done
		if s.parser.waiting() && s.wake != nil {
			time.AfterFunc(escapeDelay, s.wake)
		}
		s.mu.Unlock()
		if done {
			if s.wake != nil {
				s.wake()
			}
			return
		}
	}
}

// read reads something, or an error.
func (s *keySource) read() ([]byte, error) {
	b := make([]byte, chunk)
	for range 100 {
		if n, err := s.in.Read(b); n > 0 || err != nil {
			return b[:n], err
		}
	}
	return nil, io.ErrNoProgress
}

// receive is what read has brought.
func (s *keySource) receive(b []byte, err error) {
	s.keys = s.parser.feed(s.keys, b)
	s.came = time.Now()
	if s.err = err; err != nil {
		s.keys = s.parser.flush(s.keys)
	}
}
