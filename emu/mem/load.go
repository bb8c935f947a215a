// SPDX-License-Identifier: BSD-3-Clause

package mem

import (
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
)

// Load reads the T at p. T must be of fixed size, without pointers, and spell
// out its padding, as the structures of package efi do. A bad address is a
// *FaultError; a T of no fixed size is a mistake in the program and an error.
func Load[T any](m *Memory, p efi.Ptr[T]) (T, error) {
	var v T
	err := LoadInto(m, efi.Addr(p), &v)
	return v, err
}

// LoadInto is Load for code that has a pointer to the value but not its type.
func LoadInto(m *Memory, a efi.Addr, v any) error {
	raw, err := m.Read(a, uint64(max(binary.Size(v), 0)))
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *uint64:
		*v = binary.LittleEndian.Uint64(raw)
	case *efi.Addr:
		*v = efi.Addr(binary.LittleEndian.Uint64(raw))
	default:
		if _, err := binary.Decode(raw, binary.LittleEndian, v); err != nil {
			return fmt.Errorf("mem: load of %T: %w", v, err)
		}
	}
	return nil
}

// Store writes v at p; T is as for Load.
func Store[T any](m *Memory, p efi.Ptr[T], v T) error {
	raw, err := m.Edit(efi.Addr(p), uint64(max(binary.Size(v), 0)))
	if err != nil {
		return err
	}
	switch v := any(v).(type) {
	case uint64:
		binary.LittleEndian.PutUint64(raw, v)
	case efi.Addr:
		binary.LittleEndian.PutUint64(raw, uint64(v))
	default:
		if _, err := binary.Encode(raw, binary.LittleEndian, v); err != nil {
			return fmt.Errorf("mem: store of %T: %w", v, err)
		}
	}
	return nil
}

// Write copies b to a.
func (m *Memory) Write(a efi.Addr, b []byte) error {
	view, err := m.Edit(a, uint64(len(b)))
	copy(view, b)
	return err
}

// String16 returns the NUL-terminated UTF-16 string at a, a view without its
// NUL. One that does not end within limit characters or before RAM does is a
// *FaultError.
func (m *Memory) String16(a efi.Addr, limit int) ([]byte, error) {
	raw, err := m.Tail(a, 2*uint64(limit)+2)
	if err != nil {
		return nil, err
	}
	for i := 0; i+2 <= len(raw); i += 2 {
		if raw[i] == 0 && raw[i+1] == 0 {
			return raw[:i:i], nil
		}
	}
	return nil, &FaultError{a, uint64(len(raw)), Readable, "string without an end"}
}
