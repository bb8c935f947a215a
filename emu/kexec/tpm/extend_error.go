// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"fmt"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// ExtendError says how far Extend has come.
type ExtendError struct {
	// Events are those that Extend was given.
	Events []eventlog.Event

	// Done is how many of them are done with: what extends of Events[:Done] was
	// extended, what extends of Events[Done:] was not. It counts the event whose
	// command has failed if the PCR shows that it was carried out all the same.
	Done int

	// Unknown is not nil if it is not known whether Events[Done] was extended, and
	// says why.
	Unknown error

	// Err is what has gone wrong: of the transport, a tpm2.TPMRC, or of the context.
	Err error
}

func (e *ExtendError) Error() string {
	done, rest := e.Events[:e.Done], e.Events[e.Done:]
	text := fmt.Sprintf("tpm: %v: of %d events %d were extended%s", e.Err, count(e.Events), count(done), of(done))
	if e.Unknown != nil && len(rest) > 0 {
		text += fmt.Sprintf(", of event %d (%v, PCR %d) it is not known (%v)", e.Done, rest[0].Type, rest[0].PCR, e.Unknown)
		rest = rest[1:]
	}
	return text + fmt.Sprintf(", %d were not%s", count(rest), of(rest))
}

func (e *ExtendError) Unwrap() error { return e.Err }

// count is how many of the events extend.
func count(events []eventlog.Event) int {
	n := 0
	for i := range events {
		if events[i].Extends() {
			n++
		}
	}
	return n
}

// of names the PCRs of events.
func of(events []eventlog.Event) string {
	var m uint32
	for pcr, touched := range eventlog.Touched(events) {
		if touched {
			m |= 1 << pcr
		}
	}
	if m == 0 {
		return ""
	}
	return " (PCR " + names(m) + ")"
}
