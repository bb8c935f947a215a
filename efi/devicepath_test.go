// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	rootHex = "02010c00d041030a00000000"
	pciHex  = "01010600021f"
	instHex = "7f010400"
	endHex  = "7fff0400"
)

func TestParseDevicePath(t *testing.T) {
	root, pci := PCIRoot(0), PCI(0x1f, 2)
	instance := Node{NodeEnd, endInstance, nil}
	for text, want := range map[string]DevicePath{
		endHex:                              {},
		rootHex + endHex:                    {root},
		rootHex + pciHex + endHex:           {root, pci},
		rootHex + instHex + pciHex + endHex: {root, instance, pci},
		"7f020400" + endHex:                 {Node{NodeEnd, 2, nil}},
	} {
		b := unhex(t, text)
		got, size, err := ParseDevicePath(append(b, 0xee))
		if err != nil || size != len(b) || !got.Equal(want) {
			t.Errorf("%s: %v, %d, %v", text, got, size, err)
		}
		if again := got.Bytes(); !bytes.Equal(again, b) {
			t.Errorf("%s became %x", text, again)
		}
	}
}

func TestParseDevicePathCopies(t *testing.T) {
	b := unhex(t, rootHex+endHex)
	path, _, err := ParseDevicePath(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if !path.Equal(DevicePath{PCIRoot(0)}) {
		t.Error("the nodes lie in the caller's buffer")
	}
	_ = append(path[0].Data, 1)
	if len(path[0].Data) != cap(path[0].Data) {
		t.Error("appending to a node writes to the next")
	}
}

func TestParseDevicePathErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "efi: device path: at byte 0: no end node within 0 bytes",
		"7fff04":                "efi: device path: at byte 0: no end node within 3 bytes",
		rootHex:                 "efi: device path: at byte 12: no end node within 12 bytes",
		rootHex + "7fff0300":    "efi: device path: at byte 12: node length 3 is less than a header",
		rootHex + "01010000":    "efi: device path: at byte 12: node length 0 is less than a header",
		rootHex + "7fff050000":  "efi: device path: at byte 12: node length 5 of an end node",
		"7f01050000" + endHex:   "efi: device path: at byte 0: node length 5 of an end node",
		rootHex + "7fff0500":    "efi: device path: at byte 12: node length 5 exceeds the 4 bytes left",
		"0101ffff0000" + endHex: "efi: device path: at byte 0: node length 65535 exceeds the 10 bytes left",
	} {
		_, _, err := ParseDevicePath(unhex(t, text))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
		var format *FormatError
		if !errors.As(err, &format) || !errors.Is(err, InvalidParameter) || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %T is no InvalidParameter", text, err)
		}
	}
}

func TestDevicePathAppend(t *testing.T) {
	base := make(DevicePath, 1, 4)
	base[0] = PCIRoot(0)
	a, b := base.Append(PCI(1, 0)), base.Append(PCI(2, 0), FilePath("x"))
	if a.String() != "PciRoot(0x0)/Pci(0x1,0x0)" || b.String() != "PciRoot(0x0)/Pci(0x2,0x0)/x" || len(base) != 1 {
		t.Error(base, a, b)
	}
	if !a.HasPrefix(base) || base.HasPrefix(a) || a.HasPrefix(b) || !a.HasPrefix(nil) || a.Equal(base) || !a.Equal(a) {
		t.Error("prefixes")
	}
}

func TestDevicePathInstances(t *testing.T) {
	a, b := DevicePath{PCIRoot(0), PCI(1, 0)}, DevicePath{PCIRoot(1)}
	joined := JoinInstances(a, b, nil)
	if got := joined.String(); got != "PciRoot(0x0)/Pci(0x1,0x0),/PciRoot(0x1)," {
		t.Error(got)
	}
	if got := joined.Instances(); len(got) != 3 || !got[0].Equal(a) || !got[1].Equal(b) || len(got[2]) != 0 {
		t.Error(got)
	}
	if got := a.Instances(); len(got) != 1 || !got[0].Equal(a) {
		t.Error(got)
	}
	_ = append(joined.Instances()[0], PCI(9, 9))
	if !joined[2].IsEndInstance() {
		t.Error("appending to an instance writes to the path")
	}
}

func TestNodeTooLong(t *testing.T) {
	n := VendorMedia(LinuxInitrdMediaGUID, make([]byte, 0x10000)...)
	path, size, err := ParseDevicePath(DevicePath{n, PCIRoot(0)}.Bytes())
	if err != nil || len(path) != 2 || len(path[0].Data) != MaxNodeData || size != 0xffff+12+4 {
		t.Error(len(path), size, err)
	}
}

func TestDecodeNode(t *testing.T) {
	n := HardDriveGPT(1, 2048, 4096, PartitionTypeSystemGUID)
	body, tail, ok := DecodeNode[HardDriveNode](n)
	if !ok || len(tail) != 0 || body.PartitionStart != 2048 || GUIDFromBytes(body.Signature) != PartitionTypeSystemGUID {
		t.Error(body, tail, ok)
	}
	if _, _, ok := DecodeNode[CDROMNode](n); ok {
		t.Error("a hard drive is a CD-ROM")
	}
	n.Data = n.Data[:len(n.Data)-1]
	if _, _, ok := DecodeNode[HardDriveNode](n); ok {
		t.Error("a hard drive without its signature type is one")
	}
	if _, tail, ok := DecodeNode[VendorMediaNode](VendorMedia(LinuxInitrdMediaGUID, 1, 2)); !ok || !bytes.Equal(tail, []byte{1, 2}) {
		t.Error(tail, ok)
	}
}

