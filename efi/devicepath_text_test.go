// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// TestDevicePathTextIsEDK2s compares with vectors that EDK2's library wrote.
func TestDevicePathTextIsEDK2s(t *testing.T) {
	kinds := make(map[nodeKind]bool)
	for _, row := range readTSV(t, "devicepath.tsv", 6) {
		path, _, err := ParseDevicePath(unhex(t, row[0]))
		if err != nil {
			t.Fatalf("%s: %v", row[0], err)
		}
		for mode, want := range row[1:5] {
			if got := path.Text(mode&1 != 0, mode&2 != 0); got != want {
				t.Errorf("%s, mode %d:\n got %s\nwant %s", row[0], mode, got, want)
			}
		}
		kinds[nodeKind{path[0].Type, path[0].SubType}] = true
	}
	for kind := range nodePrinters {
		if !kinds[kind] {
			t.Errorf("no vector has a node of type %d, subtype %d", kind.typ, kind.subType)
		}
	}
}

// TestDevicePathFromTextIsEDK2s reads those texts as EDK2's library read them.
func TestDevicePathFromTextIsEDK2s(t *testing.T) {
	for _, row := range readTSV(t, "devicepath.tsv", 6) {
		text, want := row[1], row[5]
		path, err := ParseDevicePathText(text)
		switch {
		case want == "-":
		case err != nil:
			t.Errorf("%s: %v", text, err)
		case hex.EncodeToString(path.Bytes()) != want:
			t.Errorf("%s:\n got %x\nwant %s", text, path.Bytes(), want)
		}
	}
}

