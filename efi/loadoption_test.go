// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func exampleLoadOption() LoadOption {
	return LoadOption{
		Attributes:  LoadOptionActive,
		Description: "Linux",
		FilePathList: []DevicePath{
			{HardDriveGPT(1, 2048, 4096, PartitionTypeSystemGUID), FilePath(`\EFI\Linux\linux.efi`)},
			{PCIRoot(0)},
		},
		OptionalData: EncodeString("quiet"),
	}
}

func TestLoadOption(t *testing.T) {
	want := exampleLoadOption()
	b, err := want.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	head := []byte("\x01\x00\x00\x00\x6c\x00L\x00i\x00n\x00u\x00x\x00\x00\x00\x04\x01\x2a\x00")
	if !bytes.HasPrefix(b, head) || !bytes.HasSuffix(b, want.OptionalData) {
		t.Errorf("%x", b)
	}
	got, err := ParseLoadOption(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	again, err := got.MarshalBinary()
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("%x, %v, want %x", again, err, b)
	}
	clear(b)
	if !reflect.DeepEqual(got, want) {
		t.Error("the load option lies in the caller's buffer")
	}
}

// TestLoadOptionTruncated cuts a load option at each byte before its optional
// data, where no prefix of it is one.
func TestLoadOptionTruncated(t *testing.T) {
	o := exampleLoadOption()
	o.OptionalData = nil
	b, err := o.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		got, err := ParseLoadOption(b[:n])
		var format *FormatError
		if !errors.As(err, &format) || !errors.Is(err, InvalidParameter) {
			t.Errorf("%d bytes of %d: %+v, %v", n, len(b), got, err)
		}
	}
}

func TestLoadOptionErrors(t *testing.T) {
	for in, want := range map[string]string{
		"\x01\x00\x00\x00\x04":                                               "efi: load option: at byte 0: 5 bytes are less than a header",
		"\x01\x00\x00\x00\x04\x00A\x00":                                      "efi: load option: at byte 6: the description has no end",
		"\x01\x00\x00\x00\x04\x00A\x00\x00":                                  "efi: load option: at byte 6: the description has no end",
		"\x01\x00\x00\x00\x00\x00\x00\x00":                                   "efi: load option: at byte 8: 0 bytes of file paths in 0 bytes",
		"\x01\x00\x00\x00\x05\x00\x00\x00\x7f\xff\x04\x00":                   "efi: load option: at byte 8: 5 bytes of file paths in 4 bytes",
		"\x01\x00\x00\x00\x05\x00\x00\x00\x7f\xff\x04\x00x":                  "efi: load option: at byte 12: device path: no end node within 1 bytes",
		"\x01\x00\x00\x00\x04\x00\x00\x00\x01\x01\x06\x00xx\x7f\xff\x04\x00": "efi: load option: at byte 8: device path: node length 6 exceeds the 4 bytes left",
	} {
		if o, err := ParseLoadOption([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%x: %+v, %v, want %s", in, o, err, want)
		}
	}
}

func TestLoadOptionMarshalErrors(t *testing.T) {
	for name, spoil := range map[string]func(*LoadOption){
		"no path":           func(o *LoadOption) { o.FilePathList = nil },
		"too long":          func(o *LoadOption) { o.FilePathList[0] = DevicePath{VendorMedia(GUID{}, make([]byte, 0xfff0)...)} },
		"a NUL in the name": func(o *LoadOption) { o.Description = "a\x00b" },
	} {
		o := exampleLoadOption()
		spoil(&o)
		if b, err := o.MarshalBinary(); err == nil {
			t.Errorf("%s: %d bytes", name, len(b))
		}
	}
}

func FuzzParseLoadOption(f *testing.F) {
	seed, err := exampleLoadOption().MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("\x01\x00\x00\x00\x04\x00\x00\x00\x7f\xff\x04\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseLoadOption(b)
		if err != nil {
			return
		}
		first, err := o.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if len(first) != len(b) {
			t.Errorf("%d bytes became %d", len(b), len(first))
		}
		again, err := ParseLoadOption(first)
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Errorf("%+v became %+v, %v", o, again, err)
		}
	})
}
