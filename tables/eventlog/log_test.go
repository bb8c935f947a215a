// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// specHeader is a header with the given banks, each an algorithm and a size.
func specHeader(vendor string, banks ...uint16) []byte {
	spec := pack("Spec ID Event03\x00", uint32(0), uint8(0), uint8(2), uint8(2), uint8(2), uint32(len(banks)/2))
	for _, b := range banks {
		spec = pack(spec, b)
	}
	spec = pack(spec, uint8(len(vendor)), vendor)
	return pack(uint32(0), uint32(3), make([]byte, 20), uint32(len(spec)), spec)
}

// agileLog is a log in the format of today, written field by field.
func agileLog() []byte {
	one, two := sha1.Sum([]byte("a")), sha256.Sum256([]byte("a"))
	b := specHeader("me", 4, 20, 0xb, 32)
	b = pack(b, uint32(4), uint32(0xd), uint32(2), uint16(4), one[:], uint16(0xb), two[:], uint32(3), "abc")
	b = pack(b, uint32(0), uint32(3), uint32(0), uint32(17), "StartupLocality\x00\x03")
	return pack(b, uint32(7), uint32(4), uint32(1), uint16(0xb), two[:], uint32(0))
}

// legacyLog is a log with SHA-1 alone.
func legacyLog() []byte {
	one := sha1.Sum([]byte("a"))
	b := pack(uint32(4), uint32(0xd), one[:], uint32(3), "abc")
	return pack(b, uint32(0), uint32(4), one[:], uint32(4), uint32(0))
}

func TestParse(t *testing.T) {
	one, two := sha1.Sum([]byte("a")), sha256.Sum256([]byte("a"))
	for name, c := range map[string]struct {
		raw  []byte
		want Log
	}{
		"of today": {agileLog(), Log{
			Banks: []Bank{{SHA1, 20}, {SHA256, 32}},
			Spec:  SpecID{Major: 2, Errata: 2, UintnSize: 2, Vendor: []byte("me")},
			Events: []Event{
				{4, IPL, []Digest{{SHA1, one[:]}, {SHA256, two[:]}}, []byte("abc")},
				{0, NoAction, nil, []byte("StartupLocality\x00\x03")},
				{7, Separator, []Digest{{SHA256, two[:]}}, []byte{}},
			},
		}},
		"legacy": {legacyLog(), Log{
			Legacy: true, Banks: []Bank{{SHA1, 20}},
			Events: []Event{
				{4, IPL, []Digest{{SHA1, one[:]}}, []byte("abc")},
				{0, Separator, []Digest{{SHA1, one[:]}}, []byte{0, 0, 0, 0}},
			},
		}},
		"a bank without a name": {specHeader("", 0x99, 3), Log{
			Banks: []Bank{{0x99, 3}}, Spec: SpecID{Major: 2, Errata: 2, UintnSize: 2, Vendor: []byte{}},
		}},
	} {
		got, err := Parse(c.raw)
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, *got, err, c.want)
			continue
		}
		if again := got.Append([]byte("x")); !bytes.Equal(again[1:], c.raw) || again[0] != 'x' {
			t.Errorf("%s: %x became %x", name, c.raw, again)
		}
	}
}

