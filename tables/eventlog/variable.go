// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
)

// variableData takes UEFI_VARIABLE_DATA apart (§10.2): the vendor, the length
// of the name in characters and that of the data in bytes, in 8 bytes each, the
// name in UTF-16 without a NUL, and the data.
func variableData(b []byte) (vendor efi.GUID, name string, data []byte, ok bool) {
	const header = 32
	if len(b) < header {
		return vendor, "", nil, false
	}
	vendor = efi.GUIDFromBytes([16]byte(b))
	chars, size, rest := le.Uint64(b[16:]), le.Uint64(b[24:]), b[header:]
	if chars > uint64(len(rest)/2) || size > uint64(len(rest))-2*chars {
		return vendor, "", nil, false
	}
	name = efi.DecodeString(rest[:min(2*chars, maxText)])
	return vendor, name, rest[2*chars:][:size], true
}

func (e *Event) variable() meaning {
	m := meaning{kind: kindVariable}
	what := "variable"
	if e.Type == EFIVariableAuthority || e.Type == EFISPDMDeviceAuthority {
		m.kind, what = kindAuthority, "verified by variable"
	}
	vendor, name, data, ok := variableData(e.Data)
	if !ok {
		m.value = hexText(e.Data)
		m.line = line("%s, not described: %s", what, m.value)
		return m
	}
	if name == "SbatLevel" { // shim logs it as one, and verifies nothing by it alone
		what = "variable"
	}
	m.name = clean(name, maxName)
	if vendor != efi.GlobalVariableGUID {
		m.name += " of " + guidName(vendor.Bytes())
	}
	m.value = variableValue(name, data)
	m.line = line("%s %s: %s", what, m.name, m.value)
	return m
}

// variableValue says what is in the variables of which that is known, and the
// size of others.
func variableValue(name string, data []byte) string {
	size := count(len(data), "byte")
	switch {
	case name == "SecureBoot" && len(data) == 0:
		return "absent"
	case name == "SecureBoot" && len(data) == 1 && data[0] <= 1:
		return []string{"off", "on"}[data[0]]
	case (name == "BootOrder" || name == "DriverOrder" || name == "SysPrepOrder") && len(data)%2 == 0:
		return orderText(data)
	case isLoadOption(name) && len(data) <= maxPath:
		option, err := efi.ParseLoadOption(data)
		if err != nil {
			break
		}
		return fmt.Sprintf("%s, %s", quote(option.Description, maxName), clean(option.FilePathList[0].String(), maxLine))
	case name == "SbatLevel":
		if s, _, ok := text(data); ok {
			return quote(s, maxName)
		}
	case len(data) == 0:
		return "empty or absent"
	}
	return size
}

// orderText lists the numbers of a boot order.
func orderText(data []byte) string {
	const shown = 16
	var b strings.Builder
	for i := 0; i < len(data); i += 2 {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == 2*shown {
			return b.String() + "…"
		}
		fmt.Fprintf(&b, "%04X", le.Uint16(data[i:]))
	}
	if b.Len() == 0 {
		return "empty or absent"
	}
	return b.String()
}

// isLoadOption reports whether name is Boot####, Driver####, SysPrep#### or
// PlatformRecovery#### (UEFI specification 2.10, §3.3).
func isLoadOption(name string) bool {
	for _, prefix := range []string{"Boot", "Driver", "SysPrep", "PlatformRecovery"} {
		if digits, ok := strings.CutPrefix(name, prefix); ok && len(digits) == 4 {
			_, err := strconv.ParseUint(digits, 16, 16)
			return err == nil
		}
	}
	return false
}
