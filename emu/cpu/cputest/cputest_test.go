// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/x86/x86asm"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// TestCases checks the suite itself, as no engine for some of its code may be
// at hand: bytes are whole instructions, and each case says what it is about.
func TestCases(t *testing.T) {
	decoders := map[cpu.Arch]func([]byte) (int, error){
		cpu.AMD64: func(code []byte) (int, error) {
			inst, err := x86asm.Decode(code, 64)
			return inst.Len, err
		},
		cpu.ARM64: func(code []byte) (int, error) {
			_, err := arm64asm.Decode(code)
			if word := binary.LittleEndian.Uint32(code); word&0xfff8f000 == 0xd5087000 {
				err = nil // cache maintenance, which x/arch knows in part
			}
			return 4, err
		},
	}
	unknown := []string{
		"trap/undefined", "trap/undefined opcode", // on purpose
	}
	names := map[string]bool{}
	count := map[cpu.Arch]int{}
	for _, c := range cases() {
		if c.rule == "" || c.test == nil || names[c.name] {
			t.Errorf("%q has no rule, no test, or a name that was used before", c.name)
		}
		names[c.name] = true
		if c.code.amd64 == nil && c.code.arm64 == nil {
			t.Errorf("%s is about no architecture", c.name)
		}
		for arch, decode := range decoders {
			code := c.code.of(arch)
			if code == nil {
				continue
			}
			count[arch]++
			if slices.Contains(unknown, c.name) {
				continue
			}
			for at := 0; at < len(code); {
				n, err := decode(code[at:])
				if err != nil {
					t.Errorf("%s for %v, byte %d, % x: %v", c.name, arch, at, code[at:], err)
					break
				}
				at += n
			}
		}
	}
	t.Logf("%d cases, %d for %v, %d for %v", len(names), count[cpu.AMD64], cpu.AMD64, count[cpu.ARM64], cpu.ARM64)
}
