// SPDX-License-Identifier: BSD-3-Clause

package tcg2

import (
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// area is what of the log lies in the guest's memory: the log in both formats,
// and the final events table, which has what was logged since the payload has
// asked for the log.
type area struct {
	memory *mem.Memory // nil before Install
	agile  region
	legacy region
	final  region
	finals uint64 // events in the final events table
	asked  bool
}

// region is a log that grows, and where its last entry begins.
type region struct {
	at         efi.Addr
	size, used uint64
	last       efi.Addr
	truncated  bool
}

const (
	// logRoom is how much the payload can log, in bytes: EDK2's PcdTcgLogAreaMinLen.
	logRoom = 64 << 10
	// finalRoom is the size of the final events table: PcdTcg2FinalLogAreaLen.
	finalRoom = 32 << 10
)

// Install puts the protocol on a handle of its own, lays the log out in the
// guest's memory and installs the final events table (§7). It has to be called
// before Boot, for one machine.
func (t *TPM) Install(m *emu.Machine) error {
	a := &t.area
	a.memory = m.Memory()
	agile := t.log.Append(nil)
	for _, r := range []struct {
		*region
		size uint64
		typ  efi.MemoryType
	}{
		{&a.agile, uint64(len(agile)) + logRoom, efi.BootServicesData},
		{&a.legacy, uint64(len(agile)) + logRoom, efi.BootServicesData},
		{&a.final, finalRoom, efi.ACPIMemoryNVS},
	} {
		pages := efi.Pages(r.size)
		at, err := m.AllocatePages(r.typ, pages)
		if err != nil {
			return fmt.Errorf("tcg2: event log: %w", err)
		}
		*r.region = region{at: at, size: pages * efi.PageSize}
	}
	if err := a.agile.append(a.memory, t.log.AppendHeader(nil)); err != nil {
		return err
	}
	for i := range t.log.Events {
		if err := a.append(&t.log.Events[i]); err != nil {
			return fmt.Errorf("tcg2: event log: %w", err)
		}
	}
	if err := a.final.append(a.memory, eventlog.AppendFinal(nil, nil)); err != nil {
		return err
	}
	if err := m.InstallConfigurationTable(efi.TCG2FinalEventsTableGUID, a.final.at); err != nil {
		return fmt.Errorf("tcg2: final events table: %w", err)
	}
	_, err := m.Install(0, emu.Interface{Protocol: &protocol, Value: t})
	return err
}

// append logs an event; VolumeFull if there is no room for it.
func (a *area) append(e *eventlog.Event) error {
	if a.memory == nil {
		return nil
	}
	var legacy error
	if e.Digest(eventlog.SHA1) != nil {
		legacy = a.legacy.append(a.memory, e.AppendLegacy(nil))
	}
	raw := e.Append(nil)
	err := errors.Join(legacy, a.agile.append(a.memory, raw))
	if err != nil || !a.asked {
		return err
	}
	if err := a.final.append(a.memory, raw); err != nil {
		return err
	}
	a.finals++
	return mem.Store(a.memory, efi.Ptr[uint64](a.final.at+8), a.finals)
}

// append adds an entry. After the first that does not fit nothing more is logged.
func (r *region) append(m *mem.Memory, raw []byte) error {
	if r.truncated || uint64(len(raw)) > r.size-r.used {
		r.truncated = true
		return fmt.Errorf("the event log is full at %d bytes: %w", r.used, efi.VolumeFull)
	}
	at := r.at + efi.Addr(r.used)
	if err := m.Write(at, raw); err != nil {
		return err
	}
	r.last, r.used = at, r.used+uint64(len(raw))
	return nil
}
