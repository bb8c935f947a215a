// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// The driver model (§7.3.12, §7.3.13, §11.1). Drivers are the guest's: there is
// none of the machine's own.

// driverBinding is an EFI_DRIVER_BINDING_PROTOCOL.
type driverBinding struct {
	Supported           efi.Addr
	Start               efi.Addr
	Stop                efi.Addr
	Version             uint32
	_                   uint32
	ImageHandle         efi.Handle
	DriverBindingHandle efi.Handle
}

// driver is a driver binding and where it lies.
type driver struct {
	driverBinding
	at efi.Addr
}

// drivers lists the driver bindings: those of the images in the list, in its
// order, before all others, and of these the highest version first (§7.3.12).
func (m *Machine) drivers(first []efi.Handle) []driver {
	var found []driver
	guid := efi.DriverBindingProtocolGUID
	for _, h := range m.handles.with(&guid) {
		at := h.find(guid).at
		if binding, err := mem.Load(m.mem, efi.Ptr[driverBinding](at)); err == nil {
			found = append(found, driver{binding, at})
		}
	}
	rank := func(d driver) int {
		for i, h := range first {
			if h == d.ImageHandle || h == d.DriverBindingHandle {
				return i
			}
		}
		return len(first)
	}
	slices.SortStableFunc(found, func(a, b driver) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Version, a.Version))
	})
	return found
}

// callStatus calls a function of the guest's whose result is a status. A status
// that is an error is returned as it is; any other error ends the boot.
func (c *Call) callStatus(fn efi.Addr, args ...uint64) error {
	result, err := c.CallGuest(fn, args...)
	if err != nil {
		return err
	}
	if status := efi.Status(result); status.IsError() {
		return status
	}
	return nil
}

// isStatus tells the guest's refusals from what ends the boot.
func isStatus(err error) bool {
	var status efi.Status
	var end stop
	return errors.As(err, &status) && !errors.As(err, &end)
}

// connectController starts the drivers that support the controller, those of the
// images in the list first, until none does any more, and then looks at its
// children.
func connectController(c *Call, controller efi.Handle, images efi.Ptr[efi.Handle], remaining efi.Ptr[efi.DevicePath], recursive efi.Boolean) error {
	if _, err := c.m.handles.get(controller); err != nil {
		return err
	}
	first, err := c.imageList(images)
	if err != nil {
		return err
	}
	return c.connect(controller, first, uint64(remaining), recursive.Bool())
}

// imageList reads a list of handles that ends with NULL.
func (c *Call) imageList(at efi.Ptr[efi.Handle]) ([]efi.Handle, error) {
	var list []efi.Handle
	for ; at != 0 && len(list) < maxPairs; at += 8 {
		h, err := mem.Load(c.m.mem, at)
		if err != nil || h == 0 {
			return list, err
		}
		list = append(list, h)
	}
	return list, nil
}

// connect does it for a controller and, if recursive, for what descends from it,
// each once: a guest can make controllers that are each other's children.
func (c *Call) connect(controller efi.Handle, first []efi.Handle, remaining uint64, recursive bool) error {
	result := c.connectOne(controller, first, remaining)
	if !recursive || result != nil && !isStatus(result) {
		return result
	}
	seen := map[efi.Handle]bool{controller: true}
	todo := c.m.children(controller)
	for len(todo) > 0 {
		child := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[child] {
			continue
		}
		seen[child] = true
		if err := c.connectOne(child, first, 0); err != nil && !isStatus(err) {
			return err
		}
		todo = append(todo, c.m.children(child)...)
	}
	return result
}

func (c *Call) connectOne(controller efi.Handle, first []efi.Handle, remaining uint64) error {
	tried, connected := map[efi.Addr]bool{}, false
	for again := true; again; {
		again = false
		for _, d := range c.m.drivers(first) {
			if tried[d.at] {
				continue
			}
			err := c.callStatus(d.Supported, uint64(d.at), uint64(controller), remaining)
			if err == nil {
				tried[d.at] = true
				if err = c.callStatus(d.Start, uint64(d.at), uint64(controller), remaining); err == nil {
					again, connected = true, true
				}
			}
			if err != nil && !isStatus(err) {
				return err
			}
		}
	}
	if !connected {
		return fmt.Errorf("no driver for it: %w", efi.NotFound)
	}
	return nil
}

