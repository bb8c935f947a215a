// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Ranks of entries of the Boot Loader Specification, as u-root's package bls
// gives them: it gives 1, and 2 to the default.
const (
	rankBad = iota
	rankEntry
	rankDefault
)

// compare is the order of UAPI.1, "Sorting", and where that leaves two entries
// equal, systemd-boot's.
func compare(a, b candidate) int {
	if c := cmp.Or(boolean(a.Tries.Bad(), b.Tries.Bad()), boolean(a.sortKey == "", b.sortKey == "")); c != 0 {
		return c
	}
	if a.sortKey != "" {
		if c := cmp.Or(
			strings.Compare(a.sortKey, b.sortKey),
			strings.Compare(a.machineID, b.machineID),
			CompareVersions(b.version, a.version),
		); c != 0 {
			return c
		}
	}
	return cmp.Or(
		CompareVersions(b.base, a.base),
		strings.Compare(a.base, b.base),
		cmp.Compare(a.Profile, b.Profile),
		cmp.Compare(b.Tries.Left, a.Tries.Left),
		cmp.Compare(a.Tries.Done, b.Tries.Done),
	)
}

// boolean puts what is false first.
func boolean(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return +1
}

// menu sorts what has been found, makes the names differ, and puts the default
// first.
func (sc *scan) menu() []*Image {
	slices.SortStableFunc(sc.entries, compare)
	tellApart(sc.entries)
	if i := sc.defaultEntry(); i >= 0 {
		e := sc.entries[i]
		e.BootRank = rankDefault
		sc.entries = slices.Insert(slices.Delete(sc.entries, i, i+1), 0, e)
	}
	images := make([]*Image, len(sc.entries))
	for i, e := range sc.entries {
		images[i] = e.Image
	}
	return images
}

// tellApart adds to names that are there more than once: the version, then the
// machine's ID, then the entry's.
func tellApart(entries []candidate) {
	for _, detail := range []func(candidate) string{
		func(e candidate) string { return e.version },
		func(e candidate) string { return e.machineID[:min(len(e.machineID), 8)] },
		func(e candidate) string { return e.ID },
		func(e candidate) string { return e.Volume.name(e.File) },
	} {
		count := map[string]int{}
		for _, e := range entries {
			count[e.Name]++
		}
		for _, e := range entries {
			if text := detail(e); count[e.Name] > 1 && text != "" {
				e.Name = fmt.Sprintf("%s (%s)", e.Name, printable(text))
			}
		}
	}
}

// defaultEntry is the index of the default, or -1.
func (sc *scan) defaultEntry() int {
	for _, glob := range sc.defaultGlobs {
		// IDs have a suffix in systemd-boot, and none in u-root and before systemd 246.
		for _, id := range []func(candidate) string{
			func(e candidate) string { return e.ID },
			func(e candidate) string { return strings.TrimSuffix(e.ID, path.Ext(e.ID)) },
		} {
			if i := slices.IndexFunc(sc.entries, func(e candidate) bool {
				match, err := path.Match(glob, id(e))
				return err == nil && match && !e.Tries.Bad()
			}); i >= 0 {
				return i
			}
		}
	}
	return -1
}

// loaderConf reads the default from a volume's loader/loader.conf.
func (sc *scan) loaderConf(v Volume) {
	file, err := find(v.FS, "loader/loader.conf")
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			sc.report(v, "loader/loader.conf", err)
		}
		return
	}
	data, err := readText(v.FS, file)
	if err != nil {
		sc.report(v, file, err)
		return
	}
	settings, err := parseConf(data)
	if err != nil {
		sc.report(v, file, err)
		return
	}
	glob := ""
	for _, s := range settings {
		if s.key != "default" || strings.HasPrefix(s.value, "@") { // "@saved" is in a variable
			continue
		}
		glob = strings.ToLower(s.value)
		if _, err := path.Match(glob, ""); err != nil {
			sc.report(v, file, &lineError{s.line, fmt.Errorf("%w: %q: %w", ErrSyntax, printable(s.value), err)})
			glob = ""
		}
	}
	if glob != "" {
		sc.defaultGlobs = append(sc.defaultGlobs, glob)
	}
}
