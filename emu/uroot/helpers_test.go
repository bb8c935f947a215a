// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"io/fs"
	"path"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// uki builds a unified kernel image of sections given as name, text, name, text.
func uki(t testing.TB, sections ...string) []byte { return ukiFor(t, pecoff.AMD64, sections...) }

func ukiFor(t testing.TB, machine pecoff.Machine, sections ...string) []byte {
	t.Helper()
	m := petest.Image{Machine: machine, Sections: []petest.Section{{Name: ".linux", Data: []byte("kernel")}}}
	for i := 0; i < len(sections); i += 2 {
		m.Sections = append(m.Sections, petest.Section{Name: sections[i], Data: []byte(sections[i+1])})
	}
	return m.Bytes()
}

// plain builds an EFI program that is no kernel.
func plain() []byte {
	return petest.Image{Sections: []petest.Section{{Name: ".text", Data: []byte("x")}}}.Bytes()
}

func volume(t testing.TB, files map[string][]byte) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	return fsys
}

// scanFor scans volumes for AMD64.
func scanFor(t testing.TB, volumes ...fs.FS) ([]*Image, []*EntryError) {
	t.Helper()
	var all []Volume
	for i, fsys := range volumes {
		all = append(all, Volume{fsys, path.Join("/", string(rune('a'+i)))})
	}
	images, err := Scanner{Machine: pecoff.AMD64}.Scan(all...)
	return images, entryErrors(t, err)
}

// entryErrors takes the error of a scan apart.
func entryErrors(t testing.TB, err error) []*EntryError {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatal(err)
	}
	var all []*EntryError
	for _, err := range joined.Unwrap() {
		e, ok := errors.AsType[*EntryError](err)
		if !ok {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func labels(images []*Image) []string {
	var all []string
	for _, im := range images {
		all = append(all, im.Label())
	}
	return all
}

func ids(images []*Image) []string {
	var all []string
	for _, im := range images {
		all = append(all, im.ID)
	}
	return all
}
