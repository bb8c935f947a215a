// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"
)

// known reports whether decoding finds something.
func known(raw uint32) bool {
	i, _ := decode(raw, 0x1000, 0)
	return i.op != opFn || reflect.ValueOf(i.fn).Pointer() != reflect.ValueOf(handler(undefined)).Pointer()
}

// TestDecode asks a second opinion: what golang.org/x/arch knows is here too, but
// for what the package comment leaves out.
func TestDecode(t *testing.T) {
	missing := []string{
		"DRPS", "MSR", // undefined at EL0
		"SYS", "SYSL", "AT", "DC", "IC", "TLBI", // those of other features
		"LDTR", "STTR", // of vectors there are none
	}
	rng := rand.New(rand.NewPCG(5, 6))
	unknown := map[string]uint32{}
	total := 0
	for range 2_000_000 {
		raw := rng.Uint32()
		inst, err := arm64asm.Decode(binary.LittleEndian.AppendUint32(nil, raw))
		// Shifts by more than 4 and masks of nothing but ones are reserved.
		reserved := raw&0x1f200000 == 0x0b200000 && field(raw, 10, 3) > 4 || raw&0x1f800000 == 0x12000000
		if err != nil || reserved {
			continue
		}
		total++
		op := inst.Op.String()
		if !known(raw) && !slices.ContainsFunc(missing, func(m string) bool { return strings.HasPrefix(op, m) }) {
			unknown[op] = raw
		}
	}
	for _, op := range slices.Sorted(maps.Keys(unknown)) {
		t.Errorf("%#08x %s is undefined", unknown[op], op)
	}
	if total < 100_000 {
		t.Errorf("%d instructions", total)
	}
}
