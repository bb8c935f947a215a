// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// logOf is a result whose lines are those of a text. Lines that start with "|"
// are the console's.
func logOf(text string) *Result {
	r := &Result{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		text, console := strings.CutPrefix(line, "|")
		r.Lines = append(r.Lines, Line{Init: !console, Text: text})
	}
	r.parse()
	return r
}

const twoKernels = `|[ 0.0] Linux version
` + "\x1e" + `vmtest first start 6.1
` + "\x1e" + `vmtest first step cat /a
one
|[ 1.0] between
two
` + "\x1e" + `vmtest first end 1500` + ` ` + `
stray
` + "\x1e" + `vmtest first step cat /b
` + "\x1e" + `vmtest first end 20 open /b: none
` + "\x1e" + `vmtest first step kexec-exec
|[ 2.0] kexec_core: Starting new kernel
` + "\x1e" + `vmtest second start 7.2
` + "\x1e" + `vmtest second abort why
` + "\x1e" + `vmtest second poweroff
`

func TestStages(t *testing.T) {
	r := logOf(twoKernels)
	want := []Stage{
		{Name: "first", Release: "6.1", Steps: []Step{
			{Command: "cat /a", Output: "one\ntwo\n", Took: 1500 * time.Microsecond, Done: true},
			{Command: "cat /b", Took: 20 * time.Microsecond, Error: "open /b: none", Done: true},
			{Command: "kexec-exec"},
		}},
		{Name: "second", Release: "7.2", Abort: "why"},
	}
	if !reflect.DeepEqual(r.Stages, want) {
		t.Errorf("stages %+v\nwant %+v", r.Stages, want)
	}
	if !r.off {
		t.Error("not off")
	}
	if got := r.Step(t, "first", "cat").Command; got != "cat /b" {
		t.Errorf("last step %q", got)
	}
	if got := r.Expect(t, `Starting (new) kernel`); got[1] != "new" {
		t.Errorf("match %q", got)
	}
	if got := r.String(); !strings.Contains(got, "   0.000 init   | vmtest first step cat /a\n   0.000 init   | one\n   0.000 console| [ 1.0] between\n") {
		t.Errorf("log:\n%s", got)
	}
}

// FuzzStages checks that a guest can print anything.
func FuzzStages(f *testing.F) {
	f.Add(twoKernels)
	f.Add("\x1evmtest x step\n\x1evmtest x end\n\x1evmtest x start\n\x1evmtest x end x")
	f.Fuzz(func(t *testing.T, text string) {
		r := logOf(text)
		starts := strings.Count(text, " start")
		if len(r.Stages) > starts {
			t.Errorf("%d stages of %d starts", len(r.Stages), starts)
		}
		for _, s := range r.Stages {
			for _, step := range s.Steps {
				if len(step.Output) > len(text)+1 {
					t.Errorf("output %q", step.Output)
				}
			}
		}
	})
}
