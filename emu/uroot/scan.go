// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"

	"github.com/uefiexec/uefiexec/pecoff"
)

// Scanner finds the entries of the Boot Loader Specification (UAPI.1) that are
// EFI programs. Its zero value is for this machine, and its images do not load.
type Scanner struct {
	Loader  Loader         // of the images
	Machine pecoff.Machine // whose programs are listed; 0 is this machine's
}

// Scan finds the entries of volumes, which make one menu, such as an EFI system
// partition and an XBOOTLDR beside it. They are in the order of that menu: the
// default first, then as UAPI.1, "Sorting" says, those that have no try left
// last. Ranks are u-root's for such entries: 2 for the default, 1, and 0 for
// those without a try left. The default is the first with a try left whose ID
// the glob of a volume's loader/loader.conf matches.
//
// A file that is no good makes an *EntryError and no entry. All of them are
// joined in the error; it does not speak against the images. That a volume has
// no entries is no error. Hidden without an error are programs for other
// machines, entries with a linux key (u-root's own business) or a uki-url, and
// files that start with a dot or with "auto-".
func (s Scanner) Scan(volumes ...Volume) ([]*Image, error) {
	machine := s.Machine
	if machine == 0 {
		machine = hostMachine()
	}
	if machine == 0 {
		return nil, fmt.Errorf("programs for %s: %w", runtime.GOARCH, errors.ErrUnsupported)
	}
	sc := scan{loader: s.Loader, machine: machine}
	for _, v := range volumes {
		sc.folder(v, "EFI/Linux", ".efi", sc.kernelImage)
		sc.folder(v, "loader/entries", ".conf", sc.describedEntry)
		sc.loaderConf(v)
	}
	return sc.menu(), errors.Join(sc.errs...)
}

// scan is a scan under way.
type scan struct {
	loader       Loader
	machine      pecoff.Machine
	entries      []candidate
	errs         []error
	defaultGlobs []string // of loader.conf, lower case
}

// candidate is an image and what it is sorted and told apart by.
type candidate struct {
	*Image
	release
	machineID string
	base      string // the ID without a profile and a suffix
}

// report keeps an error of a file.
func (sc *scan) report(v Volume, file string, err error) {
	e := &EntryError{Volume: v, File: file, Err: err}
	if l, ok := errors.AsType[*lineError](err); ok {
		e.Line, e.Err = l.line, l.err
	}
	sc.errs = append(sc.errs, e)
}

// folder calls read for each file of a folder that may be an entry.
func (sc *scan) folder(v Volume, name, suffix string, read func(Volume, string) error) {
	dir, files, err := folder(v.FS, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		sc.report(v, dir, err)
	}
	for _, f := range files {
		lower := strings.ToLower(f.Name())
		if !strings.HasSuffix(lower, suffix) || strings.HasPrefix(lower, ".") || strings.HasPrefix(lower, "auto-") || !f.Type().IsRegular() {
			continue
		}
		file := path.Join(dir, f.Name())
		if len(sc.entries) >= maxEntries {
			sc.report(v, dir, fmt.Errorf("%w: over %d entries", ErrLimit, maxEntries))
			return
		}
		if err := read(v, file); err != nil && !errors.Is(err, errElsewhere) && !errors.Is(err, errOthers) {
			sc.report(v, file, err)
		}
	}
}

// kernelImage adds an entry for each profile of a unified kernel image (UAPI.1,
// "Type #2").
func (sc *scan) kernelImage(v Volume, file string) error {
	p, err := readProgram(v, file, sc.machine)
	if err != nil {
		return err
	}
	if !p.uki {
		return fmt.Errorf("%w: not a unified kernel image", ErrProgram)
	}
	for n := range p.profiles {
		if len(sc.entries) < maxEntries {
			sc.add(v, file, file, n, p, description{})
		}
	}
	return nil
}

// describedEntry adds the entry of a .conf file (UAPI.1, "Type #1").
func (sc *scan) describedEntry(v Volume, file string) error {
	data, err := readText(v.FS, file)
	if err != nil {
		return err
	}
	d, err := parseEntry(data, architecture(sc.machine))
	if err != nil {
		return err
	}
	name, err := find(v.FS, d.program.value)
	if err != nil {
		return &lineError{d.program.line, err}
	}
	p, err := readProgram(v, name, sc.machine)
	switch {
	case errors.Is(err, errElsewhere):
		return err
	case err != nil:
		return &lineError{d.program.line, err}
	case d.program.key == "uki" && !p.uki:
		return &lineError{d.program.line, fmt.Errorf("%w: not a unified kernel image", ErrProgram)}
	case d.profile.line > 0 && d.profileNumber >= max(len(p.profiles), 1):
		return &lineError{d.profile.line, fmt.Errorf("%w: no profile %d in %s", ErrProgram, d.profileNumber, printable(name))}
	}
	sc.add(v, file, name, d.profileNumber, p, *d)
	return nil
}

// add adds an entry that file makes, for a profile of a program.
func (sc *scan) add(v Volume, file, name string, number int, p *program, d description) {
	stripped, tries, _, _ := parseTries(path.Base(file))
	id := strings.ToLower(stripped)
	e := candidate{
		Image: &Image{
			Entry:    Entry{Volume: v, Path: name, Profile: number, CommandLine: d.options},
			BootRank: rankEntry, Loader: sc.loader, ID: id, File: file, Tries: tries,
		},
		release:   release{name: d.title, version: d.version, sortKey: d.sortKey},
		machineID: d.machineID,
		base:      strings.TrimSuffix(id, path.Ext(id)),
	}
	if tries.Bad() {
		e.BootRank = rankBad
	}
	var own profile
	if p.uki {
		own = p.profiles[number]
		e.Embedded = own.cmdline
	}
	if d.program.key == "" { // it speaks for itself
		e.release = own.release
		if number > 0 {
			e.ID += "@" + cmp.Or(own.id, fmt.Sprint(number))
		}
	}
	e.Name = printable(e.release.name)
	if e.Name == "" {
		e.Name = printable(cmp.Or(own.name, id))
	}
	if d.title == "" {
		switch {
		case own.title != "":
			e.Name = printable(fmt.Sprintf("%s (%s)", e.Name, own.title))
		case number > 0:
			e.Name = printable(fmt.Sprintf("%s (%s)", e.Name, cmp.Or(own.id, fmt.Sprintf("profile %d", number))))
		}
	}
	sc.entries = append(sc.entries, e)
}

func hostMachine() pecoff.Machine {
	switch runtime.GOARCH {
	case "amd64":
		return pecoff.AMD64
	case "arm64":
		return pecoff.ARM64
	}
	return 0
}

// architecture is a machine's name in UEFI's file names, and in entries.
func architecture(m pecoff.Machine) string {
	switch m {
	case pecoff.AMD64:
		return "x64"
	case pecoff.ARM64:
		return "aa64"
	case pecoff.I386:
		return "ia32"
	case pecoff.ARM, pecoff.ARMThumb, pecoff.ARMNT:
		return "arm"
	case pecoff.RISCV64:
		return "riscv64"
	case pecoff.LoongArch64:
		return "loongarch64"
	}
	return "?"
}
