// SPDX-License-Identifier: BSD-3-Clause

package emu

import "github.com/uefiexec/uefiexec/emu/cpu"

// Protocol is the name of the table that the service stands in, such as
// "BootServices" or "SimpleFileSystem".
func (c *Call) Protocol() string { return c.gate.table }

// Service is the service's name, such as "AllocatePages".
func (c *Call) Service() string { return c.gate.service.Name }

// Arg is the service's i-th argument, counted from 0, as it was passed: all 64
// bits. There is none beyond those that the service has: they are 0.
func (c *Call) Arg(i int) uint64 {
	if i < 0 || i >= len(c.raw) {
		return 0
	}
	return c.raw[i]
}

// Caller is where the service was called from.
func (c *Call) Caller() Location { return c.m.caller() }

// Regs are the guest's registers as the service was called.
func (c *Call) Regs() cpu.Regs { return c.m.regs }

// intercept asks Config.Intercept about a call, once: a service that leaves the
// guest at its gate, for notifications to run or time to pass, comes here again.
func (m *Machine) intercept(c *Call) error {
	c.again, m.top().waiting = m.top().waiting, false
	if m.cfg.Intercept == nil || c.again {
		return nil
	}
	err := m.cfg.Intercept(c)
	if err == nil {
		return nil
	}
	if text := reason(err, StatusOf(err)); text != "" {
		c.Notef("injected: %s", text)
	} else {
		c.Notef("injected")
	}
	return err
}
