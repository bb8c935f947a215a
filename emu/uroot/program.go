// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"fmt"
	"io"
	"strings"

	"github.com/uefiexec/uefiexec/pecoff"
)

// program is what a menu wants to know of an EFI program.
type program struct {
	uki      bool
	profiles []profile // of a unified kernel image: one at least
}

// profile is one way to boot a unified kernel image.
type profile struct {
	release
	id, title string // of .profile
	cmdline   string // of .cmdline
}

// readProgram reads an EFI program's headers, and of a unified kernel image what
// it says of itself. The program must be fit for the machine, or if that is 0,
// for any: errElsewhere says that it is for another one.
func readProgram(v Volume, name string, machine pecoff.Machine) (*program, error) {
	f, err := v.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	r, ok := f.(io.ReaderAt)
	if !ok {
		return nil, ErrReadAt
	}
	im, err := pecoff.Parse(r, info.Size())
	if err != nil {
		return nil, err
	}
	if machine != 0 && im.Machine != machine {
		return nil, fmt.Errorf("%w: %v", errElsewhere, im.Machine)
	}
	if err := im.Check(im.Machine); err != nil {
		return nil, err
	}
	p := &program{uki: im.Kind() == pecoff.KindUKI}
	if !p.uki {
		return p, nil
	}
	profiles := im.Profiles()
	if len(profiles) > maxProfiles {
		return nil, fmt.Errorf("%w: over %d profiles", ErrLimit, maxProfiles)
	}
	for _, sections := range profiles {
		one, err := readProfile(im, sections)
		if err != nil {
			return nil, err
		}
		p.profiles = append(p.profiles, one)
	}
	return p, nil
}

func readProfile(im *pecoff.Image, sections pecoff.Profile) (profile, error) {
	var p profile
	for _, read := range []struct {
		name string
		take func(string)
	}{
		{".osrel", func(s string) { p.release = parseRelease(s) }},
		{".profile", func(s string) { v := assignments(s); p.id, p.title = v["ID"], v["TITLE"] }},
		{".cmdline", func(s string) { p.cmdline = commandLine(s) }},
	} {
		s, ok := sections.Section(read.name)
		if !ok {
			continue
		}
		text, err := readLimited(im.Mapped(s))
		if err != nil {
			return p, fmt.Errorf("section %s: %w", read.name, err)
		}
		read.take(string(text))
	}
	return p, nil
}

// commandLine makes one line of a .cmdline, as systemd-stub does.
func commandLine(text string) string {
	text, _, _ = strings.Cut(text, "\x00")
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.TrimSpace(text)
}