// TestParseTruncated cuts logs at each byte: where an event ends, what is left is
// a log; elsewhere the error is at the field that is cut.
func TestParseTruncated(t *testing.T) {
	for name, raw := range map[string][]byte{"of today": agileLog(), "legacy": legacyLog()} {
		whole, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		ends := map[int]int{} // length of a log and its number of events
		for n := range whole.Events {
			part := *whole
			part.Events = part.Events[:n]
			if length := len(part.Append(nil)); length > 0 {
				ends[length] = n
			}
		}
		for n := range raw {
			got, err := Parse(raw[:n])
			if events, ok := ends[n]; ok {
				if err != nil || len(got.Events) != events {
					t.Errorf("%s: %d bytes: %d events, %v, want %d", name, n, len(got.Events), err, events)
				}
				continue
			}
			format, ok := errors.AsType[*FormatError](err)
			if !ok || !errors.Is(err, ErrTruncated) {
				t.Fatalf("%s: %d bytes of %d: %v", name, n, len(raw), err)
			}
			if format.Offset > n || n-format.Offset >= 64 {
				t.Errorf("%s: %d bytes: offset %d", name, n, format.Offset)
			}
			before := -1 // the number of events that are whole
			if !whole.Legacy && n >= len(specHeader("me", 4, 20, 0xb, 32)) {
				before = 0
			}
			for length, events := range ends {
				if length <= n {
					before = max(before, events)
				}
			}
			if format.Event != before {
				t.Errorf("%s: %d bytes: event %d, want %d", name, n, format.Event, before)
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	head := specHeader("", 4, 20)
	at := len(head)
	for name, c := range map[string]struct {
		raw    []byte
		event  int
		offset int
		err    error
		text   string
	}{
		"no bank":               {specHeader(""), -1, 60, ErrFormat, "0 banks"},
		"too many banks":        {specHeader("", make([]uint16, 34)...), -1, 60, ErrFormat, "17 banks"},
		"wrong size":            {specHeader("", 4, 21), -1, 64, ErrFormat, "21 bytes in bank sha1"},
		"no size":               {specHeader("", 0x99, 0), -1, 64, ErrFormat, "0 bytes in bank alg-0x0099"},
		"a bank twice":          {specHeader("", 4, 20, 4, 20), -1, 68, ErrFormat, "bank sha1 twice"},
		"more digests":          {pack(head, uint32(0), uint32(1), uint32(2)), 0, at + 12, ErrFormat, "2 digests"},
		"digest of no bank":     {pack(head, uint32(0), uint32(1), uint32(1), uint16(0xb)), 0, at + 14, ErrFormat, "a digest of sha256"},
		"data longer than 4 GB": {pack(head, uint32(0), uint32(1), uint32(0), uint32(0xffffffff)), 0, at + 16, ErrTruncated, "4294967295 bytes, 0 are left"},
		"two of one bank": {
			pack(specHeader("", 4, 20, 0xb, 32), uint32(0), uint32(1), uint32(2), uint16(4), make([]byte, 20), uint16(4), make([]byte, 20)),
			0, at + 4 + 56, ErrFormat, "two digests of sha1",
		},
	} {
		_, err := Parse(c.raw)
		format, ok := errors.AsType[*FormatError](err)
		if !ok || format.Event != c.event || format.Offset != c.offset || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %d, %#x, %v, %s", name, err, c.event, c.offset, c.err, c.text)
		}
	}
}

func TestFinalEvents(t *testing.T) {
	l, err := Parse(agileLog())
	if err != nil {
		t.Fatal(err)
	}
	raw := pack(uint64(1), uint64(3), agileLog()[len(specHeader("me", 4, 20, 0xb, 32)):])
	if got := AppendFinal(nil, l.Events); !bytes.Equal(got, raw) {
		t.Errorf("%x, want %x", got, raw)
	}
	got, err := ParseFinal(append(raw, 0xff), l.Banks)
	if err != nil || !reflect.DeepEqual(got, l.Events) {
		t.Errorf("%+v, %v, want %+v", got, err, l.Events)
	}
	for _, bad := range [][]byte{nil, raw[:15], raw[:len(raw)-1], pack(uint64(2), uint64(0)), pack(uint64(1), uint64(1<<63))} {
		if events, err := ParseFinal(bad, l.Banks); err == nil {
			t.Errorf("%x: %+v", bad, events)
		}
	}
}

// TestReplay extends by hand.
func TestReplay(t *testing.T) {
	extend := func(pcr, digest []byte) []byte {
		sum := sha256.Sum256(append(bytes.Clone(pcr), digest...))
		return sum[:]
	}
	a, b := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	zeros, ones := make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)
	locality := pack(make([]byte, 31), uint8(3))
	l := NewLog(SHA256)
	l.Events = []Event{
		{0, NoAction, []Digest{{SHA256, zeros}}, []byte("StartupLocality\x00\x03")},
		measured(0, IPL, "a"), measured(4, IPL, "a"), measured(17, IPL, "b"), measured(4, IPL, "b"),
		measured(Registers, IPL, "a"),
		{4, NoAction, []Digest{{SHA256, a[:]}}, nil},
		{4, IPL, []Digest{{SHA1, a[:20]}}, nil},
	}
	got := l.Replay()[SHA256]
	for pcr, want := range map[int][]byte{
		0: extend(locality, a[:]), 4: extend(extend(zeros, a[:]), b[:]), 17: extend(ones, b[:]), 22: ones, 23: zeros, 16: zeros,
	} {
		if !bytes.Equal(got[pcr], want) {
			t.Errorf("PCR %d is %x, want %x", pcr, got[pcr], want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	l := NewLog(SHA1, SHA256, SHA384, SHA512)
	for i := range 200 {
		l.Events = append(l.Events, New(l.Algorithms(), uint32(i%16), IPL, []byte{byte(i)}, make([]byte, 100)))
	}
	raw := l.Append(nil)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}
