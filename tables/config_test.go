// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

func TestConfigurationTables(t *testing.T) {
	var c ConfigurationTables
	guid := func(n uint32) efi.GUID { return efi.GUID{Data1: n} }
	tests := []struct {
		guid  uint32
		table efi.Addr
		err   efi.Status
		want  []uint32 // GUIDs, in order
	}{
		{1, 0, efi.NotFound, nil},
		{1, 0x1000, efi.Success, []uint32{1}},
		{2, 0x2000, efi.Success, []uint32{1, 2}},
		{3, 0x3000, efi.Success, []uint32{1, 2, 3}},
		{2, 0x2222, efi.Success, []uint32{1, 2, 3}},
		{1, 0, efi.Success, []uint32{2, 3}},
		{1, 0, efi.NotFound, []uint32{2, 3}},
		{1, 0x1111, efi.Success, []uint32{2, 3, 1}},
		{3, 0, efi.Success, []uint32{2, 1}},
	}
	for i, tt := range tests {
		before := c.Clone()
		wantStatus(t, c.Install(guid(tt.guid), tt.table), tt.err)
		var got []uint32
		for _, e := range c.Entries() {
			got = append(got, e.VendorGUID.Data1)
		}
		if !slices.Equal(got, tt.want) || c.Len() != len(tt.want) {
			t.Fatalf("step %d: %v, want %v", i, got, tt.want)
		}
		if table, ok := c.Get(guid(tt.guid)); table != tt.table || ok != (tt.table != 0) {
			t.Errorf("step %d: Get is %v, %v", i, table, ok)
		}
		if unchanged := slices.Equal(before.Entries(), c.Entries()); unchanged != (tt.err != efi.Success) {
			t.Errorf("step %d: unchanged %v, or the clone changed too", i, unchanged)
		}
	}

	raw := c.Marshal()
	if len(raw) != 2*ConfigurationTableSize {
		t.Fatalf("%d bytes", len(raw))
	}
	var list [2]efi.ConfigurationTable
	if _, err := binary.Decode(raw, binary.LittleEndian, &list); err != nil || !slices.Equal(list[:], c.Entries()) {
		t.Errorf("on the wire %v, %v", list, err)
	}

	for n := c.Len(); n < MaxConfigurationTables; n++ {
		wantStatus(t, c.Install(guid(uint32(n+100)), 1), efi.Success)
	}
	wantStatus(t, c.Install(guid(99), 1), efi.OutOfResources)
	wantStatus(t, c.Install(guid(1), 1), efi.Success)
}

func TestMarshalTable(t *testing.T) {
	raw, err := MarshalTable(efi.SystemTable{
		TableHeader:      efi.TableHeader{Signature: efi.SystemTableSignature, Revision: efi.Revision, CRC32: 7},
		FirmwareRevision: 0x12345678,
	})
	if err != nil {
		t.Fatal(err)
	}
	var back efi.SystemTable
	if _, err := binary.Decode(raw, binary.LittleEndian, &back); err != nil {
		t.Fatal(err)
	}
	if len(raw) != 120 || back.HeaderSize != 120 || back.FirmwareRevision != 0x12345678 || string(raw[:8]) != "IBI SYST" {
		t.Errorf("%d bytes: %+v", len(raw), back)
	}
	if sum, err := Checksum(raw); err != nil || sum != back.CRC32 || sum == 0 {
		t.Errorf("checksum %#x, %v, in the table %#x", sum, err, back.CRC32)
	}

	raw[100]++
	if sum, _ := Checksum(raw); sum == back.CRC32 {
		t.Error("the checksum leaves bytes out")
	}
	wantStatus(t, SetChecksum(raw), efi.Success)
	if sum, _ := Checksum(raw); sum != binary.LittleEndian.Uint32(raw[16:]) {
		t.Error("the checksum was not set")
	}

	_, err = MarshalTable(struct{ Name string }{})
	wantStatus(t, err, efi.InvalidParameter)
	_, err = MarshalTable(nil)
	wantStatus(t, err, efi.InvalidParameter)
	_, err = MarshalTable(uint32(1))
	wantStatus(t, err, efi.InvalidParameter)
	for _, size := range []uint32{0, 23, 121, 0xffffffff} {
		binary.LittleEndian.PutUint32(raw[12:], size)
		wantStatus(t, SetChecksum(raw), efi.InvalidParameter)
	}
	wantStatus(t, SetChecksum(raw[:23]), efi.InvalidParameter)
}

// The sum of §4.2 is CRC-32 of the table with the field as zero: "123456789" at
// the end of a header of zeros, by an independent implementation.
func TestChecksumKnown(t *testing.T) {
	raw := append(make([]byte, 24), "123456789"...)
	raw[12] = byte(len(raw))
	raw[16] = 0xaa
	sum, err := Checksum(raw)
	if want := uint32(0x5f93b143); err != nil || sum != want {
		t.Errorf("got %#x, %v, want %#x", sum, err, want)
	}
}
