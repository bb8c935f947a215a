// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// The errors of Parse, each in a *FormatError.
var (
	ErrTruncated = errors.New("the log ends early")
	ErrFormat    = errors.New("not as the format has it")
)

// FormatError says where a log is not one.
type FormatError struct {
	Event  int   // index; the header has -1
	Offset int   // in the log, in bytes
	Err    error // ErrTruncated or ErrFormat, with what is wrong
}

func (e *FormatError) Error() string {
	where := fmt.Sprintf("event %d", e.Event)
	if e.Event < 0 {
		where = "header"
	}
	return fmt.Sprintf("eventlog: %s, at offset %#x: %v", where, e.Offset, e.Err)
}

func (e *FormatError) Unwrap() error { return e.Err }

// Log is an event log.
type Log struct {
	// Banks are the algorithms of the header, in its order, and so of each event.
	// Those that have no name here have their size from the header.
	Banks []Bank
	// Legacy says that the log is in the older format, with SHA-1 alone.
	Legacy bool
	Spec   SpecID
	Events []Event
}

// Bank is an algorithm and the size of its digests in bytes.
type Bank struct {
	Algorithm Algorithm
	Size      int
}

// SpecID is what the header says beside the banks (§10.4.5.1,
// TCG_EfiSpecIdEvent).
type SpecID struct {
	PlatformClass uint32 // 0 is a client, 1 a server
	Minor, Major  uint8  // of the specification
	Errata        uint8
	UintnSize     uint8 // of the firmware's UINTN, in 32-bit words
	Vendor        []byte
}

var (
	specSignature   = []byte("Spec ID Event03\x00")
	legacySignature = []byte("Spec ID Event00\x00")
)

const (
	event1Header = 4 + 4 + 20 + 4 // TCG_PCR_EVENT
	maxBanks     = 16
)

var le = binary.LittleEndian

// NewLog is an empty log with the given banks, as EDK2 for 64-bit machines begins
// one.
func NewLog(banks ...Algorithm) *Log {
	l := &Log{Spec: SpecID{Major: 2, UintnSize: 2}}
	for _, a := range banks {
		l.Banks = append(l.Banks, Bank{a, a.Size()})
	}
	return l
}

// Algorithms are those of the banks.
func (l *Log) Algorithms() []Algorithm {
	list := make([]Algorithm, len(l.Banks))
	for i, b := range l.Banks {
		list[i] = b.Algorithm
	}
	return list
}

// Only is the log with those of its banks that are wanted; the events share memory
// with l. It is an error if there is none of them, or if the log is in the older
// format.
func (l *Log) Only(wanted ...Algorithm) (*Log, error) {
	if l.Legacy {
		return nil, errors.New("eventlog: a log of a TPM 1.2 has no banks")
	}
	other := func(a Algorithm) bool { return !slices.Contains(wanted, a) }
	cut := *l
	cut.Banks = slices.DeleteFunc(slices.Clone(l.Banks), func(b Bank) bool { return other(b.Algorithm) })
	if len(cut.Banks) == 0 {
		return nil, fmt.Errorf("eventlog: the log has banks %v, not %v", l.Algorithms(), wanted)
	}
	cut.Events = slices.Clone(l.Events)
	for i := range cut.Events {
		e := &cut.Events[i]
		e.Digests = slices.DeleteFunc(slices.Clone(e.Digests), func(d Digest) bool { return other(d.Algorithm) })
	}
	return &cut, nil
}

// cursor reads a log.
type cursor struct {
	rest   []byte
	offset int
	event  int
}

func (c *cursor) bad(err error, format string, args ...any) error {
	return &FormatError{c.event, c.offset, fmt.Errorf("%w: %s", err, fmt.Sprintf(format, args...))}
}

func (c *cursor) take(n uint64, what string) ([]byte, error) {
	if n > uint64(len(c.rest)) {
		return nil, c.bad(ErrTruncated, "%s of %d bytes, %d are left", what, n, len(c.rest))
	}
	b := c.rest[:n:n]
	c.rest, c.offset = c.rest[n:], c.offset+int(n)
	return b, nil
}

