// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

// fatal matches what no machine goes on after.
var fatal = regexp.MustCompile(`Kernel panic - not syncing|X64 Exception Type|Synchronous Exception at`)

// escapes are what firmware moves a terminal's cursor with.
var escapes = regexp.MustCompile(`\x1b\[[0-9;?=]*[A-Za-z]`)

// failure is an end of a machine that is not init's.
type failure struct {
	text  string
	panic bool // a kernel panicked
}

func (f *failure) Error() string { return f.text }

// event is a line, or the start of one that is not complete.
type event struct {
	Line
	partial bool
}

// watch runs a command and returns what it printed, and what was wrong.
func watch(ctx context.Context, args []string, cfg Config) (*Result, error) {
	w, err := newWatcher(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = 5 * time.Second
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	w.stdin = stdin
	events, err := start(cmd)
	if err != nil {
		return nil, err
	}
	for e := range events {
		if w.verdict == nil && !w.done {
			w.see(e)
			if w.verdict != nil || w.done {
				cancel()
			}
		}
	}
	timedOut := ctx.Err() == context.DeadlineExceeded
	waitErr := cmd.Wait()
	r := &w.result
	r.Took = time.Since(w.start)
	r.parse()
	switch {
	case w.done:
		return r, nil
	case w.verdict != nil:
		return r, w.verdict
	case timedOut:
		return r, &failure{text: fmt.Sprintf("not done after %v", r.Took.Round(time.Second))}
	case r.off:
		return r, r.aborted()
	case waitErr != nil && complaints.Len() > 0:
		return r, &failure{text: fmt.Sprintf("%s: %v: %s", args[0], waitErr, strings.TrimSpace(complaints.String()))}
	}
	return r, &failure{text: "the machine went off before init's end: a reset, or a triple fault"}
}

// start starts the command. The channel is closed when both ports are.
func start(cmd *exec.Cmd) (<-chan event, error) {
	console, consoleEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	port, portEnd, err := os.Pipe()
	if err != nil {
		console.Close()
		consoleEnd.Close()
		return nil, err
	}
	cmd.Stdout, cmd.ExtraFiles = consoleEnd, []*os.File{portEnd}
	err = cmd.Start()
	consoleEnd.Close()
	portEnd.Close()
	if err != nil {
		console.Close()
		port.Close()
		return nil, err
	}
	events := make(chan event)
	var both sync.WaitGroup
	begin := time.Now()
	for i, f := range []*os.File{console, port} {
		both.Go(func() {
			defer f.Close()
			lines(f, func(text string, partial bool) {
				events <- event{Line{At: time.Since(begin), Init: i == 1, Text: text}, partial}
			})
		})
	}
	go func() {
		both.Wait()
		close(events)
	}()
	return events, nil
}

// lines cuts what it reads into lines, without carriage returns and cursor
// movements. A record of init's starts a new one. What is not complete when
// nothing more can be read at once is also told, as partial.
func lines(r io.Reader, tell func(text string, partial bool)) {
	clean := func(b []byte) string { return escapes.ReplaceAllString(strings.ReplaceAll(string(b), "\r", ""), "") }
	var pending []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		for _, c := range buf[:n] {
			if c == record && len(pending) > 0 || c == '\n' {
				tell(clean(pending), false)
				pending = pending[:0]
			}
			if c != '\n' {
				pending = append(pending, c)
			}
		}
		if err != nil {
			if len(pending) > 0 {
				tell(clean(pending), false)
			}
			return
		}
		if len(pending) > 0 {
			tell(clean(pending), true)
		}
	}
}

// watcher looks at lines as they come.
type watcher struct {
	until, panics *regexp.Regexp // nil matches nothing
	answers       []Answer
	questions     []*regexp.Regexp
	stdin         io.Writer
	start         time.Time
	since         strings.Builder // what the console has said since the last answer

	result  Result
	verdict error
	done    bool
}

func newWatcher(cfg Config) (*watcher, error) {
	w := &watcher{answers: cfg.Answers, start: time.Now()}
	for _, e := range []struct {
		text string
		into **regexp.Regexp
	}{{cfg.Until, &w.until}, {cfg.Panic, &w.panics}} {
		if e.text == "" {
			continue
		}
		re, err := regexp.Compile(e.text)
		if err != nil {
			return nil, err
		}
		*e.into = re
	}
	for _, a := range cfg.Answers {
		re, err := regexp.Compile(a.Question)
		if err != nil {
			return nil, err
		}
		w.questions = append(w.questions, re)
	}
	return w, nil
}

func (w *watcher) see(e event) {
	if !e.partial {
		w.result.Lines = append(w.result.Lines, e.Line)
	}
	switch {
	case e.Init:
		return
	case w.until != nil && w.until.MatchString(e.Text):
		if e.partial {
			w.result.Lines = append(w.result.Lines, e.Line)
		}
		w.done = true
		return
	case !e.partial && fatal.MatchString(e.Text) && (w.panics == nil || !w.panics.MatchString(e.Text)):
		w.verdict = &failure{text: e.Text, panic: strings.Contains(e.Text, "Kernel panic")}
		return
	}
	w.answer(e)
}

// answer types the next answer if its question was asked.
func (w *watcher) answer(e event) {
	if len(w.questions) == 0 {
		return
	}
	if !w.questions[0].MatchString(w.since.String() + e.Text) {
		if !e.partial {
			w.since.WriteString(e.Text + "\n")
		}
		return
	}
	if _, err := io.WriteString(w.stdin, w.answers[0].Text); err != nil {
		w.verdict = fmt.Errorf("answer %q: %w", w.answers[0].Text, err)
	}
	w.questions, w.answers = w.questions[1:], w.answers[1:]
	w.since.Reset()
}
