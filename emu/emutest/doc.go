// SPDX-License-Identifier: BSD-3-Clause

// Package emutest is the harness for tests: of EFI programs, which Run takes
// through a machine and hands back with what they printed, called and left
// behind; and of services, which a Guest calls from Go, with no processor and
// on any system.
//
// Tests that need what a machine may lack (ptrace, downloaded payloads) ask for
// it here, so that they skip with the reason in one form. Where the environment
// variable UEFIEXEC_NOSKIP is 1 they fail instead.
package emutest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/uefiexec/uefiexec/emu/auto"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// The environment variables that tests look at.
const (
	// NoSkip makes what is missing a failure, if it is "1".
	NoSkip = "UEFIEXEC_NOSKIP"
	// CorpusVar names the folder that .ci/corpus has filled.
	CorpusVar = "UEFIEXEC_CORPUS"
	// TruthVar names a folder of logs and traces of real firmware.
	TruthVar = "UEFIEXEC_TRUTH"
)

// Skip skips the test, or fails it under NoSkip.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv(NoSkip) == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Tool runs a program of the system's that a test compares with or makes images by,
// in UTC, and returns what it prints. Without the program, the test skips.
func Tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Skip(t, "%v", err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8", "MTOOLS_SKIP_CHECK=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Engine is the best engine for a guest here. Without one, the test skips.
func Engine(t testing.TB, arch cpu.Arch) cpu.New {
	t.Helper()
	switch err := auto.Probe(arch); {
	case errors.Is(err, cpu.ErrNotSupported):
		Skip(t, "no engine: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	return auto.New
}

// Corpus is the path of a file or folder below the folder of real payloads.
// Without it, the test skips.
func Corpus(t testing.TB, name string) string { return below(t, CorpusVar, name) }

// Truth is the path of a file below the folder of ground truth. Without it, the
// test skips, under NoSkip too if no folder is named: it is not public. The
// names of such tests have "Truth" in them.
func Truth(t testing.TB, name string) string {
	t.Helper()
	if os.Getenv(TruthVar) == "" {
		t.Skipf("%s is not set", TruthVar)
	}
	return below(t, TruthVar, name)
}

func below(t testing.TB, variable, name string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		Skip(t, "%s is not set", variable)
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		Skip(t, "%v", err)
	}
	return path
}
