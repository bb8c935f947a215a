// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/uefiexec/uefiexec/efi"
)

func TestDescribe(t *testing.T) {
	option, err := efi.LoadOption{Description: "Linux", FilePathList: []efi.DevicePath{espPath(`\EFI\Linux\a.efi`)}}.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	const onESP = "PciRoot(0x0)/HD(1,GPT,C12A7328-F81F-11D2-BA4B-00A0C93EC93B,0x800,0x17000)"
	stub := efi.DevicePath{efi.VendorMedia(efi.SystemdStubPayloadGUID)}
	tag := func(tag uint32, text string) []byte { return pack(tag, uint32(len(text)), text) }
	section := section(".linux", "kernel")

	for _, c := range []struct {
		event Event
		want  string
	}{
		{told(4, EFIBootServicesApplication, "x", imageData(123, espPath(`\EFI\BOOT\BOOTX64.EFI`))), `image \EFI\BOOT\BOOTX64.EFI (123 bytes) on ` + onESP},
		{told(4, EFIBootServicesApplication, "x", imageData(1, espPath("\\a\nb\u202e"))), `image \a\nb\u202e (1 byte) on ` + onESP},
		{told(4, EFIBootServicesApplication, "x", imageData(5, efi.DevicePath{efi.FilePath(`\EFI\BOOT\grubx64.efi`)})), `image \EFI\BOOT\grubx64.efi (5 bytes)`},
		{told(4, EFIBootServicesApplication, "x", imageData(5, nil)), "image from memory (5 bytes)"},
		{told(4, EFIBootServicesApplication, "x", pack(uint64(0), uint64(5), uint64(0), uint64(0))), "image from memory (5 bytes)"},
		{told(4, EFIBootServicesApplication, "x", imageData(5, stub)), "the kernel inside the unified kernel image (5 bytes)"},
		{told(2, EFIBootServicesDriver, "x", imageData(5, efi.DevicePath{efi.PCIRoot(0)})), "boot driver PciRoot(0x0) (5 bytes)"},
		{told(2, EFIRuntimeServicesDriver, "x", []byte{1, 2}), "runtime driver, not described: 0102"},
		{told(4, EFIBootServicesApplication, "x", pack(uint64(0), uint64(7), uint64(0), uint64(1<<63), "\x04\x04\xff\xff")), "image (7 bytes), of which the device path is wrong: efi: device path: at byte 0: node length 65535 exceeds the 4 bytes left"},
		{told(4, EFIBootServicesApplication, "x", pack(uint64(0), uint64(7), uint64(0), uint64(5000), make([]byte, 5000))), "image (7 bytes), of which the device path is wrong: it has 5000 bytes"},

		{told(7, EFIVariableDriverConfig, "", variableEvent(efi.GlobalVariableGUID, "SecureBoot", "")), "variable SecureBoot: absent"},
		{told(7, EFIVariableDriverConfig, "", variableEvent(efi.GlobalVariableGUID, "SecureBoot", "\x00")), "variable SecureBoot: off"},
		{told(7, EFIVariableDriverConfig, "", variableEvent(efi.GlobalVariableGUID, "SecureBoot", "\x01")), "variable SecureBoot: on"},
		{told(7, EFIVariableDriverConfig, "", variableEvent(efi.GlobalVariableGUID, "SecureBoot", "\x02")), "variable SecureBoot: 1 byte"},
		{told(7, EFIVariableDriverConfig, "", variableEvent(efi.ImageSecurityDatabaseGUID, "db", "xyz")), "variable db of ImageSecurityDatabase: 3 bytes"},
		{told(7, EFIVariableDriverConfig, "", variableEvent(efi.GlobalVariableGUID, "PK", "")), "variable PK: empty or absent"},
		{told(7, EFIVariableDriverConfig, "", variableEvent(testDisk, "db", "xyz")), "variable db of 11111111-2222-4333-8444-555555555555: 3 bytes"},
		{told(7, EFIVariableAuthority, "", variableEvent(efi.ImageSecurityDatabaseGUID, "db", "xyz")), "verified by variable db of ImageSecurityDatabase: 3 bytes"},
		{told(7, EFIVariableAuthority, "", variableEvent(efi.ShimLockProtocolGUID, "SbatLevel", "sbat,1,2021030218\n")), `variable SbatLevel of ShimLockProtocol: "sbat,1,2021030218\n"`},
		{told(1, EFIVariableBoot, "", variableEvent(efi.GlobalVariableGUID, "BootOrder", "\x01\x00\x00\x00\xab\x0c")), "variable BootOrder: 0001, 0000, 0CAB"},
		{told(1, EFIVariableBoot, "", variableEvent(efi.GlobalVariableGUID, "BootOrder", strings.Repeat("\x01\x00", 17))), "variable BootOrder: " + strings.Repeat("0001, ", 16) + "…"},
		{told(1, EFIVariableBoot, "", variableEvent(efi.GlobalVariableGUID, "BootOrder", "")), "variable BootOrder: empty or absent"},
		{told(1, EFIVariableBoot2, "", variableEvent(efi.GlobalVariableGUID, "Boot0001", string(option))), `variable Boot0001: "Linux", ` + onESP + `/\EFI\Linux\a.efi`},
		{told(1, EFIVariableBoot, "", variableEvent(efi.GlobalVariableGUID, "Boot0001", "12")), "variable Boot0001: 2 bytes"},
		{told(1, EFIVariableBoot, "", pack(efi.GlobalVariableGUID, uint64(1<<63), uint64(0), "ab")), "variable, not described: 61dfe48bca93d211aa0d00e098032b8c… (34 bytes)"},
		{told(1, EFIVariableBoot, "", pack(efi.GlobalVariableGUID, uint64(1), uint64(1), "ab")), "variable, not described: 61dfe48bca93d211aa0d00e098032b8c… (34 bytes)"},
		{told(1, EFIVariableBoot, "", nil), "variable, not described: no data"},

		{told(5, EFIGPTEvent, "", gptData(testDisk, "esp")), `partition table of disk 11111111-2222-4333-8444-555555555555: 1 partition, "esp"`},
		{told(5, EFIGPTEvent2, "", gptData(testDisk, "a", "b", "c", "d", "e")), `partition table of disk 11111111-2222-4333-8444-555555555555: 5 partitions, "a", "b", "c", "d", …`},
		{told(5, EFIGPTEvent, "", gptData(testDisk)[:92]), "partition table: 4546492050415254000001005c000000… (92 bytes)"},

		{measured(4, EFIAction, "Calling EFI Application from Boot Option"), `action "Calling EFI Application from Boot Option"`},
		{measured(4, Separator, "\x00\x00\x00\x00"), "separator"},
		{measured(4, Separator, "\xff\xff\xff\xff"), "separator, with 0xffffffff"},
		{measured(4, Separator, "\x01\x00\x00\x00"), "separator that tells of an error: 01000000"},
		{measured(4, Separator, ""), "separator that tells of an error: no data"},

		{section[0], "name of section .linux"},
		{section[1], "contents of section .linux"},
		{measured(11, IPL, "enter-initrd"), `boot phase "enter-initrd"`},
		{measured(12, IPL, string(wide("quiet ä\x00"))), `command line "quiet ä"`},
		{told(12, IPL, "cpio", wide("Credentials initrd\x00")), "Credentials initrd, made by the stub"},
		{told(13, IPL, "cpio", wide("System extension initrd\x00")), "System extension initrd, made by the stub"},
		{told(8, IPL, "boot", []byte("grub_cmd: boot\x00")), `GRUB command "boot"`},
		{told(8, IPL, "/vmlinuz a", []byte("kernel_cmdline: /vmlinuz a\x00")), `GRUB's command line for the kernel "/vmlinuz a"`},
		{told(9, IPL, "x", []byte("(hd0,gpt1)/boot/grub/grub.cfg\x00")), `file "(hd0,gpt1)/boot/grub/grub.cfg", read by GRUB`},
		{told(14, IPL, "x", []byte("MokList\x00")), "MokList of shim"},
		{told(6, IPL, "x", []byte("hello")), `boot loader: "hello"`},
		{told(12, IPL, "x", []byte{0xff, 0xfe, 0xfd}), "EV_IPL: fffefd"},

		{told(9, EventTag, "x", tag(0x8f3b22ed, "LOADED_IMAGE::LoadOptions\x00")), "command line of the kernel (load options)"},
		{told(9, EventTag, "x", tag(0x8f3b22ec, "Linux initrd\x00")), "initrd of the kernel"},
		{told(12, EventTag, "x", tag(0x13aed6db, "1\x00\x00\x00")), `profile "1" of the unified kernel image`},
		{told(5, EventTag, "x", tag(0xf5bc582a, string(wide("loader.conf\x00")))), `configuration of systemd-boot, "loader.conf"`},
		{told(1, EventTag, "x", tag(0xd5cb7cbc, string(wide("smbios:type1\x00")))), `SMBIOS table, "smbios:type1"`},
		{KexecEvent(sha256Alone, 5, "uefiexec: kexec"), `start of the kernel by kexec, "uefiexec: kexec"`},
		{told(5, EventTag, "x", tag(0x1234, "\x01\x02")), "event with tag 0x1234: 0102"},
		{told(5, EventTag, "x", []byte{1, 2, 3}), "EV_EVENT_TAG: 010203"},

		{told(0, EFIPlatformFirmwareBlob, "x", pack(uint64(0x820000), uint64(0xe0000))), "firmware, 917504 bytes at 0x820000"},
		{told(0, EFIPlatformFirmwareBlob2, "x", pack(uint8(3), "DXE", uint64(0x820000), uint64(1))), `firmware "DXE", 1 byte at 0x820000`},
		{told(0, EFIPlatformFirmwareBlob2, "x", []byte{200, 1}), "firmware: c801"},
		{told(0, PostCode, "x", []byte("POST CODE")), `firmware: "POST CODE"`},
		{measured(0, SCRTMVersion, string(wide("2025.02\x00"))), `version of the firmware: "2025.02"`},
		{told(1, EFIHandoffTables, "x", pack(uint64(1), efi.ShellVariableGUID, uint64(4096))), "tables of the firmware: 1 table, ShellVariable"},
		{told(1, EFIHandoffTables2, "x", pack(uint8(2), "ab", uint64(1), efi.ShellVariableGUID, uint64(4096))), `tables of the firmware "ab": 1 table, ShellVariable`},
		{told(1, EFIHandoffTables, "x", []byte{1}), "tables of the firmware: 01"},
		{measured(1, PlatformConfigFlags, "ACPI DATA"), `EV_PLATFORM_CONFIG_FLAGS: "ACPI DATA"`},
		{Event{Type: NoAction, Data: []byte("Spec ID Event03\x00rest")}, `header of the log, "Spec ID Event03"`},
		{Event{Type: NoAction, Data: []byte("StartupLocality\x00\x03")}, "startup locality 3"},
		{Event{Type: NoAction, Data: []byte("SP800-155 Event\x00..")}, `note, not measured: "SP800-155 Event", 18 bytes`},
		{Event{Type: NoAction, Data: []byte{7}}, "note, not measured: 07"},
		{told(6, 0x1234, "x", []byte("0123456789abcdefg\xff")), "EV_0x1234: 30313233343536373839616263646566… (18 bytes)"},
		{told(6, 0x1234, "x", nil), "EV_0x1234: no data"},
	} {
		if got := c.event.Describe(); got != c.want {
			t.Errorf("%v %x:\n got %s\nwant %s", c.event.Type, c.event.Data, got, c.want)
		}
	}
}

