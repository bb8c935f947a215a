// SPDX-License-Identifier: BSD-3-Clause

package resident_test

import (
	"encoding/binary"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/resident"
	"github.com/uefiexec/uefiexec/tables"
)

// Where the tests put what the runtime services work on, and their arguments.
const (
	systemAt  = dataAt
	runtimeAt = dataAt + 0x1000
	vendorAt  = dataAt + 0x1800
	configAt  = dataAt + 0x1900
	storeAt   = dataAt + 0x2000
	argsAt    = dataAt + 0x200000
	sizeAt    = argsAt
	attrsAt   = argsAt + 0x08
	guidAt    = argsAt + 0x10
	outsAt    = argsAt + 0x20 // three words
	nameAt    = argsAt + 0x1000
	valueAt   = argsAt + 0x4000
)

// services are the runtime services of a guest.
type services struct {
	*guest
	params    resident.RuntimeParams
	functions map[string]efi.Addr
}

// newServices lays the blob, the tables and the store of v with its room, as a
// machine does that has exited boot services.
func newServices(t testing.TB, v *tables.Variables, p resident.RuntimeParams, ram ...efi.Range) *services {
	t.Helper()
	blob, err := resident.For("x64")
	if err != nil {
		t.Fatal(err)
	}
	s := &services{guest: newGuest(t, ram...), functions: map[string]efi.Addr{}}
	for name, offset := range blob.Functions() {
		s.functions[name] = codeAt + efi.Addr(offset)
	}
	p.Store, p.SystemTable, p.RuntimeServices = uint64(storeAt), uint64(systemAt), uint64(runtimeAt)
	s.params = p
	raw, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s.write(codeAt, blob.Code)
	s.write(codeAt+efi.Addr(blob.ParamsOffset()), raw)
	s.setVariables(v)
	s.table(systemAt, efi.SystemTable{
		TableHeader:          efi.TableHeader{Signature: efi.SystemTableSignature, Revision: efi.Revision},
		FirmwareVendor:       efi.Ptr[efi.Char16](vendorAt),
		RuntimeServices:      efi.Ptr[efi.RuntimeServices](runtimeAt),
		ConfigurationTable:   efi.Ptr[efi.ConfigurationTable](configAt),
		NumberOfTableEntries: 1,
	})
	unsupported := s.functions["Unsupported"]
	s.table(runtimeAt, efi.RuntimeServices{
		TableHeader:               efi.TableHeader{Signature: efi.RuntimeServicesSignature, Revision: efi.Revision},
		GetTime:                   unsupported,
		SetTime:                   unsupported,
		GetWakeupTime:             unsupported,
		SetWakeupTime:             unsupported,
		SetVirtualAddressMap:      s.functions["SetVirtualAddressMap"],
		ConvertPointer:            s.functions["ConvertPointer"],
		GetVariable:               s.functions["GetVariable"],
		GetNextVariableName:       s.functions["GetNextVariableName"],
		SetVariable:               s.functions["SetVariable"],
		GetNextHighMonotonicCount: unsupported,
		ResetSystem:               unsupported,
		UpdateCapsule:             unsupported,
		QueryCapsuleCapabilities:  unsupported,
		QueryVariableInfo:         s.functions["QueryVariableInfo"],
	})
	return s
}

func (s *services) table(at efi.Addr, v any) {
	s.Helper()
	raw, err := tables.MarshalTable(v)
	if err != nil {
		s.Fatal(err)
	}
	s.write(at, raw)
}

// setVariables makes the store that of v.
func (s *services) setVariables(v *tables.Variables) {
	s.Helper()
	image := v.MarshalImage()
	if uint64(len(image)) > s.params.StoreSize {
		s.Fatalf("the store has %d bytes, no room for %d", s.params.StoreSize, len(image))
	}
	s.write(storeAt, append(image, make([]byte, s.params.StoreSize-uint64(len(image)))...))
}

// putName writes a name and a GUID where the calls below pass them.
func (s *services) putName(name string, guid efi.GUID) {
	s.Helper()
	raw, err := tables.EncodeVariableName(name)
	if err != nil {
		s.Fatal(err)
	}
	s.write(nameAt, raw)
	b := guid.Bytes()
	s.write(guidAt, b[:])
}

// set calls SetVariable.
func (s *services) set(name string, guid efi.GUID, attrs efi.VariableAttribute, data []byte) efi.Status {
	s.Helper()
	s.putName(name, guid)
	s.write(valueAt, data)
	// What is above the 32 bits of the attributes is no part of them.
	return s.call(s.functions["SetVariable"], uint64(nameAt), uint64(guidAt), uint64(attrs)|0xdead<<32, uint64(len(data)), uint64(valueAt))
}

