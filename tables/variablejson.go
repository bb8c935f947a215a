// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/uefiexec/uefiexec/efi"
)

// variableJSON is a variable in a file that people read and edit.
type variableJSON struct {
	Name       string   `json:"name,omitempty"`
	NameUTF16  string   `json:"nameUTF16,omitempty"` // hexadecimal, for a name that is not text
	GUID       efi.GUID `json:"guid"`
	Attributes string   `json:"attributes"`
	Data       string   `json:"data"` // hexadecimal
	ReadOnly   bool     `json:"readOnly,omitempty"`
}

// MarshalJSON is a list of all variables in the order of their creation. Each
// has a name, a guid, attributes such as "NV|BS|RT", data in hexadecimal, and
// readOnly if it is. A name that is not text, because of a lone surrogate, is
// given as nameUTF16: little endian, hexadecimal, without the NUL.
func (v *Variables) MarshalJSON() ([]byte, error) {
	list := make([]variableJSON, 0, len(v.vars))
	for _, x := range v.vars {
		j := variableJSON{GUID: x.GUID, Attributes: x.Attributes.String(), Data: hex.EncodeToString(x.Data), ReadOnly: x.ReadOnly}
		if utf8.ValidString(x.Name) {
			j.Name = x.Name
		} else {
			raw, err := EncodeVariableName(x.Name)
			if err != nil {
				return nil, err
			}
			j.NameUTF16 = hex.EncodeToString(raw[:len(raw)-2])
		}
		list = append(list, j)
	}
	return json.Marshal(list)
}

// UnmarshalJSON puts the variables that MarshalJSON wrote into the place of
// those of v, within its Limits. On an error v stays as it was. Fields that are
// not known, a variable twice, and what Define refuses are errors; those of
// Define are a wrapped efi.Status.
func (v *Variables) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var list []variableJSON
	if err := dec.Decode(&list); err != nil {
		return fmt.Errorf("variables: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("variables: more than one value")
	}
	read := &Variables{Limits: v.Limits, AtRuntime: v.AtRuntime}
	for i, j := range list {
		x, err := j.variable()
		if err == nil {
			if _, twice := read.find(x.Name, x.GUID); twice {
				err = fmt.Errorf("%q is there twice", x.Name)
			} else {
				err = read.Define(x)
			}
		}
		if err != nil {
			return fmt.Errorf("variables: %d: %w", i, err)
		}
	}
	*v = *read
	return nil
}

func (j variableJSON) variable() (Variable, error) {
	x := Variable{Name: j.Name, GUID: j.GUID, ReadOnly: j.ReadOnly}
	if j.NameUTF16 != "" {
		raw, err := hex.DecodeString(j.NameUTF16)
		if err != nil || j.Name != "" {
			return Variable{}, fmt.Errorf("name %q and nameUTF16 %q", j.Name, j.NameUTF16)
		}
		x.Name = DecodeVariableName(raw)
	}
	var err error
	if x.Data, err = hex.DecodeString(j.Data); err != nil {
		return Variable{}, fmt.Errorf("data of %q: %w", j.Name, err)
	}
	for name := range strings.SplitSeq(j.Attributes, "|") {
		bit := efi.VariableAttribute(1)
		for bit&allAttributes != 0 && bit.String() != name {
			bit <<= 1
		}
		if bit&allAttributes == 0 {
			return Variable{}, fmt.Errorf("attributes %q of %q", j.Attributes, j.Name)
		}
		x.Attributes |= bit
	}
	return x, nil
}
