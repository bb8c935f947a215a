// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// ErrNotHandedOver says that IMA's list is not what the TPM holds, so that nothing
// can be told by it.
var ErrNotHandedOver = errors.New("tpm: IMA's list is not handed over")

// HandOver takes the list of IMA for the next kernel (kexec.Options.IMA), at the
// last moment, and replays it: each entry has the digest of what it says, and the
// TPM's PCRs hold the list, as far as it was then, on top of what the event log
// leads to. Log is nil where there is none; then PCRs began as zeros. Without a
// TPM, t is nil, and the digests alone are checked.
//
// There may be no list; then nil is returned. Errors are ErrNotHandedOver, a
// *LogError, or those of the file system and of Banks and Read.
func HandOver(root fs.FS, log *eventlog.Log, t transport.TPM) (*kexec.IMAList, error) {
	var pcrs eventlog.PCRs
	if t != nil {
		banks, err := Banks(t)
		if err != nil {
			return nil, err
		}
		if pcrs, err = Read(t, banks); err != nil {
			return nil, err
		}
	}
	raw, _, err := readBounded(root, imaPath) // after the TPM: what comes in between may stand here alone
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tpm: %w", err)
	}
	list, err := ParseIMA(raw)
	if err != nil {
		return nil, err
	}
	if list.Len() == 0 {
		return nil, nil
	}
	if err := list.check(log, pcrs); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotHandedOver, err)
	}
	return &kexec.IMAList{Entries: list.Len(), Bytes: raw}, nil
}

// check replays a list of IMA's.
func (l *UserLog) check(log *eventlog.Log, pcrs eventlog.PCRs) error {
	byPCR := map[uint32][]*measurement{}
	for i := range l.events {
		m := &l.events[i]
		violation := bytes.Equal(m.ima.sha1, make([]byte, sha1Size))
		if !violation && !bytes.Equal(m.ima.sha1, eventlog.SHA1.Sum(m.ima.data)) {
			return fmt.Errorf("entry %d has another digest than what it says", i)
		}
		byPCR[m.pcr] = append(byPCR[m.pcr], m)
	}
	if pcrs == nil {
		return nil
	}
	start := eventlog.Reset(pcrs.Banks()...)
	if log != nil {
		for a, values := range log.Replay() {
			if start[a] != nil {
				start[a] = values
			}
		}
	}
	for _, a := range pcrs.Banks() {
		if start[a] == nil || pcrs[a] == nil {
			return &BankError{a, "it cannot be computed here"}
		}
	}
	for _, pcr := range slices.Sorted(maps.Keys(byPCR)) {
		switch n, _ := reach(pcr, byPCR[pcr], start, pcrs); {
		case n < 0:
			return fmt.Errorf("it does not lead to PCR %d", pcr)
		case n == 0:
			return fmt.Errorf("PCR %d has none of it, as if IMA had not found the TPM", pcr)
		}
	}
	return nil
}