func (c *cursor) uint32(what string) (uint32, error) {
	b, err := c.take(4, what)
	if err != nil {
		return 0, err
	}
	return le.Uint32(b), nil
}

// Parse reads a log in either format, as Linux shows it in
// binary_bios_measurements. Nothing may follow the last event. The events share
// memory with b. Errors are *FormatError with ErrTruncated or ErrFormat; what was
// read up to there is returned beside it.
func Parse(b []byte) (*Log, error) {
	l := &Log{Legacy: true, Banks: []Bank{{SHA1, SHA1.Size()}}}
	c := &cursor{rest: b, event: -1}
	if len(b) == 0 {
		return l, c.bad(ErrTruncated, "it is empty")
	}
	first, err := c.event1()
	if err != nil {
		return l, err
	}
	switch {
	case first.PCR == 0 && first.Type == NoAction && bytes.HasPrefix(first.Data, specSignature):
		if err := l.parseSpec(first.Data); err != nil {
			return l, err
		}
	default:
		c.event++
		l.Events = append(l.Events, first) // the legacy header is an event as any other
	}
	for c.event++; len(c.rest) > 0; c.event++ {
		var e Event
		if l.Legacy {
			e, err = c.event1()
		} else {
			e, err = c.event2(l.Banks)
		}
		if err != nil {
			return l, err
		}
		l.Events = append(l.Events, e)
	}
	return l, nil
}

