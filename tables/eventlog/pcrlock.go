// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

type lockFile struct {
	Records []lockRecord `json:"records"`
}

type lockRecord struct {
	PCR     uint32       `json:"pcr"`
	Digests []lockDigest `json:"digests"`
}

type lockDigest struct {
	Algorithm string `json:"hashAlg"`
	Digest    string `json:"digest"`
}

// Component is the file of a component for systemd-pcrlock(8): JSON as
// systemd.pcrlock(5) has it, which is a subset of the CEL-JSON encoding of the TCG
// Canonical Event Log Format. It has a record for each event that is extended, in
// their order, of the given PCRs or, if none is given, of all. A record has the
// digests of the banks that have a name here; others are left out.
//
// Errors: a PCR that there is not, among those asked for or in an event; a digest
// of the wrong size; an event with a digest of no known bank.
func Component(events []Event, pcrs ...uint32) ([]byte, error) {
	for _, pcr := range pcrs {
		if pcr >= Registers {
			return nil, fmt.Errorf("eventlog: there is no PCR %d", pcr)
		}
	}
	file := lockFile{Records: []lockRecord{}}
	for i := range events {
		e := &events[i]
		if !e.Extends() || len(pcrs) > 0 && !slices.Contains(pcrs, e.PCR) {
			continue
		}
		if e.PCR >= Registers {
			return nil, fmt.Errorf("eventlog: event %d: there is no PCR %d", i, e.PCR)
		}
		record := lockRecord{PCR: e.PCR}
		for _, d := range e.Digests {
			size := d.Algorithm.Size()
			if size == 0 {
				continue
			}
			if len(d.Sum) != size {
				return nil, fmt.Errorf("eventlog: event %d: a digest of %v of %d bytes", i, d.Algorithm, len(d.Sum))
			}
			record.Digests = append(record.Digests, lockDigest{d.Algorithm.String(), hex.EncodeToString(d.Sum)})
		}
		if len(record.Digests) == 0 {
			return nil, fmt.Errorf("eventlog: event %d: no digest of a known bank", i)
		}
		file.Records = append(file.Records, record)
	}
	b, err := json.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("eventlog: component: %w", err)
	}
	return append(b, '\n'), nil
}
