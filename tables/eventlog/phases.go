// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"fmt"
	"strings"
)

const pcrPhase = 11 // of unified kernel images

// PhaseEvents are what systemd-pcrphase(8) extends PCR 11 with while the system
// boots: the hash of each word in ASCII, without a NUL, for words such as
// enter-initrd, leave-initrd, sysinit and ready. A phase may be several words with
// colons between them, as for systemd-measure(1).
//
// systemd writes these events into a log of its own (tpm2-measure.log), not into
// that of the firmware; the type EV_IPL and the data, which is the word, are only
// this package's way to tell of them.
//
// Errors: a bank that cannot be computed, or none; a word that is empty or has
// anything but printable ASCII in it.
func PhaseEvents(banks []Algorithm, phases ...string) ([]Event, error) {
	if len(banks) == 0 {
		return nil, fmt.Errorf("eventlog: phases: there is no bank")
	}
	for _, a := range banks {
		if _, ok := a.Hash(); !ok {
			return nil, fmt.Errorf("eventlog: phases: there is no hash %v", a)
		}
	}
	var events []Event
	for _, phase := range phases {
		for word := range strings.SplitSeq(phase, ":") {
			if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return nil, fmt.Errorf("eventlog: phase %q: %q is no word in ASCII", phase, word)
			}
			events = append(events, New(banks, pcrPhase, IPL, []byte(word), []byte(word)))
		}
	}
	return events, nil
}
