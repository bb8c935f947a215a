// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

var le = binary.LittleEndian

func parse(t testing.TB, b []byte) *pecoff.Image {
	t.Helper()
	im, err := pecoff.Parse(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	return im
}

func fill(n int, c byte) []byte { return bytes.Repeat([]byte{c}, n) }

// plain has code, data longer in memory than in the file, and one relocation of each type.
func plain() petest.Image {
	return petest.Image{
		ImageBase: 0x140000000,
		Sections: []petest.Section{
			{Name: ".text", Data: fill(0x300, 0x90)},
			{Name: ".data", Data: fill(0x20, 0x11), VirtualSize: 0x1800, Characteristics: 0xc0000040},
		},
		Relocs: []petest.Reloc{
			{RVA: 0x1008}, {RVA: 0x1010, Type: 3}, {RVA: 0x1020, Type: 1}, {RVA: 0x1024, Type: 2}, {RVA: 0x2000},
		},
	}
}

func uki() petest.Image {
	var ss []petest.Section
	for _, s := range [][2]string{
		{".text", "stub"}, {".osrel", "ID=test"}, {".linux", "kernel"}, {".cmdline", "base"},
		{".profile", "ID=one"}, {".cmdline", "first"},
		{".profile", "ID=two"}, {".initrd", "second"}, {".cmdline", "two"}, {".cmdline", "unseen"},
	} {
		ss = append(ss, petest.Section{Name: s[0], Data: []byte(s[1])})
	}
	return petest.Image{Machine: pecoff.ARM64, SectionAlignment: 0x10000, Sections: ss}
}

// samples are small valid images of the shapes that are found in practice.
func samples() map[string]petest.Image {
	kernel := petest.Image{
		Directories: 6, SectionAlignment: 0x20, FileAlignment: 0x20, MajorImageVersion: 1,
		Sections: []petest.Section{
			{Name: ".setup", Data: fill(0x60, 1)}, {Name: ".text", Data: fill(0x140, 2), VirtualSize: 0x4000},
		},
	}
	pe32 := plain()
	pe32.PE32, pe32.ImageBase, pe32.Machine = true, 0x400000, pecoff.I386
	pe32.Relocs = []petest.Reloc{{RVA: 0x1000, Type: 3}}
	signed := plain()
	signed.Certificates = [][]byte{fill(21, 0xc1), fill(64, 0xc2)}
	tail := plain()
	tail.Tail = fill(13, 0x77)
	few := petest.Image{Directories: 2, Sections: []petest.Section{{Name: ".text", Data: fill(5, 3)}}}
	bss := petest.Image{Sections: []petest.Section{{Name: ".text", Data: fill(5, 3)}, {Name: ".bss", VirtualSize: 0x2345}}}
	return map[string]petest.Image{
		"plain": plain(), "kernel": kernel, "uki": uki(), "pe32": pe32, "signed": signed, "tail": tail, "few": few, "bss": bss,
		"runtime": {Subsystem: pecoff.RuntimeDriver, Sections: []petest.Section{{Name: ".text", Data: fill(9, 9)}}},
	}
}

// unavailable skips a test that needs something this machine does not have. Where UEFIEXEC_NOSKIP is 1 everything is
// to be there, and the skip is a failure.
func unavailable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("UEFIEXEC_NOSKIP") == "1" {
		t.Fatalf("UEFIEXEC_NOSKIP: %s", why)
	}
	t.Skip(why)
}

// payloads are the PE files below the folders of ground truth and of downloaded payloads.
func payloads(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, v := range []string{"UEFIEXEC_TRUTH", "UEFIEXEC_CORPUS"} {
		root := os.Getenv(v)
		if root == "" {
			continue
		}
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && startsWithMZ(p) {
				files = append(files, p)
			}
			return err
		})
		require.NoError(t, err)
	}
	if len(files) == 0 {
		unavailable(t, "no payloads: neither UEFIEXEC_TRUTH nor UEFIEXEC_CORPUS names a folder with PE files")
	}
	return files
}

func startsWithMZ(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [2]byte
	n, _ := f.Read(b[:])
	return n == 2 && string(b[:]) == "MZ"
}
