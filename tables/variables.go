// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"fmt"
	"iter"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

// Variable is a variable (§8.2). Its name has the form that DecodeVariableName
// gives, which for a name that is text is the text.
type Variable struct {
	Name       string
	GUID       efi.GUID
	Attributes efi.VariableAttribute
	Data       []byte

	// ReadOnly makes Set answer WriteProtected.
	ReadOnly bool
}

// clone is a copy that shares no data with x.
func (x Variable) clone() Variable {
	x.Data = slices.Clone(x.Data)
	return x
}

// VariableLimits bounds a Variables. Zero is the default.
type VariableLimits struct {
	// MaxSize is of the data of one variable and its name with the NUL, in
	// bytes. The default is 64 KiB.
	MaxSize uint64
	// MaxStorage is of all variables, each counted as it lies in MarshalImage,
	// in bytes, of which it uses a multiple of 8. The default is 1 MiB.
	MaxStorage uint64
	// MaxName is of a name without the NUL, in UTF-16 units. The default is 511,
	// what Linux has room for.
	MaxName uint64
}

func (l VariableLimits) withDefaults() VariableLimits {
	if l.MaxSize == 0 {
		l.MaxSize = 64 << 10
	}
	if l.MaxStorage == 0 {
		l.MaxStorage = 1 << 20
	}
	if l.MaxName == 0 {
		l.MaxName = 511
	}
	l.MaxStorage &^= 7
	return l
}

// Variables is the variable store (§8.2), with one storage for volatile and
// non-volatile variables. It persists nothing and checks no signatures. The
// zero value is an empty store.
type Variables struct {
	Limits VariableLimits

	// AtRuntime is set by whoever serves ExitBootServices. From then on Get,
	// Next, Set and Info know only variables with runtime access (§8.2).
	AtRuntime bool

	vars  []Variable // in the order of their creation
	index map[variableKey]int
	used  uint64
}

type variableKey struct {
	name string
	guid efi.GUID
}

// Get is a copy of a variable (§8.2.1). NotFound: there is none, or it is not
// visible at runtime.
func (v *Variables) Get(name string, guid efi.GUID) (Variable, error) {
	i, ok := v.visible(name, guid)
	if !ok {
		return Variable{}, fmt.Errorf("variable %q %v: %w", name, guid, efi.NotFound)
	}
	return v.vars[i].clone(), nil
}

// Next is the variable created after the one named, or the first for an empty
// name (§8.2.2). A variable keeps its place while it is overwritten.
//
// NotFound: there are no more. InvalidParameter: there is none of that name.
func (v *Variables) Next(name string, guid efi.GUID) (string, efi.GUID, error) {
	next := 0
	if name != "" {
		i, ok := v.visible(name, guid)
		if !ok {
			return "", efi.GUID{}, fmt.Errorf("variable after %q %v: %w", name, guid, efi.InvalidParameter)
		}
		next = i + 1
	}
	for _, x := range v.vars[next:] {
		if v.shows(x) {
			return x.Name, x.GUID, nil
		}
	}
	return "", efi.GUID{}, fmt.Errorf("variable after the last: %w", efi.NotFound)
}

// VariableInfo is what QueryVariableInfo tells (§8.2.4), in bytes.
type VariableInfo struct {
	MaximumStorage   uint64
	RemainingStorage uint64
	MaximumSize      uint64 // of one variable, with its name
}

// Info is how much room there is for variables with attributes attrs (§8.2.4).
//
// InvalidParameter: attrs is zero or no valid combination, or at runtime lacks
// runtime access. Unsupported: attrs ask for authentication, or are unknown.
func (v *Variables) Info(attrs efi.VariableAttribute) (VariableInfo, error) {
	err := fmt.Errorf("variables with attributes %v: %w", attrs, efi.InvalidParameter)
	switch {
	case attrs == 0:
		return VariableInfo{}, err
	case attrs&(authenticated|^allAttributes) != 0:
		return VariableInfo{}, fmt.Errorf("variables with attributes %v: %w", attrs, efi.Unsupported)
	case !validAccess(attrs) || v.AtRuntime && attrs&efi.VariableRuntimeAccess == 0:
		return VariableInfo{}, err
	}
	l := v.Limits.withDefaults()
	info := VariableInfo{MaximumStorage: l.MaxStorage, RemainingStorage: l.MaxStorage - min(v.used, l.MaxStorage)}
	if info.RemainingStorage > imageEntryHeader {
		info.MaximumSize = min(l.MaxSize, info.RemainingStorage-imageEntryHeader)
	}
	return info, nil
}

