// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// report is what -json prints.
type report struct {
	Result       string  `json:"result"`
	Status       string  `json:"status,omitempty"`
	Error        string  `json:"error,omitempty"`
	Engine       string  `json:"engine"`
	Seconds      float64 `json:"seconds"`
	Calls        int64   `json:"calls"`
	Stops        int64   `json:"stops"`
	Instructions int64   `json:"instructions,omitempty"` // where the engine counts them
	TouchedBytes uint64  `json:"touched_bytes"`
	Segments     int     `json:"segments"`
	CommandLine  string  `json:"command_line"`
	InitrdSHA256 string  `json:"initrd_sha256"`
}

// newReport says what became of a boot.
func newReport(m *emu.Machine, h *emu.Handoff, err error, engine string, seconds float64) *report {
	stats := m.Stats()
	end := endOf(err)
	r := &report{
		Result: end.result, Status: end.status, Error: end.text,
		Engine: engine, Seconds: seconds, Calls: stats.Calls, Stops: stats.Stops, Instructions: stats.Instructions,
	}
	if h != nil {
		r.TouchedBytes, r.Segments = h.Touched(), len(h.Runs())
		r.CommandLine = h.CommandLine()
		switch initrd, err := h.Initrd(); {
		case err == nil:
			sum := sha256.Sum256(initrd)
			r.InitrdSHA256 = hex.EncodeToString(sum[:])
		case !errors.Is(err, emu.ErrNoInitrd):
			r.Error = err.Error()
		}
	}
	return r
}

// end is what a boot has come to: what it is called, a status if there is one, and
// the error in words.
type end struct{ result, status, text string }

func endOf(err error) end {
	var exit *emu.ExitError
	var reset *emu.ResetError
	var limit *emu.LimitError
	var fault *emu.FaultError
	var status efi.Status
	switch {
	case err == nil:
		return end{"exit-boot-services", efi.Success.String(), ""}
	case errors.As(err, &exit) && !exit.Status.IsError():
		return end{"exited", exit.Status.String(), ""}
	case errors.As(err, &exit):
		return end{"exited", exit.Status.String(), err.Error()}
	case errors.As(err, &reset):
		return end{"exited", reset.Status.String(), err.Error()}
	case errors.As(err, &limit):
		return end{"limit", "", err.Error()}
	case errors.As(err, &fault):
		return end{"fault", "", err.Error()}
	case errors.As(err, &status):
		return end{"error", status.String(), err.Error()}
	}
	return end{"error", "", err.Error()}
}

// writeJSON prints what -json asks for, in a line.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// line is the report of a boot that exited boot services, in a sentence.
func (r *report) line(name string) string {
	text := fmt.Sprintf("%s exited boot services after %d calls in %.2f s (%s): %.1f MiB in %d segments",
		name, r.Calls, r.Seconds, r.Engine, float64(r.TouchedBytes)/(1<<20), r.Segments)
	if r.CommandLine != "" {
		text += fmt.Sprintf(", command line %q", r.CommandLine)
	}
	if r.InitrdSHA256 != "" {
		text += ", initrd " + r.InitrdSHA256[:16]
	}
	return text
}

// printMissing closes a trace with what was asked for and was not there.
func printMissing(w io.Writer, missing []emu.Missing) {
	if len(missing) == 0 {
		return
	}
	fmt.Fprintln(w, "# asked for and not there:")
	for _, x := range missing {
		fmt.Fprintf(w, "#   %-9s %s", x.Kind, x.Name)
		if x.Count > 1 {
			fmt.Fprintf(w, " (%d times)", x.Count)
		}
		fmt.Fprintln(w)
	}
}
