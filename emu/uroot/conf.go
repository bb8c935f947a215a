// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// setting is a line of a .conf file: a word, and the rest.
type setting struct {
	key, value string
	line       int
}

// parseConf reads lines of "key value", as loader.conf and the entries of
// loader/entries have them: lines that start with # and empty ones are passed
// over, and so is space around a value. Errors are *lineError.
func parseConf(data []byte) ([]setting, error) {
	var settings []setting
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
			return nil, &lineError{n, fmt.Errorf("%w: the line is not UTF-8 text", ErrSyntax)}
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value := line, ""
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			key, value = line[:i], strings.TrimSpace(line[i:])
		}
		settings = append(settings, setting{key, value, n})
	}
	return settings, nil
}

// description is an entry of type #1: a .conf file in loader/entries.
type description struct {
	title, version, machineID, sortKey string
	options                            string
	program                            setting // the key efi or uki
	profile                            setting // line 0: none
	profileNumber                      int
}

// errOthers marks entries that are not for us: those of Linux kernels, which
// u-root boots itself, of programs in the network, and of other architectures.
var errOthers = errors.New("not for an EFI program on this machine")

// parseEntry reads a .conf file of loader/entries (UAPI.1, "Type #1"). arch is
// this machine's name there. It refuses keys that it knows but does not honour:
// what was to be booted so would not be what boots.
func parseEntry(data []byte, arch string) (*description, error) {
	settings, err := parseConf(data)
	if err != nil {
		return nil, err
	}
	for _, s := range settings {
		if s.key == "linux" || s.key == "uki-url" || s.key == "architecture" && !strings.EqualFold(s.value, arch) {
			return nil, errOthers
		}
	}
	var d description
	for _, s := range settings {
		switch s.key {
		case "title":
			d.title = s.value
		case "version":
			d.version = s.value
		case "machine-id":
			d.machineID = s.value
		case "sort-key":
			d.sortKey = s.value
		case "options":
			d.options = strings.TrimSpace(d.options + " " + s.value)
		case "efi", "uki":
			if d.program.key != "" && d.program.key != s.key {
				return nil, &lineError{s.line, fmt.Errorf("%w: both efi and uki", ErrSyntax)}
			}
			if s.value, err = volumePath(s.value); err != nil {
				return nil, &lineError{s.line, err}
			}
			d.program = s
		case "profile":
			n, ok := parseNumber(s.value)
			if !ok || n >= maxProfiles {
				return nil, &lineError{s.line, fmt.Errorf("%w: %q is no number of a profile", ErrSyntax, printable(s.value))}
			}
			d.profile, d.profileNumber = s, n
		case "initrd", "devicetree", "devicetree-overlay", "extra":
			return nil, &lineError{s.line, fmt.Errorf("%s with an EFI program: %w", s.key, errors.ErrUnsupported)}
		}
	}
	if d.program.key == "" {
		return nil, ErrNoEntry
	}
	return &d, nil
}

// volumePath takes a path from the volume's root, with or without a slash in
// front, with slashes or backslashes.
func volumePath(s string) (string, error) {
	var parts []string
	for part := range strings.SplitSeq(strings.ReplaceAll(s, `\`, "/"), "/") {
		switch part {
		case "", ".":
		case "..":
			return "", fmt.Errorf("%w: %q leads out of its folder", ErrSyntax, printable(s))
		default:
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "", fmt.Errorf("%w: no path", ErrSyntax)
	}
	return strings.Join(parts, "/"), nil
}
