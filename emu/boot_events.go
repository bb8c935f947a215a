// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Event, timer and task priority services (§7.1).

// raiseTPL returns the old priority, which is no status. Lowering is the
// caller's mistake, which the specification leaves undefined; it has no effect.
func raiseTPL(c *Call, tpl efi.TPL) error {
	es := &c.m.events
	c.Return(uint64(es.tpl))
	if tpl < es.tpl || tpl > efi.TPLHighLevel {
		c.Notef("from %v to %v: ignored", es.tpl, tpl)
		return nil
	}
	es.tpl = tpl
	return nil
}

// restoreTPL returns nothing; what the lower priority lets through is delivered
// behind it.
func restoreTPL(c *Call, tpl efi.TPL) error {
	es := &c.m.events
	if tpl > es.tpl {
		c.Notef("from %v to %v: ignored", es.tpl, tpl)
		return nil
	}
	es.tpl = tpl
	return nil
}

func createEvent(c *Call, t efi.EventType, tpl efi.TPL, notify, context efi.Addr, out efi.Ptr[efi.Event]) error {
	var group efi.GUID
	switch t {
	case efi.EventSignalExitBootServices:
		group = efi.EventGroupExitBootServicesGUID
	case efi.EventSignalVirtualAddressChange:
		group = efi.EventGroupVirtualAddressChangeGUID
	}
	return newGuestEvent(c, t, tpl, notify, context, group, out)
}

func createEventEx(c *Call, t efi.EventType, tpl efi.TPL, notify, context efi.Addr, groupAt efi.Ptr[efi.GUID], out efi.Ptr[efi.Event]) error {
	if groupAt == 0 {
		return createEvent(c, t, tpl, notify, context, out)
	}
	if t == efi.EventSignalExitBootServices || t == efi.EventSignalVirtualAddressChange {
		return fmt.Errorf("%v with a group: %w", t, efi.InvalidParameter)
	}
	group, err := mem.Load(c.m.mem, groupAt)
	if err != nil {
		return err
	}
	return newGuestEvent(c, t, tpl, notify, context, group, out)
}

var eventTypes = []efi.EventType{
	0, efi.EventTimer, efi.EventNotifyWait, efi.EventNotifySignal, efi.EventRuntime,
	efi.EventTimer | efi.EventNotifyWait, efi.EventTimer | efi.EventNotifySignal,
	efi.EventRuntime | efi.EventNotifySignal, efi.EventRuntime | efi.EventNotifyWait,
	efi.EventSignalExitBootServices, efi.EventSignalVirtualAddressChange,
}

func newGuestEvent(c *Call, t efi.EventType, tpl efi.TPL, notify, context efi.Addr, group efi.GUID, out efi.Ptr[efi.Event]) error {
	notified := t&(efi.EventNotifySignal|efi.EventNotifyWait) != 0
	switch {
	case !slices.Contains(eventTypes, t):
		return fmt.Errorf("type %v: %w", t, efi.InvalidParameter)
	case notified && (notify == 0 || tpl <= efi.TPLApplication || tpl >= efi.TPLHighLevel):
		return fmt.Errorf("notification without a function or at priority %v: %w", tpl, efi.InvalidParameter)
	case !notified:
		notify, context = 0, 0
	}
	e := &event{typ: t, tpl: tpl, notify: notify, context: context, group: group}
	if err := c.m.events.add(e, c.m.limits.Handles); err != nil {
		return err
	}
	if err := mem.Store(c.m.mem, out, e.id); err != nil {
		c.m.events.remove(e)
		return err
	}
	return nil
}

// maxTrigger keeps a trigger time within what a time.Duration holds.
const maxTrigger = uint64(1<<63-1) / 100

func setTimer(c *Call, id efi.Event, how efi.TimerDelay, trigger uint64) error {
	es := &c.m.events
	e, err := es.get(id)
	if err != nil {
		return err
	}
	d := time.Duration(min(trigger, maxTrigger)) * 100
	switch {
	case e.typ&efi.EventTimer == 0:
		return fmt.Errorf("%v is no timer: %w", id, efi.InvalidParameter)
	case how == efi.TimerCancel:
		es.disarm(e)
	case how == efi.TimerRelative:
		es.arm(e, c.m.clock.Now().Add(d), 0)
		c.Notef("in %v", d)
	case how == efi.TimerPeriodic:
		d = max(d, timerTick)
		es.arm(e, c.m.clock.Now().Add(d), d)
		c.Notef("every %v", d)
	default:
		return efi.InvalidParameter
	}
	return nil
}

