// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// maxTraceString is how much of a string a trace shows, in characters.
const maxTraceString = 128

// traceText is an argument as a person reads it: names for GUIDs and handles,
// text for strings and device paths, and numbers for the rest.
func traceText(m *Machine, v any) string {
	switch v := v.(type) {
	case efi.Ptr[efi.GUID]:
		if guid, err := mem.Load(m.mem, v); err == nil && v != 0 {
			return guidName(guid)
		}
	case efi.GUID:
		return guidName(v)
	case Pair:
		return guidName(v.GUID) + ": " + m.addrText(v.Interface)
	case efi.Ptr[efi.Char16]:
		if utf16, err := m.mem.String16(efi.Addr(v), 4*maxTraceString); err == nil && v != 0 {
			return quote(utf16)
		}
	case efi.Ptr[efi.DevicePath]:
		if path, err := m.readDevicePath(efi.Addr(v)); err == nil && v != 0 {
			return path.String()
		}
	case efi.Handle:
		return m.describe(v)
	case efi.Event:
		return eventText(v)
	case efi.Addr:
		return m.addrText(v)
	case fmt.Stringer:
		if p, ok := v.(interface{ Addr() efi.Addr }); ok {
			return m.addrText(p.Addr())
		}
		return v.String()
	}
	if p, ok := v.(interface{ Addr() efi.Addr }); ok {
		return m.addrText(p.Addr())
	}
	return numberText(v)
}

func numberText(v any) string {
	text := fmt.Sprint(v)
	if n, err := strconv.ParseUint(text, 10, 64); err == nil && n > 0xffff {
		return fmt.Sprintf("%#x", n)
	}
	return text
}

// addrText names the image that an address lies in, if in one.
func (m *Machine) addrText(a efi.Addr) string {
	if a == 0 {
		return "NULL"
	}
	return m.locate(a).String()
}

func quote(utf16 []byte) string {
	if len(utf16) > 2*maxTraceString {
		return strconv.Quote(efi.DecodeString(utf16[:2*maxTraceString])) + "…"
	}
	return strconv.Quote(efi.DecodeString(utf16))
}

// pointee is what a pointer argument points at, as text.
func (m *Machine) pointee(v any) string {
	switch p := v.(type) {
	case efi.Ptr[efi.Char16]:
		return traceText(m, p)
	case efi.Ptr[efi.GUID]:
		return traceText(m, p)
	case interface {
		Addr() efi.Addr
		Pointee() any
	}:
		if p.Addr() == 0 {
			return "NULL"
		}
		value := p.Pointee()
		if err := mem.LoadInto(m.mem, p.Addr(), value); err != nil {
			return traceText(m, v)
		}
		return m.valueText(value)
	}
	return traceText(m, v)
}

// valueText is what LoadInto has filled in.
func (m *Machine) valueText(value any) string {
	switch value := value.(type) {
	case *uint64:
		return numberText(*value)
	case *uint32:
		return numberText(*value)
	case *efi.Addr:
		return traceText(m, *value)
	case *efi.Handle:
		return m.describe(*value)
	case *efi.Event:
		return eventText(*value)
	case *efi.Ptr[efi.DevicePath]:
		return traceText(m, *value)
	case *efi.Time:
		return value.Std().Format("2006-01-02T15:04:05Z")
	case fmt.Stringer:
		return value.String()
	}
	return fmt.Sprintf("%+v", reflect.ValueOf(value).Elem().Interface())
}

// describe names a handle by its image or device path.
func (m *Machine) describe(h efi.Handle) string {
	if h == 0 {
		return "NULL"
	}
	if image, ok := m.images[h]; ok {
		return image.name
	}
	if path, err := m.devicePath(h); err == nil {
		return path.String()
	}
	return handleText(h)
}

// handleText and eventText are handles and events that were given out, by their
// number, and any others as they are.
func handleText(h efi.Handle) string { return numbered("handle", uint64(h), handleBase) }
func eventText(e efi.Event) string   { return numbered("event", uint64(e), eventBase) }

func numbered(kind string, v, base uint64) string {
	switch n := v - base; {
	case v == 0:
		return "NULL"
	case v >= base && n%8 == 0 && n/8 < 1<<32:
		return fmt.Sprintf("%s#%d", kind, n/8)
	}
	return fmt.Sprintf("%#x", v)
}

// wordText is a number of which it is not known what it is.
func (m *Machine) wordText(v uint64) string {
	switch {
	case m.handles.byID[efi.Handle(v)] != nil:
		return m.describe(efi.Handle(v))
	case v > 0xffff:
		return m.locate(efi.Addr(v)).String()
	}
	return numberText(v)
}

// isNull reports whether v is a pointer to nothing.
func isNull(v any) bool {
	p, ok := v.(interface{ Addr() efi.Addr })
	return ok && p.Addr() == 0
}
