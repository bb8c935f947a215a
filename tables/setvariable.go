// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
)

const (
	authenticated = efi.VariableAuthenticatedWriteAccess | efi.VariableTimeBasedAuthenticatedWriteAccess |
		efi.VariableEnhancedAuthenticatedAccess
	allAttributes = authenticated | efi.VariableNonVolatile | efi.VariableBootServiceAccess |
		efi.VariableRuntimeAccess | efi.VariableHardwareErrorRecord | efi.VariableAppendWrite
	errorRecord = efi.VariableNonVolatile | efi.VariableBootServiceAccess | efi.VariableRuntimeAccess |
		efi.VariableHardwareErrorRecord
)

// Set writes, appends to or deletes a variable on behalf of the payload
// (§8.2.3). Attributes of zero delete it, and so does no data, unless it is
// appended.
//
// InvalidParameter: the name is empty, malformed or too long; the attributes
// are unknown, lack boot service access, or are not those of the variable that
// exists; a hardware error record has another name, GUID or attributes than the
// specification gives it (Appendix P), or something else has its name and GUID;
// the variable would be longer than Limits.MaxSize; a variable created at
// runtime is not both non-volatile and of runtime access.
//
// NotFound: the variable to delete is not there. OutOfResources: the storage is
// full. WriteProtected: the variable is read-only, or authenticated and the call
// is not, or, at runtime, lacks runtime access or is volatile. Unsupported:
// AuthenticatedWriteAccess, which the specification has withdrawn.
// SecurityViolation: any other write that is to be authenticated, for no
// signature is ever accepted here.
func (v *Variables) Set(name string, guid efi.GUID, attrs efi.VariableAttribute, data []byte) error {
	units, err := v.checkName(name)
	if err != nil {
		return err
	}
	if status := checkAttributes(name, guid, attrs); status != efi.Success {
		return fmt.Errorf("set variable %q with attributes %v: %w", name, attrs, status)
	}
	var old Variable
	i, exists := v.find(name, guid)
	if exists {
		old = v.vars[i]
		if status := v.checkOverwrite(old, attrs); status != efi.Success {
			return fmt.Errorf("set variable %q, which has attributes %v, with attributes %v: %w", name, old.Attributes, attrs, status)
		}
	}
	if attrs&authenticated != 0 {
		return fmt.Errorf("authenticated variable %q: %w", name, efi.SecurityViolation)
	}
	appends := attrs&efi.VariableAppendWrite != 0
	attrs &^= efi.VariableAppendWrite
	switch {
	case appends && len(data) == 0:
		return nil
	case (attrs == 0 || len(data) == 0) && !exists:
		return fmt.Errorf("delete variable %q %v: %w", name, guid, efi.NotFound)
	case attrs == 0 || len(data) == 0:
		v.remove(i)
		return nil
	case !exists && v.AtRuntime && attrs&persistent != persistent:
		return fmt.Errorf("create variable %q with attributes %v at runtime: %w", name, attrs, efi.InvalidParameter)
	}
	if appends {
		data = bytes.Join([][]byte{old.Data, data}, nil)
	}
	return v.store(Variable{Name: name, GUID: guid, Attributes: attrs, Data: data}, units)
}

// persistent is what a variable needs to be changed at runtime.
const persistent = efi.VariableNonVolatile | efi.VariableRuntimeAccess

// checkName returns the length of name in UTF-16 units.
func (v *Variables) checkName(name string) (uint64, error) {
	b, err := EncodeVariableName(name)
	if err != nil {
		return 0, err
	}
	units := uint64(len(b)/2 - 1)
	if units == 0 || units > v.Limits.withDefaults().MaxName {
		return 0, fmt.Errorf("variable name of %d units: %w", units, efi.InvalidParameter)
	}
	return units, nil
}

// checkAttributes is the rules that do not depend on what is stored.
func checkAttributes(name string, guid efi.GUID, attrs efi.VariableAttribute) efi.Status {
	switch {
	case attrs == 0:
		return efi.Success
	case attrs&^allAttributes != 0 || !validAccess(attrs):
		return efi.InvalidParameter
	case attrs&efi.VariableAuthenticatedWriteAccess != 0:
		return efi.Unsupported
	case isErrorRecord(name, guid) != (attrs&efi.VariableHardwareErrorRecord != 0):
		return efi.InvalidParameter
	}
	return efi.Success
}

// checkOverwrite is the rules for a variable that exists.
func (v *Variables) checkOverwrite(old Variable, attrs efi.VariableAttribute) efi.Status {
	switch {
	case old.ReadOnly || v.AtRuntime && old.Attributes&persistent != persistent:
		return efi.WriteProtected
	case attrs != 0 && attrs&^efi.VariableAppendWrite != old.Attributes:
		return efi.InvalidParameter
	case old.Attributes&authenticated != 0 && attrs&authenticated == 0:
		return efi.WriteProtected
	}
	return efi.Success
}

// validAccess reports whether attrs have boot service access, without which
// there is neither runtime access nor anything else, and for a hardware error
// record all else that it needs.
func validAccess(attrs efi.VariableAttribute) bool {
	if attrs&efi.VariableHardwareErrorRecord != 0 {
		return attrs&errorRecord == errorRecord
	}
	return attrs&efi.VariableBootServiceAccess != 0
}

// isErrorRecord reports whether a variable is HwErrRec#### of the GUID that is
// set aside for hardware error records (Appendix P).
func isErrorRecord(name string, guid efi.GUID) bool {
	number, ok := strings.CutPrefix(name, "HwErrRec")
	return ok && len(number) == 4 && strings.Trim(number, "0123456789ABCDEF") == "" &&
		guid == efi.GUID{Data1: 0x414e6bdd, Data2: 0xe47b, Data3: 0x47cc, Data4: [8]byte{0xb2, 0x44, 0xbb, 0x61, 0x02, 0x0c, 0xf5, 0x16}}
}
