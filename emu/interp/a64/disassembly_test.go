// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"bufio"
	"crypto/sha256"
	"debug/pe"
	"io/fs"
	"maps"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDisassembly compares what the decoder takes for instructions with what
// llvm-objdump does, over all code of the corpus.
func TestDisassembly(t *testing.T) {
	corpus := os.Getenv("UEFIEXEC_CORPUS")
	if _, err := exec.LookPath("llvm-objdump"); err != nil || corpus == "" {
		if os.Getenv("UEFIEXEC_NOSKIP") == "1" {
			t.Fatalf("corpus %q, llvm-objdump: %v", corpus, err)
		}
		t.Skipf("corpus %q, llvm-objdump: %v", corpus, err)
	}
	if testing.Short() {
		t.Skip("takes seconds")
	}
	files, total, unknown := 0, 0, map[string]int{}
	seen := map[[32]byte]bool{}
	err := filepath.WalkDir(corpus, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !strings.Contains(path, "/arm64/") {
			return err
		}
		f, err := pe.Open(path)
		if err != nil {
			return nil // no program
		}
		defer f.Close()
		n := 0
		for _, s := range f.Sections {
			const executable = 0x20000000
			if s.Characteristics&executable == 0 || f.Machine != pe.IMAGE_FILE_MACHINE_ARM64 {
				continue
			}
			text, err := s.Data()
			if err != nil {
				t.Errorf("%s: %s: %v", path, s.Name, err)
				continue
			}
			text = text[:min(len(text), int(s.VirtualSize))]
			if e.Name() == "vmlinuz" || e.Name() == "linux" {
				text = stub(f, s, text)
			}
			if sum := sha256.Sum256(text); !seen[sum] && len(text) > 0 {
				seen[sum] = true
				n += compareText(t, path+" "+s.Name, text, unknown)
			}
		}
		if n > 0 {
			t.Logf("%s: %d instructions", path, n)
			files++
			total += n
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d instructions", files, total)
	for _, mnemonic := range slices.Sorted(maps.Keys(unknown)) {
		t.Errorf("not known: %s, %d times", mnemonic, unknown[mnemonic])
	}
	if files < 30 || total < 1_000_000 {
		t.Errorf("%d instructions in %d files", total, files)
	}
}

// stub is the part of a kernel's code that runs before ExitBootServices: around its
// entry point.
func stub(f *pe.File, s *pe.Section, text []byte) []byte {
	header, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	at := int(header.AddressOfEntryPoint) - int(s.VirtualAddress)
	if !ok || at < 0 || at >= len(text) {
		return nil
	}
	return text[at&^0xffff : min(len(text), at&^0xffff+0x10000)]
}

// compareText compares a piece of code, and counts its instructions and those that
// are not known, by their mnemonics.
func compareText(t *testing.T, what string, text []byte, unknown map[string]int) (total int) {
	t.Helper()
	dir := t.TempDir()
	raw, object := filepath.Join(dir, "text"), filepath.Join(dir, "text.o")
	if err := os.WriteFile(raw, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("llvm-objcopy", "-I", "binary", "-O", "elf64-littleaarch64",
		"--rename-section", ".data=.text,code", raw, object).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command("llvm-objdump", "-d", "--mattr=+lse,+crc,+rcpc,+lor,+aes,+sha2", object)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		m := line.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		swapped, err := strconv.ParseUint(strings.ReplaceAll(m[1], " ", ""), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		total++
		raw, text := bits.ReverseBytes32(uint32(swapped)), strings.TrimSpace(strings.ReplaceAll(m[2], "\t", " "))
		mnemonic, _, _ := strings.Cut(text, " ")
		switch theirs, ours := text != "<unknown>", known(raw); {
		case theirs && !ours && !slices.ContainsFunc(leftOut, func(r *regexp.Regexp) bool { return r.MatchString(text) }):
			unknown[mnemonic]++
		case !theirs && ours && raw>>24 != 0xd4: // of svc and its kin the handler knows which there are
			if wrong++; wrong < 10 {
				t.Errorf("%s: %#08x is known, not to llvm-objdump", what, raw)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return total
}

// line is an instruction of llvm-objdump's.
var line = regexp.MustCompile(`^ *[0-9a-f]+: ((?:[0-9a-f]{2} ){4})\s*(.*)$`)

// leftOut are the instructions, as llvm-objdump has them, that the engine does not
// have. Nearly all of them lie in data.
var leftOut = []*regexp.Regexp{
	regexp.MustCompile(`^udf `),                           // undefined for ever
	regexp.MustCompile(`^(mrs|msr|sysl?) .*S\d_|^sysl? `), // registers and operations that have no names
}
