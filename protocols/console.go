// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// ConsoleOptions say how a console shows text. The zero value is a plain log of
// a console of 80 by 25.
type ConsoleOptions struct {
	// Terminal writes for a terminal that knows ANSI's escape sequences: colours,
	// the cursor, clearing the screen. The terminal must be as large as the mode
	// says, and keeps the colours that the guest has left behind. Without it,
	// what is written is a log: lines of text, without escape sequences.
	Terminal bool

	// Columns and Rows are the size of the terminal, if not 80 by 25. It becomes
	// one more text mode, the one that is set at first: mode 1 if it is 80 by 50,
	// mode 2 otherwise, and then there is no mode 1 (§12.4.3).
	Columns, Rows int
}

// Console makes a text console of a reader and a writer: SimpleTextInput and
// SimpleTextInputEx (§12.3, §12.2), which share the keys, and SimpleTextOutput
// (§12.4). They belong on one handle of one machine, and Machine.SetConsole makes
// it the system's console.
//
// In sends what a terminal sends that does not interpret it ("raw" mode), in
// UTF-8. It is read when the guest asks for keys and not before; a Read that
// blocks is left alone when the machine is closed, and the bytes it gets then
// are lost. At its end there are no more keys, and a guest that waits for one
// ends the boot. Nil is a reader without keys.
//
// Out gets each string in one Write, in UTF-8. Of control characters only those
// that move the cursor reach it, so that a guest cannot send escape sequences to
// the terminal that out may be. Nil discards all.
func Console(in io.Reader, out io.Writer, opts ConsoleOptions) []emu.Interface {
	keys := newKeySource(in)
	return []emu.Interface{simpleTextInput(keys), simpleTextInputEx(keys), SimpleTextOutput(out, opts)}
}

// SimpleTextInput makes a SimpleTextInput alone (§12.3). In is as for Console.
func SimpleTextInput(in io.Reader) emu.Interface { return simpleTextInput(newKeySource(in)) }

// deviceError is what a guest sees of an error of the host's.
func deviceError(err error) error { return fmt.Errorf("%v: %w", err, efi.DeviceError) }
