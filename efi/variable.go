// SPDX-License-Identifier: BSD-3-Clause

package efi

// VariableAttribute is the attributes of a variable (§8.2.1).
type VariableAttribute uint32

// The attributes of §8.2.1.
const (
	VariableNonVolatile                       VariableAttribute = 1 << 0
	VariableBootServiceAccess                 VariableAttribute = 1 << 1
	VariableRuntimeAccess                     VariableAttribute = 1 << 2
	VariableHardwareErrorRecord               VariableAttribute = 1 << 3
	VariableAuthenticatedWriteAccess          VariableAttribute = 1 << 4
	VariableTimeBasedAuthenticatedWriteAccess VariableAttribute = 1 << 5
	VariableAppendWrite                       VariableAttribute = 1 << 6
	VariableEnhancedAuthenticatedAccess       VariableAttribute = 1 << 7
)

// String is short, for traces: "NV|BS|RT".
func (a VariableAttribute) String() string {
	return flagString(uint64(a), []string{"NV", "BS", "RT", "HR", "AW", "AT", "AP", "EA"})
}
