// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"github.com/uefiexec/uefiexec/efi"
)

// TraceKind says what a TraceEvent tells of.
type TraceKind uint8

// The kinds of events. Every TraceEnter is followed by one TraceLeave at the same
// depth, unless the boot ends inside.
const (
	TraceCall      TraceKind = iota // a service was called and has returned
	TraceEnter                      // StartImage enters an image, what follows is deeper
	TraceLeave                      // the image is left: Status
	TraceExit                       // Exit or ResetSystem, which do not return
	TraceNotify                     // a notification function is entered
	TraceImage                      // an image was loaded
	TraceFault                      // the guest did what its processor cannot do
	TraceGuestCall                  // a service calls a function of the guest's
)

// TraceEvent is one thing that happened between guest and machine. It is good
// until the function it is given to returns.
type TraceEvent struct {
	Kind  TraceKind
	Depth int      // images and notifications inside each other
	From  Location // where the service was called from

	Protocol string
	Service  string
	Support  Support
	Args     []TraceArg
	// Status is the service's result; HasResult says that it returned Result
	// instead.
	Status    efi.Status
	HasResult bool
	Result    uint64
	Note      string // why, in words

	Image string // TraceEnter, TraceLeave, TraceImage
	Range efi.Range
	Fault *FaultError
}

// TraceArg is one argument, as text. In is what it was when the service was
// called, Out what it was when it returned; either may be "".
type TraceArg struct {
	Name string
	In   string
	Out  string
}

// traceBefore notes the arguments as they are before the call.
func (m *Machine) traceBefore(c *Call) {
	if m.trace == nil {
		return
	}
	c.event = &TraceEvent{
		Kind: TraceCall, Depth: m.depth(), From: m.caller(),
		Protocol: c.gate.table, Service: c.gate.service.Name, Support: c.gate.service.Support,
	}
	for i, v := range c.gate.service.args(c) {
		arg := TraceArg{}
		if i < len(c.gate.service.Params) {
			arg.Name = c.gate.service.Params[i]
		}
		out := false
		if arg.Name != "" {
			switch arg.Name[0] {
			case '*':
				arg.Name, out = arg.Name[1:], true
			case '&':
				arg.Name, out = arg.Name[1:], true
				arg.In = m.pointee(v)
			}
		}
		if !out {
			arg.In = m.text(v)
		} else {
			c.outs = append(c.outs, tracedOut{i, v})
		}
		c.event.Args = append(c.event.Args, arg)
	}
}

// tracedOut is an argument to be looked at after the call.
type tracedOut struct {
	index int
	value any
}

// traceAfter tells of a call that is done.
func (m *Machine) traceAfter(c *Call, status efi.Status, err error) {
	if c.event == nil {
		return
	}
	e := c.event
	for _, out := range c.outs {
		arg, null := &e.Args[out.index], isNull(out.value)
		switch {
		case !null && (!status.IsError() || status == efi.BufferTooSmall):
			arg.Out = m.pointee(out.value)
		case arg.In == "":
			arg.In = m.text(out.value)
		}
	}
	e.Status, e.Note = status, c.note
	if err == nil && c.raised {
		e.HasResult, e.Result = true, c.result
	}
	if err != nil && e.Note == "" {
		e.Note = reason(err, status)
	}
	if e.Note == "" && e.Support == Absent {
		e.Note = "not served: " + c.gate.service.Note
	}
	m.trace(e)
}

// reason is what an error says beyond its status.
func reason(err error, status efi.Status) string {
	if err == error(status) {
		return ""
	}
	text, tail := err.Error(), ": "+status.Error()
	if len(text) > len(tail) && text[len(text)-len(tail):] == tail {
		text = text[:len(text)-len(tail)]
	}
	return text
}

// traceEnter tells that StartImage goes into an image.
func (m *Machine) traceEnter(c *Call, image *Image) {
	if c.event != nil {
		for _, out := range c.outs {
			c.event.Args[out.index].In = m.text(out.value)
		}
		c.event.Kind, c.event.Image = TraceEnter, image.name
		m.trace(c.event)
	}
}

// traceLeave tells that an image has come to its end.
func (m *Machine) traceLeave(image *Image, status efi.Status) {
	if m.trace != nil {
		m.trace(&TraceEvent{Kind: TraceLeave, Depth: m.depth(), Image: image.name, Status: status})
	}
}

// traceExit tells of a service that does not return.
func (m *Machine) traceExit(c *Call) {
	if c.event != nil {
		c.event.Kind, c.event.Note = TraceExit, c.note
		m.trace(c.event)
	}
}

func (m *Machine) traceNotify(e *event) {
	if m.trace != nil {
		m.trace(&TraceEvent{
			Kind: TraceNotify, Depth: m.depth() - 1, From: m.locate(e.notify),
			Args: []TraceArg{{Name: "event", In: eventText(e.id)}, {Name: "TPL", In: e.tpl.String()}},
		})
	}
}

// traceGuestCall tells of a function that a service calls.
func (m *Machine) traceGuestCall(fn efi.Addr, args []uint64) {
	if m.trace != nil {
		e := &TraceEvent{Kind: TraceGuestCall, Depth: m.depth() - 1, From: m.locate(fn)}
		for _, a := range args {
			e.Args = append(e.Args, TraceArg{In: m.wordText(a)})
		}
		m.trace(e)
	}
}

func (m *Machine) traceImage(image *Image) {
	if m.trace != nil {
		m.trace(&TraceEvent{Kind: TraceImage, Depth: m.depth(), Image: image.name, Range: image.mapped})
	}
}

func (m *Machine) traceFault(fault *FaultError) {
	if m.trace != nil {
		m.trace(&TraceEvent{Kind: TraceFault, Depth: m.depth(), From: fault.Where, Fault: fault})
	}
}

// depth is how many frames are around what happens now: the first image's
// services are at 0.
func (m *Machine) depth() int { return max(len(m.frames)-1, 0) }

// text is a value as a person reads it.
func (m *Machine) text(v any) string { return traceText(m, v) }
