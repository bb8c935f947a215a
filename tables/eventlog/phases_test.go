// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"testing"
)

// phaseSums are made by printf %s WORD | sha256sum, and sha1sum.
var phaseSums = map[string][2]string{
	"enter-initrd": {"51e6b92f405d1f98d96e3de343d61d420ad6923b25de21d766f9298192f14fed", "b1b01d5f73f321eb70e76f8a0e241ac0a3fa4a6e"},
	"leave-initrd": {"3be261aff7db92bf507eae947f4003ffa2bcad0bffe3524601d62d0bc8be7135", "865e1ff2cc5b8db815313b23fe3d8b561212f5d1"},
	"sysinit":      {"730bb5a583ba880c277e656d2dc8aba1a314a11b14d25b05153d2bab82567a48", "aeabcf402223916e804cce79778a55d5a9276983"},
	"ready":        {"b24d6d33736ecd5604a4b17bc9c6481039fac362bb7df044ef1c10a2bfd21db6", "75c0533730caf1f78561c0883fb87bc8d98ef04b"},
}

func TestPhaseEvents(t *testing.T) {
	for _, c := range []struct{ phases, want []string }{
		{nil, nil},
		{[]string{"ready"}, []string{"ready"}},
		{[]string{"enter-initrd:leave-initrd", "sysinit"}, []string{"enter-initrd", "leave-initrd", "sysinit"}},
	} {
		events, err := PhaseEvents([]Algorithm{SHA256, SHA1}, c.phases...)
		if err != nil || len(events) != len(c.want) {
			t.Errorf("%q: %+v, %v", c.phases, events, err)
			continue
		}
		for i, word := range c.want {
			e, sums := events[i], phaseSums[word]
			if e.PCR != 11 || e.Type != IPL || string(e.Data) != word ||
				!bytes.Equal(e.Digest(SHA256), unhex(t, sums[0])) || !bytes.Equal(e.Digest(SHA1), unhex(t, sums[1])) {
				t.Errorf("%q: %+v, want %s %v", c.phases, e, word, sums)
			}
		}
	}
}

func TestPhaseEventsErrors(t *testing.T) {
	for want, c := range map[string]struct {
		banks []Algorithm
		phase string
	}{
		`eventlog: phases: there is no bank`:                   {nil, "ready"},
		`eventlog: phases: there is no hash sm3_256`:           {[]Algorithm{SHA256, SM3_256}, "ready"},
		`eventlog: phase "": "" is no word in ASCII`:           {sha256Alone, ""},
		`eventlog: phase "a:": "" is no word in ASCII`:         {sha256Alone, "a:"},
		`eventlog: phase "a b": "a b" is no word in ASCII`:     {sha256Alone, "a b"},
		`eventlog: phase "a:ä": "ä" is no word in ASCII`:       {sha256Alone, "a:ä"},
		`eventlog: phase "a\x00": "a\x00" is no word in ASCII`: {sha256Alone, "a\x00"},
	} {
		if events, err := PhaseEvents(c.banks, c.phase); err == nil || err.Error() != want {
			t.Errorf("%+v, %v, want %s", events, err, want)
		}
	}
}

func TestKexecEvent(t *testing.T) {
	e := KexecEvent(sha256Alone, 5, "uefiexec: kexec")
	// printf 'uefiexec: kexec' | sha256sum
	sum := unhex(t, "41333c146403bafb482410190d2ea5eb6a42d04caa0e0e6a621f90f3a155db75")
	data := unhex(t, "78666575 0f000000 75656669 65786563 3a206b65 786563")
	if e.PCR != 5 || e.Type != EventTag || !bytes.Equal(e.Data, data) || !bytes.Equal(e.Digest(SHA256), sum) || len(e.Digests) != 1 {
		t.Errorf("%+v", e)
	}
}
