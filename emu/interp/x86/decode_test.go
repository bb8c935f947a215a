// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"bufio"
	"debug/pe"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestLengths compares the lengths of all instructions of real programs with
// what objdump makes of them.
func TestLengths(t *testing.T) {
	corpus := os.Getenv("UEFIEXEC_CORPUS")
	if _, err := exec.LookPath("objdump"); err != nil || corpus == "" {
		if os.Getenv("UEFIEXEC_NOSKIP") == "1" {
			t.Fatalf("corpus %q, objdump: %v", corpus, err)
		}
		t.Skipf("corpus %q, objdump: %v", corpus, err)
	}
	for _, name := range []string{"bookworm/amd64/vmlinuz", "trixie/amd64/vmlinuz", "sid/amd64/vmlinuz", "trixie/amd64/esp/EFI/Linux/uki.efi", "sid/amd64/esp/EFI/Linux/uki.efi"} {
		t.Run(name, func(t *testing.T) { testLengths(t, filepath.Join(corpus, name)) })
	}
}

func testLengths(t *testing.T, path string) {
	f, err := pe.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	section := f.Section(".text")
	if section == nil {
		t.Skip("no .text")
	}
	text, err := section.Data()
	if err != nil {
		t.Fatal(err)
	}
	// What follows the code of a kernel's image is the compressed kernel.
	text = text[:min(len(text), 1<<20)]
	if strings.HasSuffix(path, "vmlinuz") {
		text = stub(f, text)
	}
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-w", "-z", file)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	total, unknown, wrong := 0, map[string]int{}, 0
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		fields := strings.SplitN(lines.Text(), "\t", 3)
		if len(fields) < 3 || strings.Contains(fields[2], "(bad)") || strings.HasPrefix(fields[2], ".byte") {
			continue
		}
		at, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(fields[0]), ":"), 16, 64)
		if err != nil {
			continue
		}
		code, err := hex.DecodeString(strings.ReplaceAll(fields[1], " ", ""))
		if err != nil || fields[2] == "" || strings.HasPrefix(fields[2], "rex") || strings.HasPrefix(fields[2], "data16") {
			continue
		}
		total++
		d, n, err := decode(text[at:min(len(text), int(at)+longest)], at)
		if err == nil && name(&d) == "undefined" {
			mnemonic, _, _ := strings.Cut(fields[2], " ")
			unknown[mnemonic]++
			continue
		}
		if err != nil || n != len(code) {
			if wrong++; wrong < 10 {
				t.Errorf("%x: % x  %s: length %d, %v", at, code, fields[2], n, err)
			}
		}
	}
	t.Logf("%d instructions, %d lengths differ; not known: %v", total, wrong, fmt.Sprint(unknown))
	if total < 1000 {
		t.Errorf("objdump has found %d instructions", total)
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
