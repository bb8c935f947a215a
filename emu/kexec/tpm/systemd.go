// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// recordStart is what a record of a JSON text sequence begins with (RFC 7464,
// §2.2); it ends with a line feed.
const recordStart = 0x1e

// record is what is needed of one, in the words of TCG's Canonical Event Log.
type record struct {
	PCR     *uint32 `json:"pcr"`
	Digests []struct {
		Algorithm string `json:"hashAlg"`
		Sum       string `json:"digest"`
	} `json:"digests"`
}

// ParseSystemd reads what systemd's programs have measured, as they write it to
// tpm2-measure.log: a JSON text sequence, each record with a PCR and its digests
// ("TPM2 PCR Measurements Made by systemd"). Records without a PCR are of other
// registers and passed over, and so are digests of banks that have no name here.
// Errors are *LogError with eventlog.ErrTruncated or eventlog.ErrFormat; what was
// read up to there is returned beside it.
func ParseSystemd(b []byte) (UserLog, error) {
	l := UserLog{By: Systemd}
	for offset := 0; offset < len(b); {
		rest := b[offset:]
		bad := func(err error) (UserLog, error) { return l, &LogError{Systemd, offset, err} }
		if rest[0] != recordStart {
			return bad(fmt.Errorf("%w: no record begins here", eventlog.ErrFormat))
		}
		end := bytes.IndexByte(rest[1:], recordStart) + 1
		if end == 0 {
			end = len(rest)
		}
		if rest[end-1] != '\n' {
			return bad(fmt.Errorf("%w: a record without its end", eventlog.ErrTruncated))
		}
		m, err := parseRecord(rest[1:end])
		if err != nil {
			return bad(err)
		}
		if m != nil {
			l.events = append(l.events, *m)
		}
		offset += end
	}
	return l, nil
}

// parseRecord is nil for a record of another register.
func parseRecord(text []byte) (*measurement, error) {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", eventlog.ErrFormat, err)
	}
	if r.PCR == nil {
		return nil, nil
	}
	m := &measurement{pcr: *r.PCR}
	if m.pcr >= eventlog.Registers {
		return nil, fmt.Errorf("%w: PCR %d", eventlog.ErrFormat, m.pcr)
	}
	for _, d := range r.Digests {
		a, err := eventlog.ParseAlgorithm(d.Algorithm)
		if err != nil {
			continue
		}
		sum, err := hex.DecodeString(d.Sum)
		if err != nil || len(sum) != a.Size() {
			return nil, fmt.Errorf("%w: %q is no digest of %v", eventlog.ErrFormat, d.Sum, a)
		}
		if m.digest(a, hashed) != nil {
			return nil, fmt.Errorf("%w: two digests of %v", eventlog.ErrFormat, a)
		}
		m.digests = append(m.digests, eventlog.Digest{Algorithm: a, Sum: sum})
	}
	return m, nil
}
