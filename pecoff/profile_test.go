// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

func TestProfiles(t *testing.T) {
	im := parse(t, uki().Bytes())
	profiles := im.Profiles()
	require.Len(t, profiles, 2)
	for _, c := range []struct {
		profile    int
		name, want string
	}{
		{0, ".profile", "ID=one"}, {0, ".cmdline", "first"}, {0, ".linux", "kernel"}, {0, ".initrd", ""},
		{1, ".profile", "ID=two"}, {1, ".cmdline", "two"}, {1, ".linux", "kernel"}, {1, ".initrd", "second"},
	} {
		s, ok := profiles[c.profile].Section(c.name)
		require.Equal(t, c.want != "", ok, c)
		data, err := io.ReadAll(im.Mapped(s))
		require.NoError(t, err)
		require.Equal(t, c.want, string(data), c)
	}
}

func TestProfilesImplicit(t *testing.T) {
	im := parse(t, plain().Bytes())
	require.Equal(t, []pecoff.Profile{{Base: im.Sections}}, im.Profiles())
	_, ok := im.Profiles()[0].Section(".data")
	require.True(t, ok)
}

func TestKind(t *testing.T) {
	addon := petest.Image{Sections: []petest.Section{{Name: ".cmdline", Data: []byte("x")}}}
	driver := addon
	driver.Subsystem = pecoff.BootServiceDriver
	windows := addon
	windows.Subsystem = pecoff.WindowsCUI
	text := func(at int, s string) edit {
		return func(_ petest.Image, b []byte) []byte { copy(b[at:], s); return b }
	}
	kernel := samples()["kernel"]
	for _, c := range []struct {
		m    petest.Image
		edit edit
		want pecoff.Kind
		name string
	}{
		{uki(), nil, pecoff.KindUKI, "UKI"},
		{addon, nil, pecoff.KindAddon, "UKI addon"},
		{driver, nil, pecoff.KindEFI, "EFI"},
		{windows, nil, pecoff.KindOther, "other"},
		{plain(), nil, pecoff.KindEFI, "EFI"},
		{kernel, text(0x202, "HdrS"), pecoff.KindBzImage, "bzImage"},
		{kernel, text(0x38, "ARM\x64"), pecoff.KindARM64Image, "arm64 Image"},
		{kernel, text(4, "zimg"), pecoff.KindZboot, "zboot"},
	} {
		b := c.m.Bytes()
		if c.edit != nil {
			b = c.edit(c.m, b)
		}
		im := parse(t, b)
		require.Equal(t, c.want, im.Kind(), c.name)
		require.Equal(t, c.name, im.Kind().String())
	}
}

func ExampleImage_Profiles() {
	b := uki().Bytes()
	im, err := pecoff.Parse(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(im.Kind(), im.Machine)
	for i, p := range im.Profiles() {
		s, _ := p.Section(".cmdline")
		text, _ := io.ReadAll(im.Mapped(s))
		fmt.Printf("@%d %s\n", i, text)
	}
	// Output:
	// UKI ARM64
	// @0 first
	// @1 two
}
