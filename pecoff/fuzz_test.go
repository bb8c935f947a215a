// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"bytes"
	"crypto"
	"io"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// fuzzImage bounds SizeOfImage in fuzzing, to keep it fast.
const fuzzImage = 4 << 20

// FuzzParse puts mutations of small valid images through everything the package does.
func FuzzParse(f *testing.F) {
	for _, m := range samples() {
		f.Add(m.Bytes())
	}
	f.Add(plain().Bytes()[petest.Signature:])
	f.Fuzz(func(t *testing.T, b []byte) {
		im, err := pecoff.Parse(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		exercise(t, im, len(b))
	})
}

// FuzzFields overwrites up to three header fields of a valid image, which keeps more of it valid than free mutation.
func FuzzFields(f *testing.F) {
	var images []petest.Image
	for _, name := range []string{"plain", "kernel", "uki", "pe32", "signed", "tail", "few", "bss"} {
		images = append(images, samples()[name])
	}
	f.Add(uint8(0), uint16(petest.OptionalHeader+56), uint32(0x4000), uint16(0x800), uint32(0x3000), uint16(0x1b8), uint32(0))
	f.Fuzz(func(t *testing.T, image uint8, at1 uint16, v1 uint32, at2 uint16, v2 uint32, at3 uint16, v3 uint32) {
		b := images[int(image)%len(images)].Bytes()
		for _, e := range []struct {
			at uint16
			v  uint32
		}{{at1, v1}, {at2, v2}, {at3, v3}} {
			if int(e.at)+4 <= len(b) {
				le.PutUint32(b[e.at:], e.v)
			}
		}
		im, err := pecoff.Parse(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		exercise(t, im, len(b))
	})
}

func exercise(t *testing.T, im *pecoff.Image, size int) {
	certs, err := im.Certificates()
	for _, c := range certs {
		if int(c.Length) != len(c.Data)+8 || int(c.Offset)+int(c.Length) > size {
			t.Fatalf("certificate %+v in a file of %d bytes (%v)", c, size, err)
		}
	}
	for i, p := range im.Profiles() {
		if len(p.Base)+len(p.Own) > len(im.Sections) {
			t.Fatalf("profile %d has %d+%d of %d sections", i, len(p.Base), len(p.Own), len(im.Sections))
		}
		if s, ok := p.Section(".profile"); ok != (len(p.Own) > 0) || ok && s != p.Own[0] {
			t.Fatalf("profile %d: %v %v", i, s, ok)
		}
	}
	asIs, err1 := im.Authenticode(pecoff.AsIs, crypto.SHA256)
	asSigned, err2 := im.Authenticode(pecoff.AsSigned, crypto.SHA256)
	if (err1 == nil) != (err2 == nil) {
		t.Fatalf("digests: %v, %v", err1, err2)
	}
	if _, ok := im.Directory(pecoff.DirectoryCertificate); err1 == nil && !ok && size%8 == 0 && !bytes.Equal(asIs[0], asSigned[0]) {
		t.Fatal("digests of an aligned file differ")
	}
	if im.SizeOfImage > fuzzImage {
		return
	}
	mem := bytes.Repeat([]byte{0xee}, int(im.SizeOfImage))
	if err := im.LayOut(mem); err != nil {
		if im.Check(im.Machine) == nil {
			t.Fatalf("Check is content, LayOut is not: %v", err)
		}
		return
	}
	if err1 != nil && len(im.Sections) < 4 && im.Check(im.Machine) == nil {
		if _, ok := im.Directory(pecoff.DirectoryCertificate); !ok {
			t.Fatalf("loadable, but no digest: %v", err1)
		}
	}
	if len(im.Sections) > 0 {
		s := im.Sections[len(im.Sections)-1]
		want, err := io.ReadAll(im.Mapped(s))
		if err != nil || len(want) > 0 && !bytes.Equal(want, mem[s.VirtualAddress:][:len(want)]) {
			t.Fatalf("section %+v differs from memory: %v", s, err)
		}
	}
	other := make([]byte, len(mem))
	if err := im.LayOut(other); err != nil || !bytes.Equal(mem, other) {
		t.Fatalf("LayOut leaves bytes of what was there before: %v", err)
	}
	laidOut, err := im.LaidOut()
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(other); at += 0x1333 {
		part := bytes.Repeat([]byte{0xee}, min(0x1333, len(other)-at))
		if _, err := laidOut.ReadAt(part, int64(at)); err != nil || !bytes.Equal(mem[at:][:len(part)], part) {
			t.Fatalf("LaidOut differs from LayOut at %#x: %v", at, err)
		}
	}
	base := im.ImageBase&^uint64(im.SectionAlignment-1) + 16*uint64(im.SectionAlignment)
	fixups, err := im.Fixups()
	if im.Relocate(mem, base) != nil || err != nil {
		return // any answer is right, as long as it comes
	}
	inFixups := func(rva int) bool {
		return slices.ContainsFunc(fixups, func(f pecoff.Span) bool {
			return int(f.VirtualAddress) <= rva && rva < int(f.VirtualAddress)+int(f.Size)
		})
	}
	if len(fixups) > 0 && slices.ContainsFunc(fixups[1:], func(f pecoff.Span) bool {
		return f.VirtualAddress < fixups[0].VirtualAddress+fixups[0].Size && fixups[0].VirtualAddress < f.VirtualAddress+f.Size
	}) {
		return // fixups may change the table
	}
	for rva := int(im.SizeOfHeaders); rva < len(mem); rva++ {
		if mem[rva] != other[rva] && !inFixups(rva) {
			t.Fatalf("Relocate changes %#x, which is in none of %+v", rva, fixups)
		}
	}
}