// children are the handles that drivers have made of a controller, the last one
// first.
func (m *Machine) children(controller efi.Handle) []efi.Handle {
	var list []efi.Handle
	if h := m.handles.byID[controller]; h != nil {
		seen := map[efi.Handle]bool{}
		for _, p := range h.protocols {
			for _, o := range p.opens {
				if o.Attributes&efi.OpenProtocolByChildController != 0 && !seen[o.ControllerHandle] {
					seen[o.ControllerHandle] = true
					list = append(list, o.ControllerHandle)
				}
			}
		}
	}
	slices.Reverse(list)
	return list
}

// disconnectController stops the driver that is named, or all of them, on a
// controller; it succeeds when none is left to stop.
func disconnectController(c *Call, controller, agent, child efi.Handle) error {
	h, err := c.m.handles.get(controller)
	if err != nil {
		return err
	}
	for _, other := range []efi.Handle{agent, child} {
		if other != 0 {
			if _, err := c.m.handles.get(other); err != nil {
				return err
			}
		}
	}
	return c.disconnect(h, agent, child)
}

func (c *Call) disconnect(h *handle, agent, child efi.Handle) error {
	var agents []efi.Handle
	for _, p := range h.protocols {
		for _, o := range p.opens {
			if o.Attributes&efi.OpenProtocolByDriver != 0 && (agent == 0 || agent == o.AgentHandle) && !slices.Contains(agents, o.AgentHandle) {
				agents = append(agents, o.AgentHandle)
			}
		}
	}
	for _, a := range agents {
		for _, d := range c.m.drivers(nil) {
			if d.DriverBindingHandle != a {
				continue
			}
			if err := c.stopDriver(d, h, child); err != nil {
				return err
			}
		}
	}
	return nil
}

// stopDriver stops a driver on a controller: for its children, or for the one
// that is named, first, and then for itself unless children of others are left.
func (c *Call) stopDriver(d driver, h *handle, child efi.Handle) error {
	var mine []efi.Handle
	for _, p := range h.protocols {
		for _, o := range p.opens {
			if o.AgentHandle == d.DriverBindingHandle && o.Attributes&efi.OpenProtocolByChildController != 0 && !slices.Contains(mine, o.ControllerHandle) {
				mine = append(mine, o.ControllerHandle)
			}
		}
	}
	some := mine
	if child != 0 {
		if some = nil; slices.Contains(mine, child) {
			some = []efi.Handle{child}
		}
		if len(some) == 0 {
			return nil
		}
	}
	if len(some) > 0 {
		at, err := c.m.allocate(efi.BootServicesData, handleBytes(some))
		if err != nil {
			return err
		}
		err = c.callStatus(d.Stop, uint64(d.at), uint64(h.id), uint64(len(some)), uint64(at))
		_ = c.m.pool.Free(at) // the guest may have freed it
		if err != nil {
			return stopError(err)
		}
	}
	if len(some) == len(mine) {
		return stopError(c.callStatus(d.Stop, uint64(d.at), uint64(h.id), 0, 0))
	}
	return nil
}

// stopError is what DisconnectController makes of a driver's refusal.
func stopError(err error) error {
	if err != nil && isStatus(err) {
		return fmt.Errorf("the driver does not stop: %v: %w", err, efi.DeviceError)
	}
	return err
}

// freeFromDrivers stops the drivers that have a protocol open, and forgets those
// who only look at it. AccessDenied: a driver or an exclusive user stays; the
// drivers that did stop are started again.
func (c *Call) freeFromDrivers(h *handle, p *installed) error {
	for _, o := range slices.Clone(p.opens) {
		if o.Attributes&efi.OpenProtocolByDriver == 0 {
			continue
		}
		if err := c.disconnect(h, o.AgentHandle, 0); err != nil && !isStatus(err) {
			return err
		}
	}
	if p.heldExclusively() {
		if err := c.connect(h.id, nil, 0, true); err != nil && !isStatus(err) {
			return err
		}
		return fmt.Errorf("%s is in use: %w", guidName(p.guid), efi.AccessDenied)
	}
	return nil
}
