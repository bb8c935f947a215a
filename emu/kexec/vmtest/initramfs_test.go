// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// unpack reads a newc archive: its names in order, with the mode in octal, and
// contents by name.
func unpack(t *testing.T, data []byte) (names []string, contents map[string]string) {
	t.Helper()
	contents = map[string]string{}
	for {
		if len(data) < 110 || string(data[:6]) != "070701" {
			t.Fatalf("no header in %.120q", data)
		}
		field := func(i int) int {
			n, err := strconv.ParseUint(string(data[6+8*i:14+8*i]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
		size, nameLen := field(6), field(11)
		at := (110 + nameLen + 3) &^ 3
		name := string(data[110 : 110+nameLen-1])
		if name == "TRAILER!!!" {
			if len(data) != at {
				t.Errorf("%d bytes after the trailer", len(data)-at)
			}
			return names, contents
		}
		names = append(names, strconv.FormatInt(int64(field(1)), 8)+" "+name)
		contents[name] = string(data[at : at+size])
		data = data[(at+size+3)&^3:]
	}
}

func TestInitramfs(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"f": "12345", "tree/a": "A", "tree/sub/b": "BB"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("f", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	r := Initramfs{
		Scripts: map[string]string{"first": "run x"},
		Files:   map[string]string{"/bin/x": filepath.Join(dir, "link"), "/esp": filepath.Join(dir, "tree")},
		Data:    map[string][]byte{"/d/e/f": []byte("data"), "/none": nil},
		Modules: []string{filepath.Join(dir, "f"), filepath.Join(dir, "tree/a")},
	}
	entries, err := r.entries()
	if err != nil {
		t.Fatal(err)
	}
	var archive, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&archive, &again} {
		if err := writeCpio(w, entries); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archive.Bytes(), again.Bytes()) {
		t.Error("two archives differ")
	}
	names, contents := unpack(t, archive.Bytes())
	want := `40755 bin
100755 bin/x
40755 d
40755 d/e
100755 d/e/f
40755 esp
100755 esp/a
40755 esp/sub
100755 esp/sub/b
100755 none
40755 vmtest
40755 vmtest.modules
100755 vmtest.modules/00-f
100755 vmtest.modules/01-a
100755 vmtest/first`
	if got := strings.Join(names, "\n"); got != want {
		t.Errorf("names:\n%s\nwant:\n%s", got, want)
	}
	for name, want := range map[string]string{"bin/x": "12345", "esp/sub/b": "BB", "d/e/f": "data", "none": "", "vmtest/first": "\x1frun\x1fx\n"} {
		if contents[name] != want {
			t.Errorf("%s is %q, want %q", name, contents[name], want)
		}
	}
}

func TestInitramfsErrors(t *testing.T) {
	for name, entries := range map[string][]entry{
		"twice":           {{name: "a", mode: modeFile}, {name: "a", mode: modeFile}},
		"not clean":       {{name: "a/../b", mode: modeFile}},
		"outside":         {{name: "../b", mode: modeFile}},
		"no name":         {{mode: modeFile}},
		"no such file":    {{name: "a", mode: modeFile, file: "/nonexistent"}},
		"file and folder": {{name: "a", mode: modeFile}, {name: "a/b", mode: modeFile}},
	} {
		if err := writeCpio(new(bytes.Buffer), entries); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, r := range map[string]Initramfs{
		"script": {Scripts: map[string]string{"x": "nonsense"}},
		"file":   {Files: map[string]string{"/x": "/nonexistent"}},
	} {
		if _, err := r.entries(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
