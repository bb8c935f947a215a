// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/uefiexec/uefiexec/efi"
)

// unavailable skips a test, or fails it where everything that tests need is said
// to be there.
func unavailable(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("UEFIEXEC_NOSKIP") == "1" {
		t.Fatalf("UEFIEXEC_NOSKIP: %s", why)
	}
	t.Skip(why)
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// pack is numbers, little endian, by their size; strings and bytes as they are.
func pack(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case uint8:
			b = append(b, p)
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, p)
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, p)
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, p)
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		case efi.GUID:
			raw := p.Bytes()
			b = append(b, raw[:]...)
		default:
			panic(p)
		}
	}
	return b
}

// wide is s in UTF-16, without a NUL.
func wide(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

// imageData is UEFI_IMAGE_LOAD_EVENT.
func imageData(size uint64, path efi.DevicePath) []byte {
	raw := path.Bytes()
	return pack(uint64(0x3e000000), size, uint64(0x10000), uint64(len(raw)), raw)
}

func espPath(file string) efi.DevicePath {
	return efi.DevicePath{efi.PCIRoot(0), efi.HardDriveGPT(1, 2048, 94208, efi.PartitionTypeSystemGUID), efi.FilePath(file)}
}

// variableEvent is UEFI_VARIABLE_DATA.
func variableEvent(vendor efi.GUID, name, data string) []byte {
	return pack(vendor, uint64(len(name)), uint64(len(data)), wide(name), data)
}

// gptData is UEFI_GPT_DATA.
func gptData(disk efi.GUID, names ...string) []byte {
	b := pack("EFI PART", uint32(0x10000), uint32(92), make([]byte, 40), disk, uint64(2), uint32(128), uint32(128), uint32(0))
	b = pack(b, uint64(len(names)))
	for _, name := range names {
		label := make([]byte, 72)
		copy(label, wide(name))
		b = pack(b, efi.PartitionTypeSystemGUID, disk, uint64(2048), uint64(4095), uint64(0), label)
	}
	return b
}

var testDisk = efi.GUID{Data1: 0x11111111, Data2: 0x2222, Data3: 0x4333, Data4: [8]byte{0x84, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}}

var sha256Alone = []Algorithm{SHA256}

// measured is an event of data that is hashed itself.
func measured(pcr uint32, t EventType, data string) Event {
	return New(sha256Alone, pcr, t, []byte(data), []byte(data))
}

// told is an event of which the data is not what is hashed.
func told(pcr uint32, t EventType, hashed string, data []byte) Event {
	return New(sha256Alone, pcr, t, []byte(hashed), data)
}

// section is what systemd-stub measures of a section.
func section(name, contents string) []Event {
	data := append(wide(name), 0, 0)
	return []Event{told(11, IPL, name+"\x00", data), told(11, IPL, contents, data)}
}
