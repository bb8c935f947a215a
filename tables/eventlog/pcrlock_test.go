// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"strings"
	"testing"
)

func TestComponent(t *testing.T) {
	// printf a | sha256sum; printf a | sha1sum; printf b | sha1sum
	const (
		aSHA256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
		aSHA1   = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"
		bSHA1   = "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98"
	)
	events := []Event{
		New([]Algorithm{SHA1, SHA256}, 4, IPL, []byte("a"), nil),
		{0, NoAction, []Digest{{SHA1, make([]byte, 20)}}, nil},
		{11, IPL, []Digest{{0x99, []byte{1}}, {SHA1, unhex(t, bSHA1)}}, nil},
	}
	const (
		first  = `{"pcr":4,"digests":[{"hashAlg":"sha1","digest":"` + aSHA1 + `"},{"hashAlg":"sha256","digest":"` + aSHA256 + `"}]}`
		second = `{"pcr":11,"digests":[{"hashAlg":"sha1","digest":"` + bSHA1 + `"}]}`
	)
	for _, c := range []struct {
		pcrs []uint32
		want string
	}{
		{nil, first + "," + second},
		{[]uint32{11}, second},
		{[]uint32{11, 4}, first + "," + second},
		{[]uint32{0, 7}, ""},
	} {
		got, err := Component(events, c.pcrs...)
		if want := `{"records":[` + c.want + "]}\n"; err != nil || string(got) != want {
			t.Errorf("%v: %s, %v, want %s", c.pcrs, got, err, want)
		}
	}
}

func TestComponentErrors(t *testing.T) {
	good := measured(4, IPL, "a")
	for want, c := range map[string]struct {
		event Event
		pcrs  []uint32
	}{
		"eventlog: there is no PCR 24":                       {good, []uint32{4, 24}},
		"eventlog: event 1: there is no PCR 24":              {measured(24, IPL, "a"), nil},
		"eventlog: event 1: a digest of sha1 of 2 bytes":     {Event{4, IPL, []Digest{{SHA1, []byte{1, 2}}}, nil}, nil},
		"eventlog: event 1: no digest of a known bank":       {Event{4, IPL, []Digest{{0x99, []byte{1}}}, nil}, nil},
		"eventlog: event 1: a digest of sha256 of 0 bytes":   {Event{4, IPL, []Digest{{SHA256, nil}}, nil}, []uint32{4}},
		"eventlog: event 1: a digest of sm3_256 of 31 bytes": {Event{4, IPL, []Digest{{SM3_256, make([]byte, 31)}}, nil}, nil},
		"eventlog: event 1: a digest of sha512 of 1 bytes":   {Event{0, IPL, []Digest{{SHA256, make([]byte, 32)}, {SHA512, []byte{0}}}, nil}, nil},
		"eventlog: event 1: there is no PCR 4294967295":      {measured(0xffffffff, IPL, "a"), nil},
	} {
		if got, err := Component([]Event{good, c.event}, c.pcrs...); err == nil || err.Error() != want {
			t.Errorf("%s, %v, want %s", strings.TrimSpace(string(got)), err, want)
		}
	}
	// What is not asked for does not matter.
	if _, err := Component([]Event{good, measured(24, IPL, "a")}, 4); err != nil {
		t.Error(err)
	}
}
