// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/pecoff/petest"
)

func TestCrashLoadOptions(t *testing.T) {
	section := func(name, data string) petest.Section { return petest.Section{Name: name, Data: []byte(data)} }
	plain := petest.Image{Sections: []petest.Section{section(".text", "code")}}.Bytes()
	uki := petest.Image{Sections: []petest.Section{
		section(".text", "code"), section(".linux", "kernel"), section(".cmdline", "root=a crashkernel=1G,high quiet\n\x00junk"),
	}}.Bytes()
	bare := petest.Image{Sections: []petest.Section{section(".text", "code"), section(".linux", "kernel")}}.Bytes()
	profiles := petest.Image{Sections: []petest.Section{
		section(".text", "code"), section(".linux", "kernel"), section(".cmdline", "base"),
		section(".profile", "ID=main"), section(".profile", "ID=debug"), section(".cmdline", "debug on"),
	}}.Bytes()
	const header = "elfcorehdr=0x1bbff0000"
	for _, test := range []struct {
		name        string
		image       []byte
		text, want  string
		description string
	}{
		{"kernel", plain, "", header, "nothing to keep"},
		{"kernel", plain, "a=1  b crashkernel=256M", header + " a=1 b", "no memory is set aside again"},
		{"kernel", plain, "elfcorehdr=0x10 a elfcorehdr=4K", header + " a", "an old one goes"},
		{"kernel", plain, `a="b  crashkernel=1 c" -- single`, header + ` a="b  crashkernel=1 c" -- single`, "quotes stay, and -- is behind"},
		{"kernel", plain, "@1 a", header + " @1 a", "no image with profiles"},
		{"no image", []byte("\x7fELF"), "a", header + " a", "a handoff, say"},
		{"UKI", uki, "", header + " root=a quiet", "its own"},
		{"UKI", uki, "  ", header + " root=a quiet", "blanks are no command line"},
		{"UKI", uki, "root=b", header + " root=b", "given instead of its own"},
		{"UKI", uki, "@0", "@0 " + header + " root=a quiet", "the only profile"},
		{"UKI", uki, "@x", header + " @x", "no number"},
		{"bare UKI", bare, "", header, "has none of its own"},
		{"profiles", profiles, "", header + " base", "the first profile"},
		{"profiles", profiles, "@1", "@1 " + header + " debug on", "the second one"},
		{"profiles", profiles, "@1 root=b", "@1 " + header + " root=b", "with other options"},
	} {
		got, err := newCrash(t).LoadOptions(bytes.NewReader(test.image), int64(len(test.image)), test.text)
		if err != nil || got != test.want {
			t.Errorf("%s, %q (%s): %q, %v, want %q", test.name, test.text, test.description, got, err, test.want)
		}
	}
	if got, err := newCrash(t).LoadOptions(bytes.NewReader(profiles), int64(len(profiles)), "@2"); err == nil || !strings.Contains(err.Error(), "no profile 2") {
		t.Errorf("@2: %q, %v", got, err)
	}
}

func FuzzSplitWords(f *testing.F) {
	f.Add(`a="b c" -- d`)
	f.Fuzz(func(t *testing.T, text string) {
		words := splitWords(text)
		if again := splitWords(strings.Join(words, " ")); !slices.Equal(again, words) && strings.Count(text, `"`)%2 == 0 {
			t.Errorf("%q: %q, and again %q", text, words, again)
		}
	})
}
