// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"bytes"
	"testing"
)

func FuzzParseDevicePath(f *testing.F) {
	for _, row := range readSeeds(f) {
		f.Add(unhex(f, row))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path, size, err := ParseDevicePath(b)
		if err != nil {
			return
		}
		if got := path.Bytes(); !bytes.Equal(got, b[:size]) {
			t.Fatalf("%x became %x", b[:size], got)
		}
		for mode := range 4 {
			_ = path.Text(mode&1 != 0, mode&2 != 0)
		}
		if got := JoinInstances(path.Instances()...); !got.Equal(path) {
			t.Errorf("%x: instances join to %x", b[:size], got.Bytes())
		}
		device, _ := path.SplitFile()
		if !path.HasPrefix(device) {
			t.Errorf("%x: the device is %x", b[:size], device.Bytes())
		}
	})
}

// FuzzParseDevicePathText checks that what was read can be written down, and is
// read the same once it has been: the first text may name things in other ways.
func FuzzParseDevicePathText(f *testing.F) {
	for _, seed := range []string{
		"PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x0,0xFFFF,0x0)/HD(1,GPT,C12A7328-F81F-11D2-BA4B-00A0C93EC93B,0x800,0x1000)/\\EFI\\x.efi",
		"PciRoot(0),PciRoot(1)", "Uri(http://a/)", "Path(1,2,03)", "UsbWwid(1,2,3,\"x\")", "SAS(1,2,3,SATA,External,Direct,5,6)",
		"IPv6(::1,TCP,Static,::2,0x40,::3)", "AcpiEx(PNP0A03,PNP0A08,0x1,a,b,c)", "iSCSI(n,1,2,None,CRC32C,CHAP_UNI,TCP)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path, err := ParseDevicePathText(s)
		if err != nil {
			return
		}
		again, size, err := ParseDevicePath(path.Bytes())
		if err != nil || !again.Equal(path) || size != len(path.Bytes()) {
			t.Fatalf("%q: %x does not lie in memory: %v", s, path.Bytes(), err)
		}
		_ = path.Text(true, true)
	})
}

func readSeeds(tb testing.TB) []string {
	tb.Helper()
	return []string{
		endHex, rootHex + endHex, rootHex + pciHex + endHex, rootHex + instHex + pciHex + endHex,
		"02021d00d041030a00000000d041030a00757569640063696400" + "000000" + endHex,
		"030c1b00010203040506070800000000110001010203040a0b0c0d" + endHex,
		"040126000100000000080000000000000010000000000000010203040506070809101112131415160202" + endHex,
		"04040a004100420000" + "00" + endHex,
		"7f020400" + endHex,
	}
}