func TestFilePaths(t *testing.T) {
	for _, test := range []struct {
		want  string
		names []string
	}{
		{"", nil},
		{`\EFI\BOOT\BOOTX64.EFI`, []string{`\EFI\BOOT\BOOTX64.EFI`}},
		{`\EFI\BOOT\BOOTX64.EFI`, []string{`\EFI`, `BOOT`, `BOOTX64.EFI`}},
		{`\EFI\BOOT\BOOTX64.EFI`, []string{`\EFI\`, `\BOOT\`, `\BOOTX64.EFI`}},
		{`\EFI`, []string{`\`, `EFI`}},
		{`a\b`, []string{"", "a", "", "b", ""}},
	} {
		if got := JoinFilePath(test.names...); got != test.want {
			t.Errorf("%q: %q, want %q", test.names, got, test.want)
		}
		path := DevicePath{FilePath("not this"), PCIRoot(0)}
		for _, name := range test.names {
			path = append(path, FilePath(name))
		}
		device, file := path.SplitFile()
		if file != test.want || !device.Equal(path[:2]) {
			t.Errorf("%v: %v, %q", path, device, file)
		}
	}
	if name, ok := PCIRoot(0).FilePathName(); ok {
		t.Errorf("a root bridge is the file %q", name)
	}
}

func TestConstructors(t *testing.T) {
	for want, n := range map[string]Node{
		"PciRoot(0x0)":                    PCIRoot(0),
		"PcieRoot(0x1)":                   ACPI(PNPID(0xa08), 1),
		"Pci(0x1F,0x2)":                   PCI(0x1f, 2),
		"MemoryMapped(0x2,0x1000,0x1FFF)": MemoryMapped(LoaderData, 0x1000, 0x1fff),
		"VenHw(5568E427-68FC-4F3D-AC74-CA555231CC68)":                   VendorHardware(LinuxInitrdMediaGUID),
		"VenMsg(5568E427-68FC-4F3D-AC74-CA555231CC68,00FF)":             VendorMessaging(LinuxInitrdMediaGUID, 0, 0xff),
		"VenMedia(5568E427-68FC-4F3D-AC74-CA555231CC68)":                VendorMedia(LinuxInitrdMediaGUID),
		"MAC(525400123456,0x1)":                                         MAC([]byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}, 1),
		"Uri(http://example.org/a)":                                     URI("http://example.org/a"),
		"HD(1,GPT,C12A7328-F81F-11D2-BA4B-00A0C93EC93B,0x1,0x2)":        HardDriveGPT(1, 1, 2, PartitionTypeSystemGUID),
		"HD(2,MBR,0x0000BEEF,0x800,0x1000)":                             HardDriveMBR(2, 0x800, 0x1000, 0xbeef),
		"Fv(C12A7328-F81F-11D2-BA4B-00A0C93EC93B)":                      FirmwareVolume(PartitionTypeSystemGUID),
		"FvFile(C12A7328-F81F-11D2-BA4B-00A0C93EC93B)":                  FirmwareFile(PartitionTypeSystemGUID),
		"Offset(0x10,0x1F)":                                             RelativeOffset(0x10, 0x1f),
		"BBS(HD,disk,0x7)":                                              BBS(2, 7, "disk"),
		`\EFI\Linux\ü.efi`:                                              FilePath(`\EFI\Linux\ü.efi`),
		"NVMe(0x1,08-07-06-05-04-03-02-01)":                             NewNode(NVMeNode{1, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}),
		"Sata(0x0,0xFFFF,0x0)":                                          NewNode(SATANode{PortMultiplierPort: 0xffff}),
		"IPv4(1.2.3.4,UDP,DHCP,0.0.0.0,0.0.0.0,0.0.0.0)":                NewNode(IPv4Node{RemoteAddress: [4]byte{1, 2, 3, 4}, Protocol: 17}),
		"RamDisk(0x1000,0x1FFF,0,C12A7328-F81F-11D2-BA4B-00A0C93EC93B)": NewNode(RAMDiskNode{0x1000, 0x1fff, PartitionTypeSystemGUID, 0}),
		"VirtualDisk(0x1000,0x1FFF,0)":                                  NewNode(RAMDiskNode{0x1000, 0x1fff, VirtualDiskGUID, 0}),
		"Uart(115200,8,N,1)":                                            NewNode(UARTNode{BaudRate: 115200, DataBits: 8, Parity: 1, StopBits: 1}),
	} {
		if got := n.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		back, err := ParseNodeText(want)
		if err != nil || !back.Equal(n) {
			t.Errorf("%s became %x, %v, want %x", want, back.Data, err, n.Data)
		}
	}
	if slices.Compare(MAC(make([]byte, 40), 7).Data, append(make([]byte, 32), 7)) != 0 {
		t.Error("an address longer than 32 bytes")
	}
}
