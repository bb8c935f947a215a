// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/interp"
	"github.com/uefiexec/uefiexec/emu/ptrace"
)

// Where things lie, and what follows from that. On the host's processor, a kernel
// chooses its place by RDRAND and the time stamp counter, and the memory map has more
// or fewer entries.
var (
	address = regexp.MustCompile(`0x[0-9a-f]{5,}|  +`)
	mapSize = regexp.MustCompile(`(memoryMapSize|mapKey)[=→][0-9→]+`)
	size    = regexp.MustCompile(`size=[0-9]+`)
)

// lines are those of a trace without what depends on addresses.
func lines(trace string) []string {
	plain := address.ReplaceAllStringFunc(trace, func(s string) string { return s[:1] + "…" })
	plain = mapSize.ReplaceAllString(plain, "$1=…")
	all := strings.Split(strings.TrimSuffix(plain, "\n"), "\n")
	// GRUB's cache of a disk is good for two seconds by the processor's own time, which
	// goes as fast as it is.
	all = slices.DeleteFunc(all, func(line string) bool { return strings.Contains(line, "BlockIO.ReadBlocks(") })
	for i, line := range all {
		if i > 0 && strings.Contains(all[i-1], ".GetMemoryMap(") && strings.Contains(line, ".AllocatePool(") {
			all[i] = size.ReplaceAllString(line, "size=…") // for the map
		}
	}
	return all
}

// fiveLevels is a call of kernels on a processor that can do 57-bit addresses, which
// the interpreter's cannot: pages for the switch.
const fiveLevels = "BootServices.AllocatePages(type=MaxAddress, memoryType=LoaderData, pages=2, "

// departure is the first line in which the traces of the interpreter and of the
// processor differ, or "".
func departure(ours, native []string) string {
	for i, line := range native {
		if i < len(ours) && ours[i] != line && strings.Contains(line, fiveLevels) {
			end := i + 1
			for end < len(native) && strings.Contains(native[end], "…MemoryAttribute.") {
				end++ // of these pages
			}
			native = slices.Delete(slices.Clone(native), i, end)
			break
		}
	}
	for i := range max(len(ours), len(native)) {
		one, two := "(the end)", "(the end)"
		if i < len(ours) {
			one = ours[i]
		}
		if i < len(native) {
			two = native[i]
		}
		if one != two {
			return fmt.Sprintf("line %d is\n%s\nand on ptrace\n%s", i+1, one, two)
		}
	}
	return ""
}

// TestEqualTraces runs every x86-64 program of the corpus on the processor and on
// the interpreter: they make the same calls with the same results, print the same
// and come to the same end.
func TestEqualTraces(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	corpus := os.DirFS(emutest.Corpus(t, "."))
	switch err := ptrace.Available(); {
	case errors.Is(err, cpu.ErrNotSupported):
		emutest.Skip(t, "nothing to compare with: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	seen := map[[32]byte]bool{}
	for _, suite := range suites {
		root, err := fs.Sub(corpus, suite.name+"/amd64")
		if err != nil {
			t.Fatal(err)
		}
		entries, err := fs.ReadDir(root, ".")
		if err != nil {
			t.Fatal(err)
		}
		programs := map[string]emutest.Program{}
		for _, e := range entries {
			name := e.Name()
			switch ext := path.Ext(name); {
			case e.IsDir(), ext != ".efi" && ext != ".stub" && name != "vmlinuz", strings.HasPrefix(name, "uki"):
				continue // the volume has a UKI
			}
			p := emutest.Program{Image: read(t, root, name), Path: `\EFI\BOOT\BOOTX64.EFI`}
			if sum := sha256.Sum256(p.Image); !seen[sum] {
				seen[sum] = true
				programs[name] = p
			}
		}
		for _, volume := range []string{"esp", "esp-grub"} {
			files, err := fs.Sub(root, volume)
			if err != nil {
				t.Fatal(err)
			}
			p := emutest.Program{Image: read(t, files, "EFI/BOOT/BOOTX64.EFI"), Path: `\EFI\BOOT\BOOTX64.EFI`, Volume: files}
			programs[volume] = p
			if volume == "esp" {
				p.Image, p.Path = read(t, files, "EFI/Linux/uki.efi"), `\EFI\Linux\uki.efi`
				programs["esp, uki.efi"] = p
			}
		}
		for _, name := range slices.Sorted(maps.Keys(programs)) {
			t.Run(suite.name+"/"+name, func(t *testing.T) { equalTraces(t, name, programs[name]) })
		}
	}
}

func equalTraces(t *testing.T, name string, p emutest.Program) {
	p.Config = func(c *emu.Config) {
		c.Limits.Calls = 10_000 // some ask for keys for ever
		c.Limits.Time = 2 * time.Minute
	}
	native, ours := emutest.RunOn(t, p, ptrace.New), emutest.RunOn(t, p, interp.New)
	var diff []string
	for what, pair := range map[string][2]string{
		"trace":   {ours.Trace, native.Trace},
		"console": {ours.Console, native.Console},
		"end":     {fmt.Sprint(ours.Err), fmt.Sprint(native.Err)},
	} {
		if d := departure(lines(pair[0]), lines(pair[1])); d != "" {
			diff = append(diff, what+": "+d)
		}
	}
	t.Logf("%d lines; %.100v", strings.Count(native.Trace, "\n"), native.Err)
	if len(diff) > 0 {
		t.Error(strings.Join(diff, "\n"))
	}
}
