// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/uefiexec/uefiexec/efi"
)

// TextTrace returns a Config.Trace that writes a line for each event to w, in
// the manner of strace: where the call came from, protocol and service, the
// arguments by name, the result, and why where there is something to say.
// What is written by a service stands behind an arrow.
func TextTrace(w io.Writer) func(*TraceEvent) {
	var line strings.Builder
	return func(e *TraceEvent) {
		line.Reset()
		fmt.Fprintf(&line, "%-28s %s", e.place(), strings.Repeat("  ", e.Depth))
		e.write(&line)
		io.WriteString(w, printable(line.String())+"\n")
	}
}

// printable escapes what could upset a terminal: names and paths are the guest's.
func printable(text string) string {
	plain := func(r rune) bool { return unicode.IsPrint(r) && r != utf8.RuneError }
	if strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if plain(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// place is the first column.
func (e *TraceEvent) place() string {
	switch e.Kind {
	case TraceLeave, TraceImage:
		return ""
	}
	return e.From.String()
}

func (e *TraceEvent) write(w *strings.Builder) {
	switch e.Kind {
	case TraceImage:
		fmt.Fprintf(w, "# %s loaded at %v", e.Image, e.Range)
		return
	case TraceLeave:
		fmt.Fprintf(w, "} %s = %s", e.Image, e.Status.String())
		return
	case TraceNotify:
		w.WriteString("! notify")
	case TraceGuestCall:
		w.WriteString("! call")
	case TraceFault:
		fmt.Fprintf(w, "*** %s", strings.TrimPrefix(e.Fault.Error(), "emu: "))
		return
	default:
		w.WriteString(e.Protocol + "." + e.Service)
	}
	e.writeArgs(w)
	switch e.Kind {
	case TraceEnter:
		w.WriteString(" {")
		return
	case TraceExit, TraceNotify, TraceGuestCall:
		return
	}
	w.WriteString(" = ")
	if e.HasResult {
		fmt.Fprintf(w, "%#x", e.Result)
	} else {
		w.WriteString(e.Status.String())
	}
	if e.Note != "" && e.Status != efi.BufferTooSmall {
		fmt.Fprintf(w, " (%s)", e.Note)
	}
}

func (e *TraceEvent) writeArgs(w *strings.Builder) {
	w.WriteByte('(')
	for i, a := range e.Args {
		if i > 0 {
			w.WriteString(", ")
		}
		w.WriteString(a.Name)
		if a.Name != "" && a.In != "" {
			w.WriteByte('=')
		}
		w.WriteString(a.In)
		if a.Out != "" && a.Out != a.In {
			w.WriteString("→" + a.Out)
		}
	}
	w.WriteByte(')')
}
