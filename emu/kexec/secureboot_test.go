// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"debug/pe"
	"encoding/asn1"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// secureBoot are QEMU's arguments for firmware with Secure Boot on that trusts
// what Debian has signed, and nothing else.
func secureBoot(t *testing.T) []string {
	t.Helper()
	list := signatureList(debianCA(t))
	vars, err := os.ReadFile(emutest.Corpus(t, "trixie/amd64/OVMF_VARS.fd"))
	if err != nil {
		t.Fatal(err)
	}
	const authenticated = efi.VariableNonVolatile | efi.VariableBootServiceAccess | efi.VariableRuntimeAccess | efi.VariableTimeBasedAuthenticatedWriteAccess
	const own = efi.VariableNonVolatile | efi.VariableBootServiceAccess
	secureBootEnable := efi.GUID{Data1: 0xf0a30bc7, Data2: 0xaf08, Data3: 0x4556, Data4: [8]byte{0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44}}
	at := 0
	for _, v := range []struct {
		name  string
		guid  efi.GUID
		attrs efi.VariableAttribute
		data  []byte
	}{
		{"db", efi.ImageSecurityDatabaseGUID, authenticated, list},
		{"KEK", efi.GlobalVariableGUID, authenticated, list},
		{"PK", efi.GlobalVariableGUID, authenticated, list},
		{"SecureBootEnable", secureBootEnable, own, []byte{1}},
	} {
		at = putVariable(t, vars, at, v.name, v.guid, v.attrs, v.data)
	}
	name := filepath.Join(t.TempDir(), "vars.fd")
	if err := os.WriteFile(name, vars, 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{
		"-global", "driver=cfi.pflash01,property=secure,value=on",
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + emutest.Corpus(t, "trixie/amd64/OVMF_CODE.secboot.fd"),
		"-drive", "if=pflash,unit=1,format=raw,file=" + name,
	}
}

// putVariable writes a variable into EDK2's variable store at an offset behind
// the others, and returns the next: AUTHENTICATED_VARIABLE_HEADER of
// MdeModulePkg's VariableFormat.h, name, data, aligned to 4.
func putVariable(t *testing.T, store []byte, at int, name string, guid efi.GUID, attrs efi.VariableAttribute, data []byte) int {
	t.Helper()
	const volumeHeader, storeHeader = 72, 28
	le := binary.LittleEndian
	if string(store[40:44]) != "_FVH" || le.Uint16(store[48:]) != volumeHeader {
		t.Fatal("no firmware volume")
	}
	encoded, id := efi.EncodeString(name), guid.Bytes()
	h := le.AppendUint16(nil, 0x55aa)
	h = append(h, 0x3f, 0) // VAR_ADDED
	h = le.AppendUint32(h, uint32(attrs))
	h = append(h, make([]byte, 8)...)                                // MonotonicCount
	h = append(h, 0xea, 7, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0) // TimeStamp
	h = append(h, make([]byte, 4)...)                                // PubKeyIndex
	h = le.AppendUint32(le.AppendUint32(h, uint32(len(encoded))), uint32(len(data)))
	h = append(append(append(h, id[:]...), encoded...), data...)
	copy(store[volumeHeader+storeHeader+at:], h)
	return (at + len(h) + 3) &^ 3
}

// signatureList is an EFI_SIGNATURE_LIST of one certificate (§32.4.1).
func signatureList(cert []byte) []byte {
	id, owner := efi.CertX509GUID.Bytes(), efi.GlobalVariableGUID.Bytes()
	le := binary.LittleEndian
	b := le.AppendUint32(id[:], uint32(28+16+len(cert)))
	b = le.AppendUint32(le.AppendUint32(b, 0), uint32(16+len(cert)))
	return append(append(b, owner[:]...), cert...)
}

// debianCA is the certificate that Debian's shim trusts, and which the keys of
// Debian's kernels are signed with.
func debianCA(t *testing.T) []byte {
	t.Helper()
	shim, err := pe.Open(emutest.Corpus(t, "trixie/amd64/shim.efi"))
	if err != nil {
		t.Fatal(err)
	}
	defer shim.Close()
	s := shim.Section(".vendor_cert")
	if s == nil {
		t.Fatal("shim has no .vendor_cert")
	}
	table, err := s.Data()
	if err != nil || len(table) < 16 {
		t.Fatalf("shim's .vendor_cert has %d bytes: %v", len(table), err)
	}
	le := binary.LittleEndian // sizes of what is authorised and what is not, then offsets
	var cert asn1.RawValue
	if _, err := asn1.Unmarshal(table[le.Uint32(table[8:]):], &cert); err != nil {
		t.Fatalf("shim's certificate: %v", err)
	}
	return cert.FullBytes
}
