// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// seedLogs are logs with an event of most kinds.
func seedLogs() [][]byte {
	l := NewLog(SHA1, SHA256)
	tag := taggedData(tagInitrd, []byte("Linux initrd\x00"))
	for i, data := range [][]byte{
		imageData(5, espPath(`\EFI\BOOT\BOOTX64.EFI`)), variableEvent(efi.GlobalVariableGUID, "BootOrder", "\x01\x00"),
		variableEvent(efi.GlobalVariableGUID, "Boot0001", "\x01\x00\x00\x00\x04\x00a\x00\x00\x00\x7f\xff\x04\x00"),
		gptData(testDisk, "esp"), wide(".linux\x00"), []byte("grub_cmd: boot\x00"), tag,
		{0, 0, 0, 0},
	} {
		types := []EventType{EFIBootServicesApplication, EFIVariableBoot, EFIVariableBoot2, EFIGPTEvent, IPL, IPL, EventTag, Separator}
		l.Events = append(l.Events, New(l.Algorithms(), uint32(4+i), types[i], data, data))
	}
	return [][]byte{l.Append(nil), agileLog(), legacyLog()}
}

func FuzzParse(f *testing.F) {
	for _, seed := range seedLogs() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		for i := range l.Events {
			checkLine(t, l.Events[i].Describe(), maxLine+1)
		}
		if differences := Compare(l.Events, l.Events, nil); len(differences) != 0 {
			t.Errorf("differs from itself: %v", differences)
		}
		for a, bank := range l.Replay() {
			for pcr, value := range bank {
				if len(value) != a.Size() {
					t.Errorf("PCR %d of %v is %x", pcr, a, value)
				}
			}
		}
		_, _ = Component(l.Events)
		_, _ = ParseFinal(b, l.Banks)
		if before := l.Before(); before < 0 || before > len(l.Events) {
			t.Errorf("%d of %d events are before", before, len(l.Events))
		}
		if err != nil {
			return
		}
		raw := l.Append(nil)
		again, err := Parse(raw)
		if err != nil || !reflect.DeepEqual(again, l) {
			t.Fatalf("%+v became %+v, %v", l, again, err)
		}
		if l.Legacy && !bytes.Equal(raw, b) {
			t.Errorf("%x became %x", b, raw)
		}
	})
}

// FuzzCompare checks that without the differences, and what is unpredictable, the
// logs lead to the same PCRs.
func FuzzCompare(f *testing.F) {
	seeds := seedLogs()
	for _, a := range seeds {
		for _, b := range seeds {
			f.Add(a, b, uint64(0))
			f.Add(a, b, uint64(0b101010))
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, bits uint64) {
		p, _ := Parse(a)
		r, _ := Parse(b)
		unpredictable := func(i int) bool { return i < 64 && bits>>i&1 != 0 }
		differences := Compare(p.Events, r.Events, unpredictable)
		inP, inR := map[int]bool{}, map[int]bool{}
		for _, d := range differences {
			checkLine(t, d.Text, 5000)
			if d.Kind == Uncompared {
				return
			}
			if d.Predicted < 0 && d.Kind != Unexpected || d.Real < 0 && d.Kind != Missing || d.Predicted >= 0 && d.Kind == Unexpected || d.Real >= 0 && d.Kind == Missing {
				t.Fatalf("%+v", d)
			}
			if d.Predicted >= 0 && (inP[d.Predicted] || p.Events[d.Predicted].PCR != d.PCR) || d.Real >= 0 && (inR[d.Real] || r.Events[d.Real].PCR != d.PCR) {
				t.Fatalf("%+v of %+v", d, differences)
			}
			inP[d.Predicted], inR[d.Real] = true, true
		}
		left, right := rest(p, inP), rest(r, inR)
		if !slices.Equal(slices.Sorted(maps.Keys(left)), slices.Sorted(maps.Keys(right))) {
			t.Fatalf("%v and %v are left", left, right)
		}
		for pcr := range left {
			if len(left[pcr]) != len(right[pcr]) {
				t.Fatalf("PCR %d: %v and %v are left", pcr, left[pcr], right[pcr])
			}
			for n, i := range left[pcr] {
				x, y := p.Events[i], r.Events[right[pcr][n]]
				if x.Type != y.Type {
					t.Fatalf("PCR %d: %v goes with %v", pcr, x, y)
				}
				for _, d := range x.Digests {
					if other := y.Digest(d.Algorithm); other != nil && !bytes.Equal(other, d.Sum) && x.Type != NoAction && !unpredictable(i) {
						t.Fatalf("PCR %d: %v goes with %v", pcr, x, y)
					}
				}
			}
		}
	})
}

// rest are the events of each PCR that are extended, apart from some.
func rest(l *Log, apart map[int]bool) map[uint32][]int {
	left := map[uint32][]int{}
	for i := range l.Events {
		e := &l.Events[i]
		if !apart[i] && (e.Extends() && len(e.Digests) > 0 || e.startupLocality()) {
			left[e.PCR] = append(left[e.PCR], i)
		}
	}
	return left
}
