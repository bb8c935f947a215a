// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"bufio"
	"crypto/sha256"
	"debug/pe"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDisassembly compares what the decoder makes of all code in the corpus with what
// objdump makes of it: lengths, and what is an instruction.
func TestDisassembly(t *testing.T) {
	corpus := os.Getenv("UEFIEXEC_CORPUS")
	if _, err := exec.LookPath("objdump"); err != nil || corpus == "" {
		if os.Getenv("UEFIEXEC_NOSKIP") == "1" {
			t.Fatalf("corpus %q, objdump: %v", corpus, err)
		}
		t.Skipf("corpus %q, objdump: %v", corpus, err)
	}
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	seen := map[[32]byte]bool{}
	all := tally{unknown: map[string]int{}}
	files := 0
	err := filepath.WalkDir(corpus, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !strings.Contains(path, "/amd64/") {
			return err
		}
		f, err := pe.Open(path)
		if err != nil {
			return nil // no program
		}
		defer f.Close()
		of := tally{unknown: map[string]int{}}
		for _, s := range f.Sections {
			const executable = 0x20000000
			if s.Characteristics&executable == 0 || f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
				continue
			}
			text, err := s.Data()
			if err != nil {
				t.Errorf("%s: %s: %v", path, s.Name, err)
				continue
			}
			text = text[:min(len(text), int(s.VirtualSize))]
			if e.Name() == "vmlinuz" || e.Name() == "linux" {
				text = stub(f, text) // the rest is the compressed kernel
			}
			if sum := sha256.Sum256(text); !seen[sum] && len(text) > 0 {
				seen[sum] = true
				compare(t, path+" "+s.Name, text, &of)
			}
		}
		if of.total > 0 {
			files++
			t.Logf("%s: %d instructions", path, of.total)
			all.total += of.total
			for mnemonic, n := range of.unknown {
				all.unknown[mnemonic] += n
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d instructions", files, all.total)
	for _, mnemonic := range slices.Sorted(maps.Keys(all.unknown)) {
		t.Errorf("not known: %s, %d times", mnemonic, all.unknown[mnemonic])
	}
	if files < 30 || all.total < 2_000_000 {
		t.Errorf("%d instructions in %d files", all.total, files)
	}
}

// leftOut are the instructions, in objdump's lines without prefixes, that are not
// known, or are none for a processor. Many of them lie in data.
var leftOut = []*regexp.Regexp{
	regexp.MustCompile(`^f`),              // x87
	regexp.MustCompile(`%mm[0-7]|^femms`), // MMX and 3DNow!
	regexp.MustCompile(`^v`),              // AVX and virtualisation
	regexp.MustCompile(`^ud[012]`),        // undefined for ever
	regexp.MustCompile(`^mov .*%([cdt][rb]|cs|\?)`),
	regexp.MustCompile(`^(clgi|stgi|inv(ept|lpga|pcid|vpid)|tdcall|monitor|mwait|wrmsrns)`),
	regexp.MustCompile(`^(clac|stac|clwb|enqcmds|movdiri|movdir64b|serialize|(rd|wr)(fs|gs)base|(rd|wr)pkru|rdrand|rdseed)`),
	regexp.MustCompile(`^(clrssbsy|setssbsy|incssp|wrss|xabort|xbegin|xgetbv|xsetbv|xrstor|xsave)`),
}

// tally counts what was compared.
type tally struct {
	total   int
	unknown map[string]int // by objdump's mnemonic
}

// compare compares a piece of code.
func compare(t *testing.T, what string, text []byte, of *tally) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-w", "-z", file)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fields := strings.SplitN(lines.Text(), "\t", 3)
		if len(fields) < 3 {
			continue
		}
		at, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(fields[0]), ":"), 16, 64)
		if err != nil {
			continue
		}
		code, err := hex.DecodeString(strings.ReplaceAll(fields[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		plain, locked := withoutPrefixes(fields[2])
		mnemonic, _, _ := strings.Cut(plain, " ")
		switch {
		case plain == "":
			continue // bytes that begin no instruction
		case code[0] == 0x66 && (mnemonic == "callw" || mnemonic == "jmpw" || mnemonic[0] == 'j' && strings.HasSuffix(mnemonic, "w")):
			continue // of which processors make different things
		}
		if code[0] == 0x9b && len(code) > 1 {
			at, code = at+1, code[1:] // a wait, and another instruction
		}
		of.total++
		d, n, err := decode(text[at:min(len(text), int(at)+longest)], at)
		if err != nil && int(at)+len(code) == len(text) {
			continue // cut off by the end
		}
		known := err == nil && name(&d) != "undefined" && name(&d) != "tooLong"
		switch bad := mnemonic == "(bad)"; {
		case bad && !known:
		case !bad && !known && err == nil:
			if !locked && !slices.ContainsFunc(leftOut, func(r *regexp.Regexp) bool { return r.MatchString(plain) }) {
				of.unknown[mnemonic]++
			}
		case bad || err != nil || n != len(code):
			if wrong++; wrong < 10 {
				t.Errorf("%s: %x: % x  %s: length %d, known %v, %v", what, at, code, fields[2], n, known, err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// withoutPrefixes is an instruction in a line of objdump's, "" if there is none,
// and whether it has a lock prefix, which few may have.
func withoutPrefixes(text string) (plain string, locked bool) {
	for {
		word, rest, _ := strings.Cut(strings.TrimLeft(text, " "), " ")
		switch prefix, _, _ := strings.Cut(word, "."); prefix {
		case "lock":
			locked = true
		case "rex", "data16", "addr32", "cs", "ds", "es", "ss", "fs", "gs", "rep", "repz", "repnz", "bnd", "notrack", "xacquire", "xrelease":
		default:
			return strings.TrimLeft(text, " "), locked
		}
		text = rest
	}
}

// stub is the part of a kernel's image that is code, around its entry point.
func stub(f *pe.File, text []byte) []byte {
	header, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok {
		return text
	}
	section := f.Section(".text")
	full, err := section.Data()
	at := int(header.AddressOfEntryPoint - section.VirtualAddress)
	if err != nil || at < 0 || at >= len(full) {
		return text
	}
	return full[at&^0xfff : min(len(full), at&^0xfff+24<<10)]
}
