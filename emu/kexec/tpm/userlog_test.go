// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

func sized(b []byte) []byte { return append(le.AppendUint32(nil, uint32(len(b))), b...) }

// imaNG is an "ima-ng" entry and the data that is hashed.
func imaNG(pcr uint32, name string) (entry, data []byte) {
	file := sha1.Sum([]byte(name))
	data = append(sized(append([]byte("sha1:\x00"), file[:]...)), sized([]byte(name+"\x00"))...)
	sum := sha1.Sum(data)
	return imaEntry(pcr, sum[:], "ima-ng", sized(data)), data
}

func imaEntry(pcr uint32, sum []byte, name string, rest []byte) []byte {
	b := append(le.AppendUint32(nil, pcr), sum...)
	return append(append(b, sized([]byte(name))...), rest...)
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The digests of two entries as Linux has shown them: that of a boot without a
// TPM, and one of the old template.
func TestIMAKnown(t *testing.T) {
	name := []byte("boot_aggregate")
	data := append(sized(append([]byte("sha1:\x00"), make([]byte, 20)...)), sized(append(name, 0))...)
	list := imaEntry(10, unhex(t, "1d8d532d463c9f8c205d0df7787669a85f93e260"), "ima-ng", sized(data))
	old := append(unhex(t, "b5a166c10d153b7cc3e5b4f1eab1f71672b7c524"), sized(name)...)
	list = append(list, imaEntry(11, unhex(t, "7971593a7ad22a7cce5b234e4bc5d71b04696af4"), "ima", old)...)
	l, err := ParseIMA(list)
	if err != nil || l.By != IMA || l.Len() != 2 {
		t.Fatalf("%+v, %v", l, err)
	}
	for i, m := range l.events {
		if sum := sha1.Sum(m.ima.data); m.pcr != uint32(10+i) || !bytes.Equal(sum[:], m.ima.sha1) {
			t.Errorf("entry %d: PCR %d, %x, want %x", i, m.pcr, sum, m.ima.sha1)
		}
	}
}

func TestIMADigests(t *testing.T) {
	entry, data := imaNG(10, "/init")
	l, err := ParseIMA(append(entry, imaEntry(10, make([]byte, 20), "ima-ng", sized([]byte("x")))...))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(data)
	zeros := strings.Repeat("00", 12)
	ones := func(n int) string { return strings.Repeat("ff", n) }
	for _, c := range []struct {
		a               eventlog.Algorithm
		r               reading
		entry, violated string
	}{
		{eventlog.SHA1, hashed, hex.EncodeToString(sum[:]), ones(20)},
		{eventlog.SHA1, padded, hex.EncodeToString(sum[:]), ones(20)},
		{eventlog.SHA256, hashed, hex.EncodeToString(eventlog.SHA256.Sum(data)), ones(32)},
		{eventlog.SHA256, padded, hex.EncodeToString(sum[:]) + zeros, ones(20) + zeros},
		{eventlog.SHA256, paddedOnes, hex.EncodeToString(sum[:]) + zeros, ones(32)},
	} {
		if got := hex.EncodeToString(l.events[0].digest(c.a, c.r)); got != c.entry {
			t.Errorf("%v, %d: %s, want %s", c.a, c.r, got, c.entry)
		}
		if got := hex.EncodeToString(l.events[1].digest(c.a, c.r)); got != c.violated {
			t.Errorf("%v, %d, violation: %s, want %s", c.a, c.r, got, c.violated)
		}
	}
}

func TestIMAErrors(t *testing.T) {
	good, _ := imaNG(10, "/init")
	sum := make([]byte, 20)
	for name, c := range map[string]struct {
		bad []byte
		err error
	}{
		"half a header":      {good[:10], eventlog.ErrTruncated},
		"cut":                {good[:len(good)-1], eventlog.ErrTruncated},
		"PCR":                {imaEntry(24, sum, "ima-ng", sized(nil)), eventlog.ErrFormat},
		"no name":            {imaEntry(10, sum, "", sized(nil)), eventlog.ErrFormat},
		"a long name":        {imaEntry(10, sum, strings.Repeat("x", 1025), sized(nil)), eventlog.ErrFormat},
		"length of the data": {imaEntry(10, sum, "ima-ng", []byte{0xff, 0xff, 0xff, 0xff}), eventlog.ErrTruncated},
		"old, digest":        {imaEntry(10, sum, "ima", sum[:19]), eventlog.ErrTruncated},
		"old, name":          {imaEntry(10, sum, "ima", append(sum[:20:20], 9, 0, 0, 0)), eventlog.ErrTruncated},
	} {
		l, err := ParseIMA(append(bytes.Clone(good), c.bad...))
		var at *LogError
		if !errors.As(err, &at) || !errors.Is(err, c.err) || at.Offset != len(good) || l.Len() != 1 {
			t.Errorf("%s: %d entries, %v", name, l.Len(), err)
		}
	}
	if l, err := ParseIMA(nil); err != nil || l.Len() != 0 {
		t.Error(l, err)
	}
}

// systemdRecord is one as systemd writes it.
func systemdRecord(pcr uint32, text string, banks ...eventlog.Algorithm) string {
	var digests []string
	for _, a := range banks {
		digests = append(digests, fmt.Sprintf(`{"hashAlg":"%v","digest":"%x"}`, a, a.Sum([]byte(text))))
	}
	return fmt.Sprintf("\x1e"+`{"pcr":%d,"digests":[%s],"content_type":"systemd","content":{"string":%q,"timestamp":1,"eventType":"phase"}}`+"\n",
		pcr, strings.Join(digests, ","), text)
}

func TestSystemd(t *testing.T) {
	text := systemdRecord(11, "enter-initrd", eventlog.SHA1, eventlog.SHA256) +
		"\x1e" + `{"nv_index":30474752,"digests":[{"hashAlg":"sha256","digest":"00"}]}` + "\n" + // of another register
		"\x1e" + `{"pcr":15,"digests":[{"hashAlg":"sha3-256","digest":"00"}]}` + "\n" // of a bank without a name
	l, err := ParseSystemd([]byte(text))
	if err != nil || l.By != Systemd || l.Len() != 2 || l.events[0].pcr != 11 || l.events[1].pcr != 15 {
		t.Fatalf("%+v, %v", l, err)
	}
	for a, want := range map[eventlog.Algorithm][]byte{
		eventlog.SHA1: eventlog.SHA1.Sum([]byte("enter-initrd")), eventlog.SHA256: eventlog.SHA256.Sum([]byte("enter-initrd")), eventlog.SHA384: nil,
	} {
		if got := l.events[0].digest(a, padded); !bytes.Equal(got, want) {
			t.Errorf("%v: %x, want %x", a, got, want)
		}
	}
	if got := l.events[1].digest(eventlog.SHA256, hashed); got != nil {
		t.Errorf("%x", got)
	}
	good := systemdRecord(11, "x", eventlog.SHA1)
	twice := strings.Replace(good, `[{`, `[{"hashAlg":"sha1","digest":"`+strings.Repeat("00", 20)+`"},{`, 1)
	for name, c := range map[string]struct {
		bad string
		err error
	}{
		"no start":      {`{"pcr":1}` + "\n", eventlog.ErrTruncated}, // belongs to the record before
		"cut":           {good[:len(good)-1], eventlog.ErrTruncated},
		"start alone":   {"\x1e", eventlog.ErrTruncated},
		"no JSON":       {"\x1e{\n", eventlog.ErrFormat},
		"nothing":       {"\x1e\n", eventlog.ErrFormat},
		"PCR":           {systemdRecord(24, "x", eventlog.SHA1), eventlog.ErrFormat},
		"a negative":    {"\x1e" + `{"pcr":-1}` + "\n", eventlog.ErrFormat},
		"digest twice":  {twice, eventlog.ErrFormat},
		"no hex":        {"\x1e" + `{"pcr":1,"digests":[{"hashAlg":"sha1","digest":"zz"}]}` + "\n", eventlog.ErrFormat},
		"short digest":  {"\x1e" + `{"pcr":1,"digests":[{"hashAlg":"sha1","digest":"00"}]}` + "\n", eventlog.ErrFormat},
		"digests wrong": {"\x1e" + `{"pcr":1,"digests":3}` + "\n", eventlog.ErrFormat},
	} {
		l, err := ParseSystemd([]byte(good + c.bad))
		var at *LogError
		if name == "no start" {
			if !errors.As(err, &at) || at.Offset != 0 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.As(err, &at) || !errors.Is(err, c.err) || at.Offset != len(good) || l.Len() != 1 {
			t.Errorf("%s: %d records, %v", name, l.Len(), err)
		}
	}
}

func TestReadUserLogs(t *testing.T) {
	entry, _ := imaNG(10, "/init")
	files := fstest.MapFS{
		imaPath:     {Data: entry},
		systemdPath: {Data: []byte(systemdRecord(11, "x", eventlog.SHA256)), Mode: 0o600 | fs.ModeSticky},
	}
	logs, err := ReadUserLogs(files)
	if err != nil || len(logs) != 2 || logs[0].By != IMA || logs[0].Incomplete || logs[1].By != Systemd || !logs[1].Incomplete || logs[1].Len() != 1 {
		t.Fatalf("%+v, %v", logs, err)
	}
	files[imaPath].Data = append(entry, 1)
	files[systemdPath].Data = []byte("x")
	logs, err = ReadUserLogs(files)
	if len(logs) != 2 || logs[0].Len() != 1 || err == nil || !strings.Contains(err.Error(), IMA) || !strings.Contains(err.Error(), Systemd) {
		t.Errorf("%+v, %v", logs, err)
	}
	files[imaPath].Data = make([]byte, maxUserLog+1)
	delete(files, systemdPath)
	if logs, err := ReadUserLogs(files); len(logs) != 0 || err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v, %v", logs, err)
	}
	if logs, err := ReadUserLogs(fstest.MapFS{}); len(logs) != 0 || err != nil {
		t.Error(logs, err)
	}
}
