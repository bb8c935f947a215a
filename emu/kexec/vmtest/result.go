// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// record starts a line of init's own.
const record = 0x1e

// Result is what a machine said.
type Result struct {
	Lines   []Line  // of both ports, in order of arrival
	Stages  []Stage // the kernels that init ran in, in order
	Took    time.Duration
	Retries int // boots before this one that died too early to count, at most 1

	off bool // init has powered off
}

// Line is a line of a serial port.
type Line struct {
	At   time.Duration // since QEMU was started
	Init bool          // from the port of init; else from the console
	Text string
}

// Stage is a kernel with init as its first process.
type Stage struct {
	Name    string        // of the script
	Release string        // of the kernel
	At      time.Duration // of init's first word, since QEMU was started
	Steps   []Step
	Abort   string // why the script ended early
}

// Step is a command of a script.
type Step struct {
	Command string // its words, with a blank between them
	Output  string
	Took    time.Duration // on the guest's clock
	Error   string        // "" if it succeeded
	Done    bool          // false if the kernel ended first
}

// parse finds the stages in the lines.
func (r *Result) parse() {
	var stage *Stage
	var step *Step
	for _, line := range r.Lines {
		name, rest, ok := cutRecord(line.Text)
		if !ok {
			if line.Init && step != nil && !step.Done {
				step.Output += line.Text + "\n"
			}
			continue
		}
		kind, text, _ := strings.Cut(rest, " ")
		if kind == "start" {
			r.Stages = append(r.Stages, Stage{Name: name, Release: text, At: line.At})
			stage, step, r.off = &r.Stages[len(r.Stages)-1], nil, false
			continue
		}
		if stage == nil || stage.Name != name {
			continue
		}
		switch kind {
		case "step":
			stage.Steps = append(stage.Steps, Step{Command: text})
			step = &stage.Steps[len(stage.Steps)-1]
		case "end":
			if step != nil && !step.Done {
				micros, err, _ := strings.Cut(text, " ")
				n, _ := strconv.ParseInt(micros, 10, 64) // our own number
				step.Done, step.Took, step.Error = true, time.Duration(n)*time.Microsecond, err
			}
		case "abort":
			stage.Abort = text
		case "poweroff":
			r.off = true
		}
	}
}

// cutRecord returns the script's name and the rest of a record.
func cutRecord(line string) (name, rest string, ok bool) {
	line, ok = strings.CutPrefix(line, string(rune(record))+"vmtest ")
	if !ok {
		return "", "", false
	}
	name, rest, ok = strings.Cut(line, " ")
	return name, rest, ok
}

// aborted is the error of a script that did not get to its end.
func (r *Result) aborted() error {
	for _, s := range r.Stages {
		if s.Abort != "" {
			return &failure{text: fmt.Sprintf("script %s: %s", s.Name, s.Abort)}
		}
	}
	return nil
}

// Stage is the last kernel that ran a script. Without one, the test fails.
func (r *Result) Stage(t testing.TB, name string) Stage {
	t.Helper()
	for i := len(r.Stages) - 1; i >= 0; i-- {
		if r.Stages[i].Name == name {
			return r.Stages[i]
		}
	}
	t.Fatalf("no kernel ran the script %s\n%s", name, r)
	return Stage{}
}

// Step is the last step of a script whose command starts so. Without one, the
// test fails.
func (r *Result) Step(t testing.TB, script, command string) Step {
	t.Helper()
	steps := r.Stage(t, script).Steps
	for i := len(steps) - 1; i >= 0; i-- {
		if strings.HasPrefix(steps[i].Command, command) {
			return steps[i]
		}
	}
	t.Fatalf("script %s: no step %q\n%s", script, command, r)
	return Step{}
}

// Output is what that step printed.
func (r *Result) Output(t testing.TB, script, command string) string {
	t.Helper()
	return r.Step(t, script, command).Output
}

// Expect returns the first match of a regular expression in a line of either
// port, with its groups. Without one, the test fails.
func (r *Result) Expect(t testing.TB, expression string) []string {
	t.Helper()
	re, err := regexp.Compile(expression)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range r.Lines {
		if m := re.FindStringSubmatch(line.Text); m != nil {
			return m
		}
	}
	t.Fatalf("nothing matches %s\n%s", expression, r)
	return nil
}

// String is the whole log: seconds, the port, the line.
func (r *Result) String() string {
	var b strings.Builder
	for _, line := range r.Lines {
		port := "console"
		if line.Init {
			port = "init   "
		}
		text := strings.TrimPrefix(line.Text, string(rune(record)))
		fmt.Fprintf(&b, "%8.3f %s| %s\n", line.At.Seconds(), port, text)
	}
	return b.String()
}
