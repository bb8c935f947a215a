// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/pecoff"
)

// TestCoverage reads what is written as a tool would: the blocks of the
// demonstration lie in its code, the one at its entry is among them.
func TestCoverage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "coverage")
	if got := invoked(t, "run", "-coverage", file, demoFile(t)); got.code != exitDone || !strings.Contains(got.err, "(interp)") {
		t.Fatalf("%+v", got)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(raw, []byte("BB Table: "))
	var count int
	line, blocks, _ := bytes.Cut(rest, []byte("\n"))
	if _, err := fmt.Sscanf(string(line), "%d bbs", &count); !ok || err != nil || len(blocks) != 8*count || count < 10 {
		t.Fatalf("%d blocks in %d bytes, %v\n%s", count, len(blocks), err, head)
	}
	if !strings.Contains(string(head), "DRCOV VERSION: 2\n") || !strings.Contains(string(head), ", demo.efi\n") {
		t.Errorf("%s", head)
	}
	demo := payload(t, "demo")
	im, err := pecoff.Parse(bytes.NewReader(demo), int64(len(demo)))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := im.Section(".text")
	entry := false
	for ; len(blocks) > 0; blocks = blocks[8:] {
		offset, size, module := binary.LittleEndian.Uint32(blocks), binary.LittleEndian.Uint16(blocks[4:]), binary.LittleEndian.Uint16(blocks[6:])
		if module != 0 {
			continue // resident code: CopyMem and its kin
		}
		if offset < text.VirtualAddress || offset+uint32(size) > text.VirtualAddress+text.MappedSize() || size == 0 {
			t.Errorf("%d bytes at %#x", size, offset)
		}
		entry = entry || offset == im.EntryPoint
	}
	if !entry {
		t.Error("the entry point was not executed")
	}
	if got := invoked(t, "run", "-coverage", file, "-engine", "ptrace", demoFile(t)); got.code != exitUsage {
		t.Errorf("with ptrace: %+v", got)
	}
}