// checkLine is what holds for each description.
func checkLine(t *testing.T, line string, limit int) {
	t.Helper()
	if line == "" || utf8.RuneCountInString(line) > limit || !utf8.ValidString(line) {
		t.Fatalf("%d characters: %q", utf8.RuneCountInString(line), line)
	}
	for _, r := range line {
		if !strconv.IsPrint(r) {
			t.Fatalf("%q is not printable", line)
		}
	}
}

// TestDescribeIsShort gives every type data that is long and not printable.
func TestDescribeIsShort(t *testing.T) {
	for _, data := range []string{
		strings.Repeat("x", 1<<20), strings.Repeat("\x1b[2J", 1<<18), strings.Repeat("\x1b\x00", 1<<19) + "\x00\x00",
		strings.Repeat("\u202e", 1<<18), "\x00", "\xff\xff\xff\xff\xff\xff\xff\xff" + strings.Repeat("\xff", 200),
		string(variableEvent(efi.GlobalVariableGUID, strings.Repeat("\x07", 5000), "")),
		string(gptData(testDisk, strings.Repeat("\x07", 36), strings.Repeat("\x07", 36), strings.Repeat("\x07", 36))),
		string(imageData(1<<63, espPath(strings.Repeat("\x1b", 1900)))),
	} {
		for typ := range eventTypes {
			for _, pcr := range []uint32{0, 7, 8, 9, 11, 12, 14, 1 << 31} {
				e := told(pcr, typ, "", []byte(data))
				checkLine(t, e.Describe(), maxLine+1)
			}
		}
	}
}