// All yields copies of all variables, also of those hidden at runtime, in the
// order of their creation. The store must not change meanwhile.
func (v *Variables) All() iter.Seq[Variable] {
	return func(yield func(Variable) bool) {
		for _, x := range v.vars {
			if !yield(x.clone()) {
				return
			}
		}
	}
}

// Len is the number of variables.
func (v *Variables) Len() int { return len(v.vars) }

// Define makes x a variable on behalf of the firmware, in the place of one of
// its name, if any. ReadOnly, AtRuntime and the need to authenticate do not
// stand in the way, so that it can define SecureBoot or db.
//
// InvalidParameter: the name is empty, too long or malformed, there is no data
// or too much, or the attributes are unknown, lack boot service access or ask
// to append. OutOfResources: the storage is full.
func (v *Variables) Define(x Variable) error {
	units, err := v.checkName(x.Name)
	if err != nil {
		return err
	}
	if len(x.Data) == 0 || x.Attributes&^(allAttributes&^efi.VariableAppendWrite) != 0 || !validAccess(x.Attributes) {
		return fmt.Errorf("define %q with attributes %v and %d bytes: %w", x.Name, x.Attributes, len(x.Data), efi.InvalidParameter)
	}
	return v.store(x, units)
}

// DeleteFunc deletes, on behalf of the firmware, the variables that del chooses.
// del must not change the data.
func (v *Variables) DeleteFunc(del func(Variable) bool) {
	for i := len(v.vars) - 1; i >= 0; i-- {
		if del(v.vars[i]) {
			v.remove(i)
		}
	}
}

// Clone is a copy that shares nothing with v.
func (v *Variables) Clone() *Variables {
	c := &Variables{Limits: v.Limits, AtRuntime: v.AtRuntime, used: v.used}
	for _, x := range v.vars {
		c.vars = append(c.vars, x.clone())
	}
	c.reindex(0)
	return c
}

func (v *Variables) find(name string, guid efi.GUID) (int, bool) {
	i, ok := v.index[variableKey{name, guid}]
	return i, ok
}

// visible is find for the payload.
func (v *Variables) visible(name string, guid efi.GUID) (int, bool) {
	i, ok := v.find(name, guid)
	return i, ok && v.shows(v.vars[i])
}

func (v *Variables) shows(x Variable) bool {
	return !v.AtRuntime || x.Attributes&efi.VariableRuntimeAccess != 0
}

// store creates or overwrites x, whose name has that many UTF-16 units, within
// the limits.
func (v *Variables) store(x Variable, units uint64) error {
	l := v.Limits.withDefaults()
	size := 2*(units+1) + uint64(len(x.Data))
	if size > l.MaxSize {
		return fmt.Errorf("variable %q of %d bytes: %w", x.Name, size, efi.InvalidParameter)
	}
	used := v.used + imageEntrySize(size)
	i, exists := v.find(x.Name, x.GUID)
	if exists {
		used -= imageEntrySize(2*(units+1) + uint64(len(v.vars[i].Data)))
	}
	if used > l.MaxStorage && used > v.used {
		return fmt.Errorf("variable %q of %d bytes: %w", x.Name, size, efi.OutOfResources)
	}
	v.used = used
	if exists {
		v.vars[i] = x.clone()
		return nil
	}
	v.vars = append(v.vars, x.clone())
	v.reindex(len(v.vars) - 1)
	return nil
}

func (v *Variables) remove(i int) {
	x := v.vars[i]
	name, _ := EncodeVariableName(x.Name)
	v.used -= imageEntrySize(uint64(len(name) + len(x.Data)))
	delete(v.index, variableKey{x.Name, x.GUID})
	v.vars = slices.Delete(v.vars, i, i+1)
	v.reindex(i)
}

// reindex brings the index up to date from variable i on.
func (v *Variables) reindex(i int) {
	if v.index == nil {
		v.index = make(map[variableKey]int)
	}
	for ; i < len(v.vars); i++ {
		v.index[variableKey{v.vars[i].Name, v.vars[i].GUID}] = i
	}
}
