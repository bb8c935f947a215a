// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Call is one call of a service by the guest. It is good until the service's
// function returns.
type Call struct {
	m      *Machine
	gate   *gate
	raw    []uint64
	result uint64
	raised bool // result holds something other than the status
	again  bool // the guest was left at the gate and comes back: see errRetry
	note   string

	event *TraceEvent // nil without a trace
	outs  []tracedOut
	store [maxArgs]uint64
}

// Machine is the machine that the guest runs on.
func (c *Call) Machine() *Machine { return c.m }

// Memory is the guest's memory.
func (c *Call) Memory() *mem.Memory { return c.m.mem }

// Context is that of Boot.
func (c *Call) Context() context.Context { return c.m.ctx }

// Return makes the service return v, for the few that do not return a status.
// It has no effect if the function returns an error.
func (c *Call) Return(v uint64) { c.result, c.raised = v, true }

// Notef adds to what the trace says of this call.
func (c *Call) Notef(format string, args ...any) {
	if c.m.trace != nil {
		if c.note != "" {
			c.note += "; "
		}
		c.note += fmt.Sprintf(format, args...)
	}
}

// Pair is a protocol and its interface in a list of them.
type Pair struct {
	GUID      efi.GUID
	Interface efi.Addr
}

const maxPairs = 64

// Pairs reads the variable arguments of a FuncV service: pairs of a pointer to
// a GUID and an interface, until a NULL. More than 64 are InvalidParameter.
func (c *Call) Pairs() ([]Pair, error) {
	var pairs []Pair
	for i := 1; ; i += 2 {
		p, err := c.m.abi.Arg(c.m.mem, &c.m.regs, i)
		if err != nil || p == 0 {
			return pairs, err
		}
		guid, err := mem.Load(c.m.mem, efi.Ptr[efi.GUID](p))
		if err != nil {
			return pairs, err
		}
		iface, err := c.m.abi.Arg(c.m.mem, &c.m.regs, i+1)
		if err != nil {
			return pairs, err
		}
		if len(pairs) == maxPairs {
			return pairs, fmt.Errorf("more than %d protocols: %w", maxPairs, efi.InvalidParameter)
		}
		pairs = append(pairs, Pair{guid, efi.Addr(iface)})
	}
}

// This finds the Go value behind the interface structure at p, as Interface.Value
// gave it to Install. Anything else there is InvalidParameter.
func This[T any](c *Call, p efi.Addr) (T, error) {
	v, ok := c.m.instances[p].(T)
	if !ok {
		return v, fmt.Errorf("%v is no %s interface: %w", p, c.gate.table, efi.InvalidParameter)
	}
	return v, nil
}

// StatusOf is the one table that turns a service's error into what the guest
// sees: nil is Success, an efi.Status in the chain is itself, a bad guest
// pointer is InvalidParameter, the errors of io/fs are their nearest status, and
// what is left is DeviceError.
func StatusOf(err error) efi.Status {
	if err == nil {
		return efi.Success
	}
	var status efi.Status
	if errors.As(err, &status) {
		return status
	}
	for _, row := range []struct {
		is     error
		status efi.Status
	}{
		{efi.InvalidParameter, efi.InvalidParameter}, // *mem.FaultError
		{fs.ErrNotExist, efi.NotFound},
		{fs.ErrPermission, efi.AccessDenied},
		{fs.ErrExist, efi.AccessDenied},
		{fs.ErrInvalid, efi.InvalidParameter},
		{fs.ErrClosed, efi.InvalidParameter},
		{errors.ErrUnsupported, efi.Unsupported},
	} {
		if errors.Is(err, row.is) {
			return row.status
		}
	}
	return efi.DeviceError
}
