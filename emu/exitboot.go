// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// exitStage is how far ExitBootServices has come. The notifications it sends are
// guest code, so the guest is left at the gate while they run.
type exitStage uint8

const (
	exitNone exitStage = iota
	exitAnnounced
	exitNotified
	exitTerminated
)

// exitBootServices follows EDK2's CoreExitBootServices: those who asked to be
// told before are told once, then the key is looked at, then all others are
// told, and nothing that they do to the memory map counts any more. Whose the handle
// is does not matter: loaders that load a kernel by themselves make one for it.
func exitBootServices(c *Call, handle efi.Handle, key uint64) error {
	m := c.m
	if m.exiting == exitNone {
		m.exiting = exitAnnounced
		m.events.signalGroup(efi.EventGroupBeforeExitBootServicesGUID)
		if m.events.pending() {
			return errRetry
		}
	}
	if m.exiting == exitNotified && !c.again {
		m.exiting = exitAnnounced // the call that sent them was left by Exit, or this one comes from one of them
	}
	if m.exiting == exitAnnounced {
		if key != m.mmap.Key() {
			err := fmt.Errorf("the memory map has changed: its key is %d: %w", m.mmap.Key(), efi.InvalidParameter)
			return errors.Join(err, m.measureExit(false))
		}
		if err := m.measureExit(true); err != nil {
			return err
		}
		m.exiting = exitNotified
		m.events.timed = nil
		m.events.signalGroup(efi.EventGroupExitBootServicesGUID)
		if m.events.pending() {
			return errRetry
		}
	}
	m.exiting = exitTerminated
	m.exitedBy = handle
	return errFrozen
}

// measureExit has ExitBootServices measured where Tcg2Dxe does: by the first of
// those who are told of it, and so only when the key has been looked at.
func (m *Machine) measureExit(succeeds bool) error {
	if m.cfg.Measurer == nil {
		return nil
	}
	return m.cfg.Measurer.MeasureExit(succeeds)
}

// pending reports whether a notification would run now.
func (es *events) pending() bool { return len(es.queue) > 0 && es.queue[0].tpl > es.tpl }

// freeze makes of the machine what ExitBootServices leaves behind and the guest
// finds when that returns (§7.4.6).
func (m *Machine) freeze() (*Handoff, error) {
	// The guest's protections end with its page tables; they hide nothing from
	// the handoff.
	for _, ram := range m.mem.Ranges() {
		if err := m.mem.Protect(ram, mem.ReadWriteExec); err != nil {
			return nil, fmt.Errorf("emu: freeze: %w", err)
		}
	}
	err := m.editSystemTable(func(st *efi.SystemTable) {
		st.ConsoleInHandle, st.ConIn = 0, 0
		st.ConsoleOutHandle, st.ConOut = 0, 0
		st.StandardErrorHandle, st.StdErr = 0, 0
		st.BootServices = 0
	})
	if err != nil {
		return nil, fmt.Errorf("emu: freeze: %w", err)
	}
	if err := m.settleRuntime(); err != nil {
		return nil, fmt.Errorf("emu: freeze: %w", err)
	}
	if err := m.abi.Return(m.mem, &m.regs, uint64(efi.Success)); err != nil {
		return nil, fmt.Errorf("emu: freeze: %w", err)
	}
	return m.handoff()
}

func leUint64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
