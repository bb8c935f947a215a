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
	r := &report{Result: "exit-boot-services", Engine: engine, Seconds: seconds, Calls: stats.Calls, Stops: stats.Stops, Instructions: stats.Instructions}
	if h != nil {
		r.Status = efi.Success.String()
		r.TouchedBytes, r.Segments = h.Touched(), len(h.Runs())
		r.CommandLine = h.CommandLine()
		switch initrd, err := h.Initrd(); {
		case err == nil:
			sum := sha256.Sum256(initrd)
			r.InitrdSHA256 = hex.EncodeToString(sum[:])
		case !errors.Is(err, emu.ErrNoInitrd):
			r.Error = err.Error()
		}
		return r
	}
	var exit *emu.ExitError
	var reset *emu.ResetError
	var limit *emu.LimitError
	var fault *emu.FaultError
	var status efi.Status
	r.Error = err.Error()
	switch {
	case errors.As(err, &exit):
		r.Result, r.Status = "exited", exit.Status.String()
		if !exit.Status.IsError() {
			r.Error = ""
		}
	case errors.As(err, &reset):
		r.Result, r.Status = "exited", reset.Status.String()
	case errors.As(err, &limit):
		r.Result = "limit"
	case errors.As(err, &fault):
		r.Result = "fault"
	default:
		r.Result = "error"
		if errors.As(err, &status) {
			r.Status = status.String()
		}
	}
	return r
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
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
