// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/hex"
	"maps"
	"testing"
	"testing/fstest"
)

// firmwareResource is an entry as Linux shows it.
func firmwareResource(files fstest.MapFS, number, class, flags string) {
	dir := "sys/firmware/efi/esrt/entries/entry" + number + "/"
	for name, text := range map[string]string{
		"fw_class": class + "\n", "fw_type": "1\n", "fw_version": "65586\n", "lowest_supported_fw_version": "65537\n",
		"capsule_flags": flags + "\n", "last_attempt_version": "65586\n", "last_attempt_status": "0\n",
	} {
		files[dir+name] = &fstest.MapFile{Data: []byte(text)}
	}
}

func TestReadESRT(t *testing.T) {
	files := fstest.MapFS{}
	firmwareResource(files, "0", "ddc0ee61-e7f0-4e7d-acc5-c070a398838e", "0x8010")
	firmwareResource(files, "1", "5b92717b-69ae-4d3c-a1cc-d4e5c4dd1e30", "0x0")
	const want = "02000000" + "02000000" + "0100000000000000" +
		"61eec0ddf0e77d4eacc5c070a398838e" + "01000000" + "32000100" + "01000100" + "10800000" + "32000100" + "00000000" +
		"7b71925bae693c4da1ccd4e5c4dd1e30" + "01000000" + "32000100" + "01000100" + "00000000" + "32000100" + "00000000"
	if got := hex.EncodeToString(readESRT(files)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	const first = "sys/firmware/efi/esrt/entries/entry0/"
	for name, change := range map[string]func(fstest.MapFS){
		"no GUID":        func(f fstest.MapFS) { f[first+"fw_class"] = &fstest.MapFile{Data: []byte("x")} },
		"no number":      func(f fstest.MapFS) { f[first+"fw_type"] = &fstest.MapFile{Data: []byte("-1")} },
		"too large":      func(f fstest.MapFS) { f[first+"fw_version"] = &fstest.MapFile{Data: []byte("4294967296")} },
		"a missing file": func(f fstest.MapFS) { delete(f, first+"capsule_flags") },
		"a gap":          func(f fstest.MapFS) { firmwareResource(f, "3", "ddc0ee61-e7f0-4e7d-acc5-c070a398838e", "0x0") },
		"nothing":        func(f fstest.MapFS) { clear(f) },
	} {
		damaged := maps.Clone(files)
		change(damaged)
		if got := readESRT(damaged); got != nil {
			t.Errorf("%s: %x", name, got)
		}
	}
}