// get calls GetVariable, with a buffer that is too small and with one that is
// not, and checks that they agree.
func (s *services) get(name string, guid efi.GUID) (tables.Variable, efi.Status) {
	s.Helper()
	s.putName(name, guid)
	s.setWord(sizeAt, 0)
	s.setWord(attrsAt, ^uint64(0))
	call := func(data efi.Addr) efi.Status {
		s.Helper()
		return s.call(s.functions["GetVariable"], uint64(nameAt), uint64(guidAt), uint64(attrsAt), uint64(sizeAt), uint64(data))
	}
	if status := call(0); status != efi.BufferTooSmall {
		return tables.Variable{}, status
	}
	size, attrs := s.word(sizeAt), s.word(attrsAt)
	if attrs>>32 != 0xffffffff {
		s.Fatalf("more than 32 bits of attributes were written: %#x", attrs)
	}
	s.setWord(sizeAt, size-1)
	if status := call(valueAt); status != efi.BufferTooSmall || s.word(sizeAt) != size {
		s.Fatalf("a buffer of %d of %d bytes: %v, size %d", size-1, size, status, s.word(sizeAt))
	}
	if status := call(0); status != efi.InvalidParameter {
		s.Fatalf("no buffer of the right size: %v", status)
	}
	s.write(valueAt+efi.Addr(size), []byte{0x77})
	s.setWord(sizeAt, size+uint64(len(name)))
	if status := call(valueAt); status != efi.Success || s.word(sizeAt) != size {
		s.Fatalf("a buffer that is large enough: %v, size %d", status, s.word(sizeAt))
	}
	data := s.read(valueAt, size+1)
	if data[size] != 0x77 {
		s.Fatalf("more than %d bytes were written", size)
	}
	return tables.Variable{Name: name, GUID: guid, Attributes: efi.VariableAttribute(uint32(attrs)), Data: data[:size]}, efi.Success
}

// next calls GetNextVariableName with a buffer of that many bytes.
func (s *services) next(name string, guid efi.GUID, room uint64) (string, efi.GUID, efi.Status) {
	s.Helper()
	s.putName(name, guid)
	s.setWord(sizeAt, room)
	status := s.call(s.functions["GetNextVariableName"], uint64(sizeAt), uint64(nameAt), uint64(guidAt))
	if status != efi.Success {
		return "", efi.GUID{}, status
	}
	raw := s.read(nameAt, s.word(sizeAt))
	if n := len(raw); n < 4 || raw[n-1] != 0 || raw[n-2] != 0 {
		s.Fatalf("the name % x does not end", raw)
	}
	return tables.DecodeVariableName(raw), efi.GUIDFromBytes([16]byte(s.read(guidAt, 16))), efi.Success
}

// info calls QueryVariableInfo.
func (s *services) info(attrs efi.VariableAttribute) (tables.VariableInfo, efi.Status) {
	s.Helper()
	status := s.call(s.functions["QueryVariableInfo"], uint64(attrs)|0xdead<<32, uint64(outsAt), uint64(outsAt)+8, uint64(outsAt)+16)
	if status != efi.Success {
		return tables.VariableInfo{}, status
	}
	return tables.VariableInfo{MaximumStorage: s.word(outsAt), RemainingStorage: s.word(outsAt + 8), MaximumSize: s.word(outsAt + 16)}, status
}

// image is the store, without the marks of what was created at runtime.
func (s *services) image() []byte {
	s.Helper()
	raw := s.read(storeAt, s.word(storeAt+8))
	for at := uint64(24); at < uint64(len(raw)); {
		size := 32 + uint64(binary.LittleEndian.Uint32(raw[at+4:])) + uint64(binary.LittleEndian.Uint32(raw[at+8:]))
		if made := binary.LittleEndian.Uint32(raw[at+12:]); made > 1 {
			s.Fatalf("the entry at %#x is marked %#x", at, made)
		}
		clear(raw[at+12 : at+16])
		at += (size + 7) &^ 7
	}
	return raw
}

func TestRuntimeSupportedNamesTheServices(t *testing.T) {
	const want = efi.RTSupportedGetVariable | efi.RTSupportedGetNextVariableName | efi.RTSupportedSetVariable |
		efi.RTSupportedSetVirtualAddressMap | efi.RTSupportedConvertPointer | efi.RTSupportedQueryVariableInfo
	if efi.RTSupported(resident.RuntimeSupported) != want {
		t.Errorf("%#x, want %#x", resident.RuntimeSupported, want)
	}
}

// Before there is a parameter block, nothing is served.
func TestNoParameters(t *testing.T) {
	blob, err := resident.For("x64")
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest(t)
	g.write(codeAt, blob.Code)
	g.write(nameAt, []byte{'a', 0, 0, 0})
	g.setWord(sizeAt, 100)
	for _, name := range []string{"GetVariable", "GetNextVariableName", "SetVariable", "QueryVariableInfo", "SetVirtualAddressMap", "ConvertPointer", "Unsupported"} {
		args := []uint64{uint64(nameAt), uint64(guidAt), 6, 1, uint64(sizeAt)}
		if status := g.call(codeAt+efi.Addr(blob.Functions()[name]), args...); status != efi.Unsupported {
			t.Errorf("%s: %v, want Unsupported", name, status)
		}
	}
}
