// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"reflect"
	"strings"
	"testing"
)

func TestCompile(t *testing.T) {
	for _, test := range []struct{ script, want, fails string }{
		{"", "", ""},
		{"# nothing\n\n  # more\n", "", ""},
		{"run a b\n\tcat /x # not y\n", "|run|a|b\n|cat|/x\n", ""},
		{"! run a\n?run b\n", "!|run|a\n?|run|b\n", ""},
		{"run 'a b' c''d '' 'it''s' a#b '#'", "|run|a b|cd||it's|a#b|#\n", ""},
		{"sleep 10ms\nkill 1s a", "|sleep|10ms\n|kill|1s|a\n", ""},
		{"run a\nrun", "", "line 2: run with 0 arguments"},
		{"dmesg x", "", "line 1: dmesg with 1 arguments"},
		{"reboot", "", `no command "reboot"`},
		{"!", "", `"!" without a command`},
		{"run 'a", "", "quote without an end"},
		{"sleep long", "", "invalid duration"},
		{"run \x1f", "", "control character"},
	} {
		got, err := compile(test.script)
		if test.fails != "" {
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%q: error %v, want %s", test.script, err, test.fails)
			}
			continue
		}
		if got = strings.ReplaceAll(got, "\x1f", "|"); err != nil || got != test.want {
			t.Errorf("%q: %q, %v, want %q", test.script, got, err, test.want)
		}
	}
}

// TestCommandsAreDescribed compares the table with the package's comment.
func TestCommandsAreDescribed(t *testing.T) {
	doc := read(t, "doc.go")
	program := read(t, "init/do_linux.go")
	for name := range commands {
		if !strings.Contains(doc, "\n//\t"+name) {
			t.Errorf("doc.go does not describe %s", name)
		}
		if !strings.Contains(program, "\tcase \""+name+"\":") {
			t.Errorf("init does not do %s", name)
		}
	}
}

// FuzzSplit checks that quoted words come back as they were.
func FuzzSplit(f *testing.F) {
	f.Add("it's # a 'word'", "x")
	f.Add("", "a b")
	f.Fuzz(func(t *testing.T, a, b string) {
		got, err := split("run " + Quote(a) + " " + Quote(b))
		if strings.ContainsAny(a+b, "\x1e\x1f\x00\n") {
			if err == nil {
				t.Errorf("%q and %q: no error", a, b)
			}
			return
		}
		if want := []string{"", "run", a, b}; err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
		words, err := split(a)
		if err != nil || len(words) == 0 {
			return
		}
		line := words[0]
		for _, w := range words[1:] {
			line += " " + Quote(w)
		}
		if again, err := split(line); err != nil || !reflect.DeepEqual(again, words) {
			t.Errorf("%q is %q, and %q is %q, %v", a, words, line, again, err)
		}
	})
}
