// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// EventLogFile is where Linux shows the event log of the firmware that has booted
// this machine, from the root folder: with the final events, and nothing of what user space has
// extended.
const EventLogFile = "sys/kernel/security/tpm0/binary_bios_measurements"

// ErrNoEventLog says that a machine has no event log that a payload's could go on
// with.
var ErrNoEventLog = errors.New("kexec: no event log of a TPM 2.0")

// maxEventLog bounds an event log, in bytes.
const maxEventLog = 8 << 20

// logRoom is the room for what the running system and a payload add to the log, in
// bytes.
const logRoom = 1 << 20

// ReadEventLog reads the event log that the payload's is to go on with, and which
// the next kernel is to find. It is called before Config. ErrNoEventLog: there is
// none, as there is no TPM, or one of version 1.2, or firmware that keeps no log, or no
// securityfs. Any other error says that it cannot be read, or is no log.
func (h *Host) ReadEventLog(root fs.FS) error {
	file, err := root.Open(EventLogFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNoEventLog, err)
	}
	if err != nil {
		return fmt.Errorf("kexec: event log: %w", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxEventLog+1))
	if err != nil {
		return fmt.Errorf("kexec: event log: %w", err)
	}
	if len(raw) > maxEventLog {
		return fmt.Errorf("kexec: event log: over %d bytes", maxEventLog)
	}
	log, err := eventlog.Parse(raw)
	if err != nil {
		return fmt.Errorf("kexec: /%s: %w", EventLogFile, err)
	}
	if log.Legacy {
		return fmt.Errorf("%w: /%s is of a TPM 1.2", ErrNoEventLog, EventLogFile)
	}
	h.EventLog = log
	return nil
}

// reserveLog takes the room for the log that the next kernel finds.
func (h *Host) reserveLog(m *emu.Machine) error {
	size := logHeader + uint64(len(h.EventLog.Append(nil))) + logRoom
	if _, err := reserveData(m, size); err != nil {
		return fmt.Errorf("kexec: room for the event log: %w", err)
	}
	return nil
}

// reserveData takes memory that outlives the boot services, and that can be
// written to later as it holds data.
func reserveData(m *emu.Machine, size uint64) (efi.Range, error) {
	r, err := m.Reserve(efi.ACPIReclaimMemory, efi.Pages(size))
	if err != nil {
		return efi.Range{}, err
	}
	view, err := m.Memory().Edit(r.Start, r.Size())
	if err == nil {
		clear(view)
	}
	return r, err
}

// logHeader is the size of Linux's struct linux_efi_tpm_eventlog without the log:
// its size, what of the final events it has already, its format.
const (
	logHeader  = 9
	logFormat2 = 2 // EFI_TCG2_EVENT_LOG_FORMAT_TCG_2
)

// setLog puts a log into the place of the one that the payload's Linux stub has
// taken from its firmware, and leaves no final events, as all of them are in it.
// Other payloads look for none.
func setLog(handoff *emu.Handoff, log *eventlog.Log) error {
	if _, ok := handoff.ConfigurationTable(efi.LinuxTPMEventLogTableGUID); !ok {
		return nil
	}
	if len(handoff.Reserved) < 2 {
		return fmt.Errorf("kexec: event log: %w", errNoRoom)
	}
	room := handoff.Reserved[1]
	raw := log.Append(nil)
	if logHeader+uint64(len(raw)) > room.Size() {
		return fmt.Errorf("kexec: an event log of %d bytes does not fit into %v: run the image again, here", len(raw), room)
	}
	table := binary.LittleEndian.AppendUint32(nil, uint32(len(raw)))
	table = binary.LittleEndian.AppendUint32(table, 0)
	table = append(append(table, logFormat2), raw...)
	if err := handoff.Write(room.Start, table); err != nil {
		return fmt.Errorf("kexec: event log: %w", err)
	}
	if final, ok := handoff.ConfigurationTable(efi.TCG2FinalEventsTableGUID); ok {
		if err := handoff.Write(final, eventlog.AppendFinal(nil, nil)); err != nil {
			return fmt.Errorf("kexec: final events table: %w", err)
		}
	}
	if err := handoff.SetConfigurationTable(efi.LinuxTPMEventLogTableGUID, room.Start); err != nil {
		return fmt.Errorf("kexec: event log: %w", err)
	}
	return nil
}
