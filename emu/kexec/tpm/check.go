// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// checked is the number of PCRs that are checked: what is above is not of the
// boot (16 and 23 are for debugging and applications, 17 to 22 for a dynamic
// launch).
const checked = 16

// Explained is a PCR that the event log alone does not lead to, but does together
// with what the running system has logged.
type Explained struct {
	PCR    uint32
	By     string           // IMA or Systemd
	Events []eventlog.Event // the extends of its log that are in the PCR

	// Shown says that the event log that is handed over has the Events: see Ready.
	Shown bool
	// Listed says that IMA's list has them, which is handed over: see HandOver.
	Listed bool
}

func (e Explained) String() string {
	shown := "the event log that is handed over has no room for them, and so does not lead to the PCR"
	switch {
	case e.Listed:
		shown = "the list of IMA that is handed over has them"
	case e.Shown:
		shown = "the event log that is handed over has them as events of the system before"
	}
	return fmt.Sprintf("PCR %d holds %d measurements of the running system (%s) and goes on with them: "+
		"after the kexec its value differs from that of a boot from firmware, secrets that are sealed to such a value will not unseal, "+
		"and %s", e.PCR, len(e.Events), e.By, shown)
}

// Check says whether a log leads to the PCRs that a TPM has, PCR 0 to 15 of every
// bank. A PCR may go on with what the user logs say, as far as they go or less:
// those are returned, in the order of their numbers, once for each log. If a PCR
// has both, all of one is tried before the other, not what is mixed.
//
// The banks of the log and of the TPM must be the same, else the error is a
// *BankError. If a PCR has another value, it is a *MismatchError, and what is
// explained of the others is returned beside it. The user logs are no proof of
// anything but the sum of them: they can be written by whoever is root.
func Check(log *eventlog.Log, user []UserLog, real eventlog.PCRs) ([]Explained, error) {
	if err := sameBanks(log, real); err != nil {
		return nil, err
	}
	banks, replayed := real.Banks(), log.Replay()
	var list []Explained
	var wrong *MismatchError
	for pcr := range uint32(checked) {
		bank := slices.IndexFunc(banks, func(a eventlog.Algorithm) bool {
			return !bytes.Equal(replayed[a][pcr], real[a][pcr])
		})
		if bank < 0 {
			continue
		}
		found := explain(pcr, user, replayed, real)
		switch {
		case found != nil:
			list = append(list, found...)
		case wrong == nil:
			a := banks[bank]
			wrong = &MismatchError{PCR: pcr, Bank: a, Log: replayed[a][pcr], TPM: real[a][pcr], hint: hint(pcr, user, real[a][pcr])}
		default:
			wrong.Others = append(wrong.Others, pcr)
		}
	}
	if wrong != nil {
		return list, wrong
	}
	return list, nil
}

// sameBanks checks that the log has the banks of the TPM and no other, and that
// all of them can be computed.
func sameBanks(log *eventlog.Log, real eventlog.PCRs) error {
	logged := log.Algorithms()
	for _, a := range real.Banks() {
		if !slices.Contains(logged, a) {
			return &BankError{a, "it is active in the TPM, and the log does not have it: what was extended into it is not known"}
		}
		if _, ok := a.Hash(); !ok || real[a] == nil {
			return &BankError{a, "it cannot be computed here"}
		}
	}
	for _, a := range logged {
		if real[a] == nil {
			return &BankError{a, "the log has it, and it is not active in the TPM: the log may be of another boot"}
		}
	}
	return nil
}

// explain finds how a PCR comes from the log and the user logs, nil if it does
// not.
func explain(pcr uint32, user []UserLog, replayed, real eventlog.PCRs) []Explained {
	type part struct {
		by     string
		events []*measurement
	}
	var parts []part
	for i := range user {
		p := part{by: user[i].By}
		for k := range user[i].events {
			if m := &user[i].events[k]; m.pcr == pcr {
				p.events = append(p.events, m)
			}
		}
		if p.events != nil {
			parts = append(parts, p)
		}
	}
	for range len(parts) {
		var all []*measurement
		for _, p := range parts {
			all = append(all, p.events...)
		}
		if n, ways := reach(pcr, all, replayed, real); n >= 0 {
			var list []Explained
			for _, p := range parts {
				if count := min(n, len(p.events)); count > 0 {
					list = append(list, Explained{PCR: pcr, By: p.by, Events: asEvents(p.by, p.events[:count], ways)})
					n -= count
				}
			}
			return list
		}
		parts = append(parts[1:], parts[0])
	}
	return nil
}

// asEvents are measurements as a log has them, by what was extended into each bank.
func asEvents(by string, list []*measurement, ways map[eventlog.Algorithm]reading) []eventlog.Event {
	banks := slices.Sorted(maps.Keys(ways))
	events := make([]eventlog.Event, len(list))
	for i, m := range list {
		events[i] = eventlog.KexecEvent(nil, m.pcr, "uefiexec: "+by+" before kexec")
		for _, a := range banks {
			if sum := m.digest(a, ways[a]); sum != nil {
				events[i].Digests = append(events[i].Digests, eventlog.Digest{Algorithm: a, Sum: sum})
			}
		}
	}
	return events
}

// reach is after how many of the measurements the PCR has its value in all banks,
// the least number, -1 if there is none, and how each bank was extended.
func reach(pcr uint32, all []*measurement, replayed, real eventlog.PCRs) (int, map[eventlog.Algorithm]reading) {
	at := make([]bool, len(all)+1) // in all banks so far
	for i := range at {
		at[i] = true
	}
	hits := map[eventlog.Algorithm]*[readings][]int{} // in ascending order
	for _, a := range real.Banks() {
		here := make([]bool, len(at))
		hits[a] = new([readings][]int)
		for r := range readings {
			v := replayed[a][pcr]
			for i := range at {
				if bytes.Equal(v, real[a][pcr]) {
					here[i] = true
					hits[a][r] = append(hits[a][r], i)
				}
				if i == len(all) {
					break
				}
				if sum := all[i].digest(a, r); sum != nil {
					v = a.Extend(v, sum)
				}
			}
		}
		for i := range at {
			at[i] = at[i] && here[i]
		}
		if !slices.Contains(at, true) {
			return -1, nil
		}
	}
	n := slices.Index(at, true)
	ways := map[eventlog.Algorithm]reading{}
	for a, found := range hits {
		for r := range readings {
			if slices.Contains(found[r], n) {
				ways[a] = r
				break
			}
		}
	}
	return n, ways
}
