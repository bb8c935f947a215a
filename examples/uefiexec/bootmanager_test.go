// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/protocols"
)

// bootVars writes a file of variables: options 1 and up on the volume that a folder
// is, in BootOrder as they are given.
func bootVars(t *testing.T, files ...string) string {
	t.Helper()
	type variable struct {
		Name       string `json:"name"`
		GUID       string `json:"guid"`
		Attributes string `json:"attributes"`
		Data       string `json:"data"`
	}
	var all []variable
	add := func(name string, data []byte) {
		all = append(all, variable{name, efi.GlobalVariableGUID.String(), "NV|BS|RT", hex.EncodeToString(data)})
	}
	disk := protocols.DefaultDisk()
	var order []byte
	for i, file := range files {
		raw, err := efi.LoadOption{
			Attributes: efi.LoadOptionActive, Description: file,
			FilePathList: []efi.DevicePath{{disk[len(disk)-1], efi.FilePath(file)}}, OptionalData: efi.EncodeString("options of " + file),
		}.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		add("Boot000"+string(rune('1'+i)), raw)
		order = binary.LittleEndian.AppendUint16(order, uint16(i+1))
	}
	add("BootOrder", order)
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "vars")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Without an image, what firmware would find is booted.
func TestBootManager(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	demo := payload(t, "demo")
	dir := folder(t, map[string][]byte{"efi/Boot/bootx64.efi": demo, "one.efi": demo, "broken.efi": demo[:100], "hello.txt": []byte("from the ESP")})
	vars := bootVars(t, `\none.efi`, `\broken.efi`, `\one.efi`)
	for _, test := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"removable media", []string{"-esp", dir}, exitDone, []string{"removable media exited boot services"}},
		{"order", []string{"-esp", dir, "-vars", vars}, exitDone, []string{"Boot0001", "Boot0002", `Boot0003 "\\one.efi" exited boot services`, `options of \\one.efi`}},
		{"one of them", []string{"-esp", dir, "-vars", vars, "-boot", "3"}, exitDone, []string{`Boot0003 "\\one.efi" exited`}},
		{"one that fails", []string{"-esp", dir, "-vars", vars, "-boot", "0002"}, exitDone, []string{"Boot0002", "Boot0001", "Boot0003"}},
		{"none there", []string{"-esp", folder(t, nil)}, exitGaveUp, []string{"nothing boots", "BOOTX64.EFI"}},
		{"no such option", []string{"-esp", dir, "-vars", vars, "-boot", "9"}, exitGaveUp, []string{"Boot0009", "NOT_FOUND"}},
		{"no number", []string{"-esp", dir, "-boot", "x"}, exitUsage, []string{"-boot x"}},
		{"and an image", []string{"-boot", "1", demoFile(t)}, exitUsage, []string{"-boot"}},
		{"and a command line", []string{"-esp", dir, "-cmdline", "x"}, exitUsage, []string{"-cmdline"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := invoked(t, append([]string{"run"}, test.args...)...)
			if got.code != test.code {
				t.Errorf("exit code %d, want %d", got.code, test.code)
			}
			rest := got.err
			for _, part := range test.says {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Errorf("%q is not in\n%s", part, rest)
				}
				rest = after
			}
		})
	}
}

// What the boot manager tries is measured as firmware measures it.
func TestMeasureBootManager(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	dir := folder(t, map[string][]byte{"one.efi": payload(t, "demo")})
	got := invoked(t, "measure", "-json", "-esp", dir, "-vars", bootVars(t, `\none.efi`, `\one.efi`))
	var out struct {
		Events []struct {
			PCR         int    `json:"pcr"`
			Type        string `json:"type_name"`
			Description string `json:"description"`
		} `json:"events"`
	}
	if err := json.Unmarshal([]byte(got.out), &out); err != nil || got.code != exitDone {
		t.Fatalf("exit code %d, %v\n%s", got.code, err, got.err)
	}
	var actions []string
	for _, e := range out.Events {
		if e.PCR == 4 && e.Type != "EV_SEPARATOR" {
			actions = append(actions, strings.Fields(e.Description)[1])
		}
	}
	if want := `"Calling "Returning "Calling \one.efi`; strings.Join(actions, " ") != want {
		t.Errorf("PCR 4: %s, want %s", strings.Join(actions, " "), want)
	}
}

func TestScreenshot(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	name := filepath.Join(t.TempDir(), "screen.png")
	if got := invoked(t, "run", "-screenshot", name, demoFile(t)); got.code != exitDone {
		t.Fatalf("%+v", got)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	shot, err := png.Decode(file)
	if err != nil || shot.Bounds().Dx() != screenWidth || shot.Bounds().Dy() != screenHeight {
		t.Errorf("%v, %v", shot, err)
	}
}
