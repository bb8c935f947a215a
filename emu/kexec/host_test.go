// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"fmt"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

func TestFacts(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  Host
	}{
		"nothing": {nil, Host{}},
		"all": {map[string]string{
			"proc/cpuinfo":                           "processor\t: 0\nflags\t\t: fpu pdpe1gb  sha_ni\nbugs\t\t: x\n\nprocessor\t: 1\nflags\t\t: fpu\n",
			"proc/meminfo":                           "MemTotal:        1013352 kB\nMemFree:          5 kB\n",
			"sys/kernel/security/lockdown":           "none [integrity] confidentiality\n",
			"proc/sys/kernel/kexec_load_disabled":    "1\n",
			"sys/hypervisor/type":                    "xen\n",
			"proc/sys/kernel/kexec_load_limit_panic": "0\n",
		}, Host{Flags: []string{"fpu", "pdpe1gb", "sha_ni"}, Total: 1013352 << 10, Lockdown: "integrity", Disabled: true, Xen: true}},
		"none of it": {map[string]string{
			"proc/cpuinfo": "flags\t\t:\n", "proc/meminfo": "MemTotal: lots kB\n", "sys/kernel/security/lockdown": "[none] integrity confidentiality\n",
			"proc/sys/kernel/kexec_load_disabled": "0\n", "sys/hypervisor/type": "kvm\n",
		}, Host{Lockdown: "none"}},
		"nonsense": {map[string]string{
			"proc/cpuinfo": "flags\nFeatures : fp asimd\n", "proc/meminfo": "MemTotal: 99999999999999 kB\nMemTotal: 1 MB\nMemTotal:\n",
			"sys/kernel/security/lockdown": "]none[", "proc/sys/kernel/kexec_load_disabled": "", "sys/hypervisor/type": "",
		}, Host{}},
	} {
		h, err := readHostAs(amd64, with(firmwareMap(seaBIOS), test.files))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := fmt.Sprint(h.Flags, h.Total, h.Lockdown, h.Disabled, h.Xen)
		if want := fmt.Sprint(test.want.Flags, test.want.Total, test.want.Lockdown, test.want.Disabled, test.want.Xen); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	h, err := readHostAs(amd64, firmwareMap(laptop))
	if err != nil {
		t.Fatal(err)
	}
	cfg := h.Config(emu.Config{Arch: amd64, Engine: noEngine, Vendor: "kept"})
	want := []efi.Range{{Start: 0, End: 0x58000}, {Start: 0x59000, End: 0x9d000}, {Start: 0x860000000, End: 0x1000000000}}
	if !slices.Equal(cfg.Withhold, want) || cfg.Vendor != "kept" {
		t.Errorf("withheld are %v, want %v", cfg.Withhold, want)
	}
	m, err := emu.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 100 {
		at, err := m.AllocatePages(efi.LoaderData, 1<<18)
		if err != nil {
			break // no such piece is left
		}
		r := efi.Range{Start: at, End: at + 1<<30}
		if slices.ContainsFunc(want, r.Overlaps) {
			t.Fatalf("%v was allocated", r)
		}
	}
	if at, err := m.AllocatePages(efi.LoaderData, 1); err != nil || at < lowMemory.End {
		t.Errorf("a page at %v, %v", at, err)
	}
}
