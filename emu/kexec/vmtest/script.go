// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"fmt"
	"strings"
	"time"
)

// commands are what init can do, with the least and the greatest number of
// arguments; -1 for any.
var commands = map[string][2]int{
	"run":        {1, -1},
	"kill":       {2, -1},
	"cat":        {1, -1},
	"hex":        {1, 1},
	"ls":         {1, 1},
	"dmesg":      {0, 0},
	"write":      {2, 2},
	"mount":      {2, 2},
	"insmod":     {1, -1},
	"sleep":      {1, 1},
	"kexec-load": {3, 3},
	"kexec-exec": {0, 0},
	"poweroff":   {0, 0},
}

// compile checks a script and puts it into the form that init reads: a line for
// each command, its words separated by 0x1f, the first of them "", "!" or "?".
func compile(script string) (string, error) {
	var b strings.Builder
	for i, line := range strings.Split(script, "\n") {
		words, err := split(line)
		if err == nil && len(words) > 0 {
			err = check(words)
		}
		if err != nil {
			return "", fmt.Errorf("line %d: %w", i+1, err)
		}
		if len(words) == 0 {
			continue
		}
		b.WriteString(strings.Join(words, "\x1f"))
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func check(words []string) error {
	name, args := words[1], words[2:]
	n, ok := commands[name]
	switch {
	case !ok:
		return fmt.Errorf("no command %q", name)
	case len(args) < n[0] || n[1] >= 0 && len(args) > n[1]:
		return fmt.Errorf("%s with %d arguments", name, len(args))
	case name == "sleep" || name == "kill":
		_, err := time.ParseDuration(args[0])
		return err
	}
	return nil
}

// split returns the words of a line, after "", "!" or "?" for what is expected
// of the command; none for a line without a command.
func split(line string) ([]string, error) {
	if strings.ContainsAny(line, "\x1e\x1f\x00\n") {
		return nil, fmt.Errorf("control character in %q", line)
	}
	rest := strings.TrimLeft(line, " \t\r")
	expect := ""
	if rest != "" && strings.ContainsRune("!?", rune(rest[0])) {
		expect, rest = rest[:1], rest[1:]
	}
	words := []string{expect}
	for {
		rest = strings.TrimLeft(rest, " \t\r")
		if rest == "" || rest[0] == '#' {
			break
		}
		word, after, err := first(rest)
		if err != nil {
			return nil, err
		}
		words, rest = append(words, word), after
	}
	switch {
	case len(words) > 1:
		return words, nil
	case expect != "":
		return nil, fmt.Errorf("%q without a command", expect)
	}
	return nil, nil
}

// first cuts the first word off s, which starts with one.
func first(s string) (word, rest string, err error) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'' && quoted && strings.HasPrefix(s[i+1:], "'"):
			b.WriteByte(c)
			i++
		case c == '\'':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\r'):
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", fmt.Errorf("quote without an end in %q", s)
	}
	return b.String(), "", nil
}

// Quote returns s as one word of a script.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
