// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"
)

func TestTableSignatures(t *testing.T) {
	for text, signature := range map[string]uint64{
		"IBI SYST": SystemTableSignature,
		"BOOTSERV": BootServicesSignature,
		"RUNTSERV": RuntimeServicesSignature,
	} {
		if got := binary.LittleEndian.Uint64([]byte(text)); got != signature {
			t.Errorf("%q is %#x, not %#x", text, got, signature)
		}
	}
	if Revision != 0x20064 {
		t.Errorf("revision %#x", Revision)
	}
}

func TestTableCRC32(t *testing.T) {
	table := SystemTable{TableHeader: TableHeader{Signature: SystemTableSignature, Revision: Revision, HeaderSize: 120}, ConIn: 0x1234}
	raw, err := binary.Append(nil, binary.LittleEndian, table)
	if err != nil {
		t.Fatal(err)
	}
	want := crc32.ChecksumIEEE(raw)
	binary.LittleEndian.PutUint32(raw[16:], 0xdeadbeef)
	if got := TableCRC32(append(raw, 1, 2, 3)); got != want {
		t.Errorf("%#x, want %#x: neither the field nor what is behind the table counts", got, want)
	}
	raw[119]++
	if got := TableCRC32(raw); got == want {
		t.Error("the last byte does not count")
	}
}

func TestTableCRC32OfShortTables(t *testing.T) {
	raw := make([]byte, 40)
	for i := range raw {
		raw[i] = byte(i + 1)
	}
	binary.LittleEndian.PutUint32(raw[12:], 1<<31)
	for n := range raw {
		zeroed := append([]byte(nil), raw[:n]...)
		if n > 16 {
			clear(zeroed[16:min(n, 20)])
		}
		if got, want := TableCRC32(raw[:n]), crc32.ChecksumIEEE(zeroed); got != want {
			t.Errorf("of %d bytes: %#x, want %#x", n, got, want)
		}
	}
	binary.LittleEndian.PutUint32(raw[12:], 2)
	if got, want := TableCRC32(raw), crc32.ChecksumIEEE(raw[:2]); got != want {
		t.Errorf("with a HeaderSize of 2: %#x, want %#x", got, want)
	}
}

func TestTime(t *testing.T) {
	now := time.Date(2026, time.November, 22, 23, 59, 58, 123456789, time.FixedZone("", -3600))
	efiTime := TimeOf(now)
	if !efiTime.Valid() || !efiTime.Std().Equal(now) {
		t.Errorf("%v became %v", now, efiTime)
	}
	if efiTime.Day != 23 || efiTime.Hour != 0 {
		t.Errorf("%+v is not UTC", efiTime)
	}
	berlin := Time{Year: 2026, Month: 1, Day: 1, TimeZone: -60}
	if got := berlin.Std(); !got.Equal(time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC)) {
		t.Errorf("midnight in Berlin is %v", got)
	}
	local := Time{Year: 2026, Month: 1, Day: 1, TimeZone: UnspecifiedTimezone}
	if got := local.Std(); !local.Valid() || !got.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("local time is %v", got)
	}
}

func TestTimeValid(t *testing.T) {
	good := Time{Year: 2024, Month: 2, Day: 29}
	if !good.Valid() {
		t.Error(good)
	}
	for name, spoil := range map[string]func(*Time){
		"year 1899":       func(t *Time) { t.Year = 1899 },
		"year 10000":      func(t *Time) { t.Year = 10000 },
		"month 0":         func(t *Time) { t.Month = 0 },
		"month 13":        func(t *Time) { t.Month = 13 },
		"day 0":           func(t *Time) { t.Day = 0 },
		"30 February":     func(t *Time) { t.Day = 30 },
		"29 February":     func(t *Time) { t.Year = 2023 },
		"hour 24":         func(t *Time) { t.Hour = 24 },
		"minute 60":       func(t *Time) { t.Minute = 60 },
		"second 60":       func(t *Time) { t.Second = 60 },
		"nanosecond 10^9": func(t *Time) { t.Nanosecond = 1e9 },
		"zone 1441":       func(t *Time) { t.TimeZone = 1441 },
		"zone -1441":      func(t *Time) { t.TimeZone = -1441 },
		"daylight 4":      func(t *Time) { t.Daylight = 4 },
	} {
		bad := good
		spoil(&bad)
		if bad.Valid() {
			t.Errorf("%s is valid", name)
		}
	}
	east := Time{Year: 2026, Month: 1, Day: 1, TimeZone: -720}
	if !east.Valid() {
		t.Error("1 January 0:00 at UTC+12 is not valid")
	}
}
