// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

func TestFATElement(t *testing.T) {
	for _, test := range []struct {
		in, want string // "" is not valid
	}{
		{"a.efi", "a.efi"}, {"  a  b . ", "a  b"}, {"a...", "a"}, {".extra", ".extra"}, {"ü+,;=[]", "ü+,;=[]"}, {"\u00a0", "\u00a0"},
		{"", ""}, {" ", ""}, {"...", ""}, {" . ", ""}, {"a/b", ""}, {"a:b", ""}, {"a*", ""}, {"a?", ""}, {`a"`, ""}, {"a<", ""}, {"a>", ""}, {"a|", ""}, {`a\b`, ""},
		{"a\x1f", ""}, {"a\nb", ""}, {strings.Repeat("a", 255), strings.Repeat("a", 255)}, {strings.Repeat("a", 256), ""},
		{strings.Repeat("😀", 127), strings.Repeat("😀", 127)}, {strings.Repeat("😀", 128), ""},
	} {
		got, ok := fatElement(test.in)
		require.Equal(t, test.want != "", ok, test.in)
		if ok {
			require.Equal(t, test.want, got)
		}
	}
}

func TestFATEqual(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"BOOTX64.EFI", "bootx64.efi", true}, {"Ärger", "äRGER", true}, {"þ", "Þ", true}, {"a", "b", false}, {"a", "aa", false},
		{"÷", "×", false}, {"ÿ", "ß", false}, {"\u212a", "k", false}, {"\u017f", "s", false}, {"ж", "Ж", false}, {"[", "{", false},
	} {
		require.Equal(t, test.want, fatEqual(test.a, test.b), "%s %s", test.a, test.b)
	}
}

func TestFATTime(t *testing.T) {
	for _, test := range []struct {
		in   time.Time
		want string
	}{
		{time.Time{}, "1980-01-01T00:00:00Z"},
		{time.Unix(0, 0), "1980-01-01T00:00:00Z"},
		{time.Date(2024, 5, 6, 1, 30, 0, 0, time.FixedZone("", 2*3600)), "2024-05-05T23:30:00Z"},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), "2107-12-31T23:59:58Z"},
		{time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), "1980-01-01T00:00:00Z"},
	} {
		got := fatTime(test.in)
		require.True(t, got.Valid())
		require.Zero(t, got.TimeZone)
		require.Equal(t, test.want, got.Std().Format(time.RFC3339Nano))
	}
}

// FuzzLocate follows any name from any place: no panic, and what is found is a
// path of io/fs.
func FuzzLocate(f *testing.F) {
	tree := fatTree{fstest.MapFS{"EFI/Linux/a.efi": {}, "EFI/linux/b": {}, "x": {}}}
	for _, name := range []string{`\EFI\LINUX\A.EFI`, `..\..`, `a\`, ` . `, `\\EFI\\.\..\x`, "\u0000", "EFI/Linux"} {
		f.Add("EFI", name, uint64(efi.FileDirectory))
	}
	f.Fuzz(func(t *testing.T, start, name string, create uint64) {
		if _, err := tree.stat(start); err != nil {
			start = "EFI/Linux"
		}
		at, rest, err := tree.locate(start, name, efi.FileAttribute(create))
		if err != nil {
			return
		}
		if _, err := tree.stat(at); err != nil {
			t.Fatalf("%q from %q: %q: %v", name, start, at, err)
		}
		if rest != "" && !fat.ValidName(rest) {
			t.Fatalf("%q from %q: a new name %q", name, start, rest)
		}
	})
}
