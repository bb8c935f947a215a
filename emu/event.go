// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"fmt"
	"slices"
	"time"

	"github.com/uefiexec/uefiexec/efi"
)

// eventBase is the first event, far from handles and from memory.
const eventBase = 0x2_0000_0000_0000

// Readiness is what a source of events that lies outside of the guest says.
type Readiness uint8

// The states of a source: nothing yet, something is there, nothing will come
// any more.
const (
	NotYet Readiness = iota
	Ready
	Never
)

// event is an EFI_EVENT (§7.1).
type event struct {
	id      efi.Event
	typ     efi.EventType
	tpl     efi.TPL
	notify  efi.Addr
	context efi.Addr
	group   efi.GUID
	poll    func() Readiness // host events: asked when the guest looks

	signalled bool
	queued    bool
	polled    bool // CheckEvent has run the notify function and looks again
	deadline  time.Time
	period    time.Duration
}

// events is the events, the notifications that wait, and the task priority.
type events struct {
	byID          map[efi.Event]*event
	order         []*event // as created
	next          efi.Event
	tpl           efi.TPL
	queue         []*event  // by falling priority, then as they came
	timed         []*event  // armed timers
	soonest       time.Time // no timer runs out before; earlier than all if it is not known
	watch         []protocolWatch
	registrations int
}

// protocolWatch is a registration of RegisterProtocolNotify.
type protocolWatch struct {
	key   efi.Addr
	guid  efi.GUID
	event *event
	shown uint64 // the last installation that LocateHandle has shown
}

// watchOf finds a registration by its key.
func (es *events) watchOf(key efi.Addr) *protocolWatch {
	for i := range es.watch {
		if es.watch[i].key == key {
			return &es.watch[i]
		}
	}
	return nil
}

func (es *events) get(id efi.Event) (*event, error) {
	if e, ok := es.byID[id]; ok {
		return e, nil
	}
	return nil, fmt.Errorf("%s is no event: %w", eventText(id), efi.InvalidParameter)
}

func (es *events) add(e *event, limit int) error {
	if len(es.order) >= limit {
		return fmt.Errorf("%d events: %w", len(es.order), efi.OutOfResources)
	}
	if es.byID == nil {
		es.byID, es.next = map[efi.Event]*event{}, eventBase
	}
	e.id = es.next
	es.next += 8
	es.byID[e.id] = e
	es.order = append(es.order, e)
	return nil
}

func (es *events) remove(e *event) {
	is := func(o *event) bool { return o == e }
	delete(es.byID, e.id)
	es.order = slices.DeleteFunc(es.order, is)
	es.queue = slices.DeleteFunc(es.queue, is)
	es.timed = slices.DeleteFunc(es.timed, is)
	es.watch = slices.DeleteFunc(es.watch, func(w protocolWatch) bool { return w.event == e })
}

// signal sets an event, and with it the others of its group; the notify
// functions of those that have one wait in the queue.
func (es *events) signal(e *event) {
	if e.signalled {
		return
	}
	e.signalled = true
	if e.group != (efi.GUID{}) {
		es.signalGroup(e.group)
	} else if e.typ&efi.EventNotifySignal != 0 {
		es.enqueue(e)
	}
}

// signalGroup signals every event of a group.
func (es *events) signalGroup(group efi.GUID) {
	for _, e := range es.order {
		if e.group == group {
			e.signalled = true
			if e.typ&efi.EventNotifySignal != 0 {
				es.enqueue(e)
			}
		}
	}
}

func (es *events) enqueue(e *event) {
	if e.queued || e.notify == 0 {
		return
	}
	e.queued = true
	at, _ := slices.BinarySearchFunc(es.queue, e.tpl, func(o *event, tpl efi.TPL) int {
		if o.tpl >= tpl {
			return -1
		}
		return 1
	})
	es.queue = slices.Insert(es.queue, at, e)
}

// due takes the next notification that is above the current priority.
func (es *events) due() *event {
	if len(es.queue) == 0 || es.queue[0].tpl <= es.tpl {
		return nil
	}
	e := es.queue[0]
	es.queue = es.queue[1:]
	e.queued = false
	if e.typ&efi.EventNotifySignal != 0 {
		e.signalled = false
	}
	return e
}

// tick signals the timers that have run out, earliest first.
func (es *events) tick(now time.Time) {
	if now.Before(es.soonest) {
		return
	}
	var due []*event
	for _, e := range es.timed {
		if !e.deadline.After(now) {
			due = append(due, e)
		}
	}
	slices.SortStableFunc(due, func(a, b *event) int { return a.deadline.Compare(b.deadline) })
	for _, e := range due {
		if e.period > 0 {
			e.deadline = e.deadline.Add(e.period)
			if !e.deadline.After(now) {
				e.deadline = now.Add(e.period)
			}
		}
		es.signal(e)
	}
	es.timed = slices.DeleteFunc(es.timed, func(e *event) bool { return !e.deadline.After(now) })
	es.soonest, _ = es.nextDeadline()
}

func (es *events) arm(e *event, deadline time.Time, period time.Duration) {
	if !slices.Contains(es.timed, e) {
		es.timed = append(es.timed, e)
	}
	e.deadline, e.period = deadline, period
	if deadline.Before(es.soonest) {
		es.soonest = deadline
	}
}

func (es *events) disarm(e *event) {
	es.timed = slices.DeleteFunc(es.timed, func(o *event) bool { return o == e })
}

// nextDeadline is when the next timer runs out.
func (es *events) nextDeadline() (time.Time, bool) {
	var next time.Time
	for _, e := range es.timed {
		if next.IsZero() || e.deadline.Before(next) {
			next = e.deadline
		}
	}
	return next, !next.IsZero()
}

// NewEvent makes an event of the host's that a protocol can hand to the guest,
// such as WaitForKey: it is signalled when poll says Ready. What makes it ready
// calls Wake.
func (m *Machine) NewEvent(poll func() Readiness) (efi.Event, error) {
	e := &event{typ: efi.EventNotifyWait, tpl: efi.TPLNotify, poll: poll}
	err := m.events.add(e, m.limits.Handles)
	return e.id, err
}

// Signal signals an event of the guest's, as SignalEvent does (§7.1.4), for
// services that complete one. InvalidParameter: it is none.
func (m *Machine) Signal(id efi.Event) error {
	e, err := m.events.get(id)
	if err != nil {
		return err
	}
	m.events.signal(e)
	return nil
}