// TestShortNodes cuts nodes off: one without any data, where its kind has some,
// is written as one of an unknown subtype, and none makes Text read beyond it.
func TestShortNodes(t *testing.T) {
	for kind := range nodePrinters {
		short := Node{kind.typ, kind.subType, nil}
		if !nodePrinters[kind](&nodePrinter{}, short) {
			want := genericNames[kind.typ] + "("
			if got := short.String(); !strings.HasPrefix(got, want) {
				t.Errorf("%v: %q, want %q", kind, got, want)
			}
		}
	}
	for _, row := range readTSV(t, "devicepath.tsv", 6) {
		path, _, err := ParseDevicePath(unhex(t, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		n := path[0]
		for size := range n.Data {
			n.Data = path[0].Data[:size]
			for mode := range 4 {
				_ = n.Text(mode&1 != 0, mode&2 != 0)
			}
		}
	}
}

func TestTextWithoutEnd(t *testing.T) {
	for want, n := range map[string]Node{
		"ab":                      {NodeMedia, 4, []byte("a\x00b\x00")},
		"":                        {NodeMedia, 4, nil},
		"BBS(HD,x,0x0)":           {NodeBBS, 1, []byte{2, 0, 0, 0, 'x'}},
		`UsbWwid(0x2,0x3,0x1,"")`: {NodeMessaging, 16, []byte{1, 0, 2, 0, 3, 0}},
		"Msg(32)":                 {NodeMessaging, 32, nil},
		"Path(0,0,01)":            {0, 0, []byte{1}},
	} {
		if got := n.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDevicePathText(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"/":                           "",
		"///PciRoot(0)//Pci(1,2)/":    "PciRoot(0x0)/Pci(0x1,0x2)",
		"PciRoot(0),PciRoot(1)":       "PciRoot(0x0),/PciRoot(0x1)",
		"PciRoot(0x0),/PciRoot(0x1)":  "PciRoot(0x0),/PciRoot(0x1)",
		"PciRoot(0),":                 "PciRoot(0x0),",
		`\EFI\BOOT\BOOTX64.EFI`:       `\EFI\BOOT\BOOTX64.EFI`,
		"Foo(1)":                      "Foo(1)",
		"Pci":                         "Pci",
		"pci(1,2)":                    "pci(1,2)",
		"Pci(1)":                      "Pci(0x1,0x0)",
		"Pci( 0X1f, 2)":               "Pci(0x1F,0x2)",
		"Sata(1)":                     "Sata(0x1,0xFFFF,0x0)",
		"UsbClass()":                  "UsbClass(0xFFFF,0xFFFF,0xFF,0xFF,0xFF)",
		"UsbHID(1,2)":                 "UsbHID(0x1,0x2,0xFF,0xFF)",
		"UsbIrdaBridge(1,2,3)":        "UsbIrdaBridge(0x1,0x2,0x3)",
		"Acpi(PNP0F03,0)":             "Acpi(PNP0F03,0x0)",
		"Acpi(0x12345678,0)":          "Acpi(0x12345678,0x0)",
		"AcpiExp(PNP0A03,0,name)":     "AcpiExp(PNP0A03,0,name)",
		"AcpiAdr(1,2,3)":              "AcpiAdr(0x1,0x2,0x3)",
		"Uart(DEFAULT,DEFAULT,D,1.5)": "Uart(115200,8,D,1.5)",
		"Path(127,2)":                 "Path(127,2)",
		"Dns(::1,fe80::1)":            "Dns(0000:0000:0000:0000:0000:0000:0000:0001,FE80:0000:0000:0000:0000:0000:0000:0001)",
		"MemoryMapped(11,0x0,0xffffffffffffffff)": "MemoryMapped(0xB,0x0,0xFFFFFFFFFFFFFFFF)",
	} {
		path, err := ParseDevicePathText(text)
		if err != nil || path.String() != want {
			t.Errorf("%q: %q, %v, want %q", text, path, err, want)
		}
	}
}

func TestDevicePathTextErrors(t *testing.T) {
	for text, want := range map[string]string{
		"PciRoot(0)/Pci(1,2":        "efi: device path text: at byte 11: parentheses do not pair",
		"a)b":                       "efi: device path text: at byte 0: parentheses do not pair",
		"Pci(1,2)x":                 `efi: device path text: at byte 0: "Pci(1,2)x": does not end with the closing parenthesis`,
		"Pci(1,2,3)":                `efi: device path text: at byte 0: "Pci(1,2,3)": too many parameters`,
		"/Pci(256,0)":               `efi: device path text: at byte 1: "Pci(256,0)": "256" is no number of 8 bits`,
		"Pci(-1,0)":                 `efi: device path text: at byte 0: "Pci(-1,0)": "-1" is no number of 8 bits`,
		"Pci(x,y)":                  `efi: device path text: at byte 0: "Pci(x,y)": "x" is no number of 8 bits`,
		"VenHw()":                   `efi: device path text: at byte 0: "VenHw()": efi: "" is not a GUID`,
		"Msg(1,123)":                `efi: device path text: at byte 0: "Msg(1,123)": encoding/hex: odd length hex string`,
		"Path(127,255)":             `efi: device path text: at byte 0: "Path(127,255)": is an end node`,
		"Path(127,1)":               `efi: device path text: at byte 0: "Path(127,1)": is an end node`,
		"IPv4(::1)":                 `efi: device path text: at byte 0: "IPv4(::1)": ::1 is no IPv4 address`,
		"IPv6(1.2.3.4)":             `efi: device path text: at byte 0: "IPv6(1.2.3.4)": 1.2.3.4 is no IPv6 address`,
		"IPv6(fe80::1%eth0)":        `efi: device path text: at byte 0: "IPv6(fe80::1%eth0)": "fe80::1%eth0" is no address`,
		"Dns()":                     `efi: device path text: at byte 0: "Dns()": no address`,
		"Dns(1.2.3.4,::1)":          `efi: device path text: at byte 0: "Dns(1.2.3.4,::1)": addresses of both families`,
		"NVMe(1,01-02)":             `efi: device path text: at byte 0: "NVMe(1,01-02)": "01-02" is no EUI-64`,
		"Acpi(PNP,0)":               `efi: device path text: at byte 0: "Acpi(PNP,0)": "PNP" is no EISA identifier`,
		"Bluetooth(01020304050607)": `efi: device path text: at byte 0: "Bluetooth(01020304050607)": more than 6 bytes`,
	} {
		path, err := ParseDevicePathText(text)
		if err == nil || err.Error() != want || !errors.Is(err, InvalidParameter) {
			t.Errorf("%q: %v, %v, want %s", text, path, err, want)
		}
	}
	long := strings.Repeat("x", MaxNodeData/2)
	if _, err := ParseDevicePathText(long); err == nil {
		t.Errorf("%d characters fit in a node", len(long))
	}
	if path, err := ParseDevicePathText(long[1:]); err != nil || path.String() != long[1:] {
		t.Errorf("%d characters do not fit in a node: %v", len(long)-1, err)
	}
}
