// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"bytes"
	"io/fs"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/pecoff"
)

// What Kexec runs finds its volume, its load options and the host's memory and
// tables. That it boots is a test of examples/bootmenu.
func TestKexecRun(t *testing.T) {
	arch, err := guest(hostMachine())
	if err != nil {
		t.Skip(err)
	}
	emutest.Engine(t, arch)
	suffix := map[string]string{"amd64": "x64", "arm64": "aa64"}[runtime.GOARCH]
	v := Volume{FS: fstest.MapFS{"hello.txt": {Data: []byte("Hello from the volume.\n")}}}
	for _, name := range []string{"demo", "return"} {
		image, err := payloads.Image(suffix, name)
		require.NoError(t, err)
		v.FS.(fstest.MapFS)["EFI/Linux/"+name+".efi"] = &fstest.MapFile{Data: image}
	}
	host := &kexec.Host{
		Memory: emu.Layout(arch, 256<<20),
		Tables: []efi.ConfigurationTable{{VendorGUID: efi.ACPI20TableGUID, VendorTable: 0x7ff0000}},
	}
	var out bytes.Buffer
	h, err := Kexec{Out: &out}.run(Entry{Volume: v, Path: "EFI/Linux/demo.efi"}, host)
	require.NoError(t, err)
	defer h.Close()
	require.Contains(t, out.String(), "Hello from the volume.")
	require.Contains(t, h.ConfigurationTables, host.Tables[0])

	_, err = Kexec{}.run(Entry{Volume: v, Path: "EFI/Linux/return.efi", CommandLine: "21"}, host)
	exit := &emu.ExitError{}
	require.ErrorAs(t, err, &exit)
	require.EqualValues(t, 21, exit.Status)

	for _, c := range []struct {
		volume fs.FS
		path   string
		want   error
	}{
		{v.FS, "gone.efi", fs.ErrNotExist},
		{v.FS, "hello.txt", pecoff.ErrNotPE},
		{noFS{v.FS}, "EFI/Linux/demo.efi", ErrReadAt},
	} {
		_, err := Kexec{}.run(Entry{Volume: Volume{FS: c.volume}, Path: c.path}, host)
		require.ErrorIs(t, err, c.want, c.path)
	}
}