// timerTick is the shortest period, that of the timer interrupt: a period of 0
// asks for it (§7.1.7).
const timerTick = 10 * time.Millisecond

func signalEvent(c *Call, id efi.Event) error { return c.m.Signal(id) }

func closeEvent(c *Call, id efi.Event) error {
	e, err := c.m.events.get(id)
	if err != nil {
		return err
	}
	if e.poll != nil {
		return fmt.Errorf("%v belongs to a protocol: %w", id, efi.InvalidParameter)
	}
	c.m.events.remove(e)
	return nil
}

func checkEvent(c *Call, id efi.Event) error {
	e, err := c.m.events.get(id)
	if err != nil {
		return err
	}
	if e.typ&efi.EventNotifySignal != 0 {
		return fmt.Errorf("%v notifies when it is signalled: %w", id, efi.InvalidParameter)
	}
	_, err = c.m.check(e)
	return err
}

// check is CheckEvent for one event: nil and cleared, NotReady, or errRetry
// after it has queued the notification that may signal it. Alive says whether
// it can be signalled from outside.
func (m *Machine) check(e *event) (alive bool, err error) {
	m.events.tick(m.clock.Now())
	if e.poll != nil {
		switch e.poll() {
		case Ready:
			e.signalled = true
		case NotYet:
			alive = true
		}
	}
	switch {
	case e.signalled:
		e.signalled, e.polled = false, false
		return alive, nil
	case e.typ&efi.EventNotifyWait != 0 && e.notify != 0 && e.tpl > m.events.tpl && !e.polled:
		e.polled = true
		m.events.enqueue(e)
		return alive, errRetry
	}
	e.polled = false
	return alive, efi.NotReady
}

const maxWait = 4096

// waitForEvent leaves the guest at the gate until one of the events is
// signalled: each time round, the notifications that wait are delivered first,
// and only then time is let pass.
func waitForEvent(c *Call, n uint64, list efi.Addr, index efi.Ptr[uint64]) error {
	m := c.m
	switch {
	case n == 0 || n > maxWait || index == 0:
		return efi.InvalidParameter
	case m.events.tpl != efi.TPLApplication:
		return fmt.Errorf("at priority %v: %w", m.events.tpl, efi.Unsupported)
	}
	polled, asks, alive := false, false, len(m.events.timed) > 0
	for i := range n {
		id, err := mem.Load(m.mem, efi.Ptr[efi.Event](list)+efi.Ptr[efi.Event](8*i))
		if err != nil {
			return err
		}
		e, err := m.events.get(id)
		if err == nil && e.typ&efi.EventNotifySignal != 0 {
			err = fmt.Errorf("%v notifies when it is signalled: %w", id, efi.InvalidParameter)
		}
		if err != nil {
			if serr := mem.Store(m.mem, index, i); serr != nil {
				return serr
			}
			return err
		}
		outside, err := m.check(e)
		alive = alive || outside
		asks = asks || e.typ&efi.EventNotifyWait != 0 && e.notify != 0
		switch {
		case err == nil:
			return mem.Store(m.mem, index, i)
		case errors.Is(err, errRetry):
			polled = true
		}
	}
	if polled || len(m.events.queue) > 0 {
		return errRetry
	}
	var err error
	switch {
	case asks: // a function of the guest's says when: it is asked every tick
		err = m.pause(timerTick)
	case alive:
		err = m.idle()
	default:
		err = m.limit("waits for ever", "no timer and no input")
	}
	if err != nil {
		return err
	}
	return errRetry
}

// idle lets time pass until the next timer or until Wake. Without a timer no
// time passes for the guest, only for the host.
func (m *Machine) idle() error {
	if next, any := m.events.nextDeadline(); any {
		if d := next.Sub(m.clock.Now()); d > 0 {
			m.clock.Sleep(m.ctx, d, m.wake)
		}
	} else {
		select {
		case <-m.wake:
		case <-m.ctx.Done():
		}
	}
	if err := m.checkTime(); err != nil {
		return err
	}
	return m.checkWatchdog()
}
