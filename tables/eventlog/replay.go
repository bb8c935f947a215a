// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"maps"
	"slices"
)

// Registers is the number of PCRs of a bank.
const Registers = 24

// PCRs are the values of the PCRs of several banks.
type PCRs map[Algorithm]*[Registers][]byte

// Reset is the PCRs of the given banks after a reset of the machine (§3.3.4,
// table "PCR initial values"): zeros, and ones in 17 to 22, which only a dynamic
// launch uses. Banks that cannot be computed are left out.
func Reset(banks ...Algorithm) PCRs {
	p := PCRs{}
	for _, a := range banks {
		if _, ok := a.Hash(); !ok {
			continue
		}
		bank := new([Registers][]byte)
		for i := range bank {
			bank[i] = make([]byte, a.Size())
			if i >= 17 && i <= 22 {
				for k := range bank[i] {
					bank[i][k] = 0xff
				}
			}
		}
		p[a] = bank
	}
	return p
}

// Clone is a copy.
func (p PCRs) Clone() PCRs {
	c := PCRs{}
	for a, bank := range p {
		copied := *bank
		c[a] = &copied
	}
	return c
}

// Banks are the banks, in the order of their numbers.
func (p PCRs) Banks() []Algorithm { return slices.Sorted(maps.Keys(p)) }

// Extend extends the PCRs with an event. Events that are not extended, and PCRs
// that there are not, change nothing; a bank for which the event has no digest
// stays as it is.
func (p PCRs) Extend(e *Event) {
	if !e.Extends() || e.PCR >= Registers {
		return
	}
	for a, bank := range p {
		if sum := e.Digest(a); sum != nil {
			bank[e.PCR] = a.Extend(bank[e.PCR], sum)
		}
	}
}

// startupLocality is the start of the event that says from which locality the
// TPM was started, which is the value that PCR 0 starts with (§10.4.5.3).
var startupLocality = []byte("StartupLocality\x00")

// Replay computes the PCRs that a log leads to.
func (l *Log) Replay() PCRs {
	p := Reset(l.Algorithms()...)
	for i := range l.Events {
		e := &l.Events[i]
		if e.Type == NoAction && e.PCR == 0 && bytes.HasPrefix(e.Data, startupLocality) && len(e.Data) > len(startupLocality) {
			for a, bank := range p {
				bank[0] = make([]byte, a.Size())
				bank[0][a.Size()-1] = e.Data[len(startupLocality)]
			}
			continue
		}
		p.Extend(e)
	}
	return p
}

// Touched reports which PCRs the events extend.
func Touched(events []Event) [Registers]bool {
	var touched [Registers]bool
	for i := range events {
		if e := &events[i]; e.Extends() && e.PCR < Registers {
			touched[e.PCR] = true
		}
	}
	return touched
}

// Before is the number of events that belong to the firmware's own set-up: those
// up to the last separator of PCR 0 to 7 (§3.3.2.2), behind which firmware starts
// a boot loader. It is 0 if the log has none.
func (l *Log) Before() int {
	for i := len(l.Events) - 1; i >= 0; i-- {
		if e := &l.Events[i]; e.Type == Separator && e.PCR <= 7 {
			return i + 1
		}
	}
	return 0
}