// ParseFinal reads the events of a final events table (TCG EFI Protocol
// Specification, §7): a version, the number of events, and these. What follows
// them is not looked at.
func ParseFinal(b []byte, banks []Bank) ([]Event, error) {
	c := &cursor{rest: b, event: -1}
	head, err := c.take(16, "final events table")
	if err != nil {
		return nil, err
	}
	if version := le.Uint64(head); version != finalVersion {
		return nil, c.bad(ErrFormat, "version %d of the final events table", version)
	}
	var events []Event
	c.event = 0
	for n := le.Uint64(head[8:]); uint64(c.event) < n; c.event++ {
		e, err := c.event2(banks)
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	return events, nil
}

const finalVersion = 1

// event1 reads a TCG_PCR_EVENT.
func (c *cursor) event1() (Event, error) {
	h, err := c.take(event1Header, "event header")
	if err != nil {
		return Event{}, err
	}
	data, err := c.take(uint64(le.Uint32(h[28:])), "event data")
	return Event{
		PCR: le.Uint32(h), Type: EventType(le.Uint32(h[4:])),
		Digests: []Digest{{SHA1, h[8:28:28]}}, Data: data,
	}, err
}

// event2 reads a TCG_PCR_EVENT2.
func (c *cursor) event2(banks []Bank) (Event, error) {
	h, err := c.take(12, "event header")
	if err != nil {
		return Event{}, err
	}
	e := Event{PCR: le.Uint32(h), Type: EventType(le.Uint32(h[4:]))}
	count := le.Uint32(h[8:])
	if uint64(count) > uint64(len(banks)) {
		return e, c.bad(ErrFormat, "%d digests, the header has %d banks", count, len(banks))
	}
	for range count {
		id, err := c.take(2, "digest")
		if err != nil {
			return e, err
		}
		a := Algorithm(le.Uint16(id))
		i := slices.IndexFunc(banks, func(b Bank) bool { return b.Algorithm == a })
		if i < 0 {
			return e, c.bad(ErrFormat, "a digest of %v, of which the header has no bank", a)
		}
		sum, err := c.take(uint64(banks[i].Size), "digest")
		if err != nil {
			return e, err
		}
		if e.Digest(a) != nil {
			return e, c.bad(ErrFormat, "two digests of %v", a)
		}
		e.Digests = append(e.Digests, Digest{a, sum})
	}
	size, err := c.uint32("size of the event data")
	if err != nil {
		return e, err
	}
	e.Data, err = c.take(uint64(size), "event data")
	return e, err
}

// parseSpec reads the data of the header.
func (l *Log) parseSpec(b []byte) error {
	c := &cursor{rest: b, offset: event1Header, event: -1}
	h, err := c.take(28, "Spec ID event")
	if err != nil {
		return err
	}
	l.Spec = SpecID{PlatformClass: le.Uint32(h[16:]), Minor: h[20], Major: h[21], Errata: h[22], UintnSize: h[23]}
	count := le.Uint32(h[24:])
	if count == 0 || count > maxBanks {
		return c.bad(ErrFormat, "%d banks, want 1 to %d", count, maxBanks)
	}
	l.Legacy, l.Banks = false, nil
	for range count {
		b, err := c.take(4, "bank")
		if err != nil {
			return err
		}
		bank := Bank{Algorithm(le.Uint16(b)), int(le.Uint16(b[2:]))}
		if want := bank.Algorithm.Size(); bank.Size == 0 || want != 0 && bank.Size != want {
			return c.bad(ErrFormat, "digests of %d bytes in bank %v", bank.Size, bank.Algorithm)
		}
		if slices.ContainsFunc(l.Banks, func(o Bank) bool { return o.Algorithm == bank.Algorithm }) {
			return c.bad(ErrFormat, "bank %v twice", bank.Algorithm)
		}
		l.Banks = append(l.Banks, bank)
	}
	n, err := c.take(1, "vendor information")
	if err != nil {
		return err
	}
	l.Spec.Vendor, err = c.take(uint64(n[0]), "vendor information")
	return err
}

// Append appends the log to b as Parse reads it.
func (l *Log) Append(b []byte) []byte {
	if !l.Legacy {
		b = l.AppendHeader(b)
	}
	for i := range l.Events {
		if l.Legacy {
			b = l.Events[i].AppendLegacy(b)
		} else {
			b = l.Events[i].Append(b)
		}
	}
	return b
}

// AppendHeader appends the Spec ID event that a log begins with.
func (l *Log) AppendHeader(b []byte) []byte {
	spec := slices.Clone(specSignature)
	spec = le.AppendUint32(spec, l.Spec.PlatformClass)
	spec = append(spec, l.Spec.Minor, l.Spec.Major, l.Spec.Errata, l.Spec.UintnSize)
	spec = le.AppendUint32(spec, uint32(len(l.Banks)))
	for _, k := range l.Banks {
		spec = le.AppendUint16(spec, uint16(k.Algorithm))
		spec = le.AppendUint16(spec, uint16(k.Size))
	}
	spec = append(spec, byte(len(l.Spec.Vendor)))
	spec = append(spec, l.Spec.Vendor...)
	return (&Event{Type: NoAction, Data: spec}).AppendLegacy(b)
}

// Append appends the event as a TCG_PCR_EVENT2.
func (e *Event) Append(b []byte) []byte {
	b = le.AppendUint32(b, e.PCR)
	b = le.AppendUint32(b, uint32(e.Type))
	b = le.AppendUint32(b, uint32(len(e.Digests)))
	for _, d := range e.Digests {
		b = le.AppendUint16(b, uint16(d.Algorithm))
		b = append(b, d.Sum...)
	}
	b = le.AppendUint32(b, uint32(len(e.Data)))
	return append(b, e.Data...)
}

// AppendLegacy appends the event as a TCG_PCR_EVENT, with its SHA-1 digest, or
// with zeros if it has none.
func (e *Event) AppendLegacy(b []byte) []byte {
	b = le.AppendUint32(b, e.PCR)
	b = le.AppendUint32(b, uint32(e.Type))
	var sum [20]byte
	copy(sum[:], e.Digest(SHA1))
	b = append(b, sum[:]...)
	b = le.AppendUint32(b, uint32(len(e.Data)))
	return append(b, e.Data...)
}

// AppendFinal appends events as a final events table.
func AppendFinal(b []byte, events []Event) []byte {
	b = le.AppendUint64(b, finalVersion)
	b = le.AppendUint64(b, uint64(len(events)))
	for i := range events {
		b = events[i].Append(b)
	}
	return b
}
