// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"slices"
	"testing"
)

// A log cut to some of its banks replays as before in those, and is left as it was.
func TestOnly(t *testing.T) {
	l := NewLog(SHA1, SHA256, SHA512)
	l.Events = append(l.Events, New(l.Algorithms(), 4, IPL, []byte("a"), nil), New(l.Algorithms(), 5, IPL, []byte("b"), []byte("c")))
	before, whole := l.Append(nil), l.Replay()
	cut, err := l.Only(SHA512, SHA384, SHA1)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Algorithm{SHA1, SHA512}; !slices.Equal(cut.Algorithms(), want) || len(cut.Events) != 2 {
		t.Errorf("%v, %d events", cut.Algorithms(), len(cut.Events))
	}
	again, err := Parse(cut.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	for a, bank := range again.Replay() {
		for n := range bank {
			if !bytes.Equal(bank[n], whole[a][n]) {
				t.Errorf("%v PCR %d", a, n)
			}
		}
	}
	if !bytes.Equal(l.Append(nil), before) {
		t.Error("the log has changed")
	}
	if _, err := l.Only(SHA384); err == nil {
		t.Error("a bank that there is not")
	}
	if _, err := (&Log{Legacy: true}).Only(SHA1); err == nil {
		t.Error("a log of the older format")
	}
}
