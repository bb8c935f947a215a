// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_UNICODE_COLLATION_PROTOCOL (§21.1).
const (
	slotStriColl = iota
	slotMetaiMatch
	slotStrLwr
	slotStrUpr
	slotFatToStr
	slotStrToFat
	slotLanguages
)

func TestUnicodeCollation(t *testing.T) {
	runGuest(t, install(protocols.UnicodeCollation()...), func(t *testing.T, g *guestProgram) {
		for guid, languages := range map[efi.GUID]string{efi.UnicodeCollation2ProtocolGUID: "en\x00", efi.UnicodeCollationProtocolGUID: "eng\x00"} {
			at := uint64(g.slot(g.locate(t, guid), slotLanguages))
			if got := string(g.bytes(at, uint64(len(languages)))); got != languages {
				t.Errorf("languages %q, want %q", got, languages)
			}
		}
		this := g.locate(t, efi.UnicodeCollation2ProtocolGUID)
		call := func(slot int, args ...uint64) uint64 {
			return g.Call(g.slot(this, slot), append([]uint64{uint64(this)}, args...)...)
		}
		for _, test := range []struct {
			a, b string
			want int64
		}{
			{"Same", "sAME", 0}, {"", "", 0}, {"äÖ", "ÄÖ", 0}, {"a", "B", -1}, {"ab", "a", 'B'}, {"", "x", -'X'}, {"÷", "×", 0xf7 - 0xd7},
		} {
			if got := int64(call(slotStriColl, g.text(test.a), g.text(test.b))); got != test.want {
				t.Errorf("%q and %q: %d, want %d", test.a, test.b, got, test.want)
			}
		}
		for _, test := range []struct {
			text, pattern string
			want          bool
		}{
			{"BOOTX64.EFI", "*.efi", true}, {"BOOTX64.EFI", "boot*", true}, {"BOOTX64.EFI", "*x64*", true}, {"BOOTX64.EFI", "b*x", false},
			{"", "", true}, {"", "*", true}, {"", "?", false}, {"a", "", false}, {"a", "?", true}, {"ab", "?", false},
			{"aab", "*ab", true}, {"abab", "*ab", true}, {"abac", "*ab", false}, {"abc", "a*b*c*", true}, {"abc", "a**c", true},
			{"fs3", "fs[0-9]", true}, {"fsx", "fs[0-9]", false}, {"b", "[ABC]", true}, {"d", "[abc]", false}, {"a-b", "a[-]b", true},
			{"a", "[", false}, {"a", "[a", true}, {"x", "[]", false}, {"kernel", "*[k-m]", true},
		} {
			if got := byte(call(slotMetaiMatch, g.text(test.text), g.text(test.pattern))) != 0; got != test.want {
				t.Errorf("%q as %q: %v", test.text, test.pattern, got)
			}
		}
		text := g.text("Grün × 9")
		if call(slotStrUpr, text); g.string(text) != "GRÜN × 9" {
			t.Errorf("in capitals: %q", g.string(text))
		}
		if call(slotStrLwr, text); g.string(text) != "grün × 9" {
			t.Errorf("in small letters: %q", g.string(text))
		}
		room := g.put(make([]byte, 32))
		if call(slotFatToStr, 8, g.put([]byte("KERNEL\x00X")), room); g.string(room) != "KERNEL" {
			t.Errorf("of a short name: %q", g.string(room))
		}
		if call(slotFatToStr, 3, g.put([]byte("KERNEL\x00X")), room); g.string(room) != "KER" {
			t.Errorf("of a short name of 3: %q", g.string(room))
		}
		for _, test := range []struct {
			text string
			size uint64
			want string
			long bool
		}{
			{"grub.cfg", 8, "GRUBCFG\x00", false}, {"a b+c", 8, "AB_C\x00\x00\x00\x00", true}, {"initrd.img", 6, "INITRD\x00\x00", false},
		} {
			fat := g.put(make([]byte, 8))
			long := byte(call(slotStrToFat, g.text(test.text), test.size, fat)) != 0
			if got := string(g.bytes(fat, 8)); got != test.want || long != test.long {
				t.Errorf("short name of %q: %q, %v", test.text, got, long)
			}
		}
	})
}

// Strings without an end and pointers to nothing hurt nobody.
func TestUnicodeCollationOfWildPointers(t *testing.T) {
	wantExit(t, bootWith(t, emu.Config{Arch: cpu.AMD64}, install(protocols.UnicodeCollation()...), func(t *testing.T, g *guestProgram) {
		this := g.locate(t, efi.UnicodeCollation2ProtocolGUID)
		text := g.text("text")
		for _, wild := range g.wildPointers() {
			for slot := slotStriColl; slot <= slotMetaiMatch; slot++ {
				for _, args := range [][2]uint64{{text, wild}, {wild, text}} {
					if got := g.Call(g.slot(this, slot), uint64(this), args[0], args[1]); got != 0 {
						t.Errorf("slot %d of %#x: %#x", slot, args, got)
					}
				}
			}
			g.want(t, "StrLwr", g.method(this, slotStrLwr, wild), efi.InvalidParameter)
			g.want(t, "FatToStr", g.method(this, slotFatToStr, 4, text, wild), efi.InvalidParameter)
			g.want(t, "FatToStr", g.method(this, slotFatToStr, 4, wild, text), efi.InvalidParameter)
			g.want(t, "StrToFat", g.method(this, slotStrToFat, text, 8, wild), efi.InvalidParameter)
		}
	}))
}
