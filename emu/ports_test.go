// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"encoding/binary"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

func in(g *guest, port uint32, width uint8) uint64 {
	g.Exit(cpu.Exit{Kind: cpu.Port, Number: port, Width: width})
	return g.Regs().GP[cpu.RAX] & (1<<(8*width) - 1)
}

func out(g *guest, port uint32, value uint64) {
	g.Exit(cpu.Exit{Kind: cpu.Port, Number: port, Width: 1, Out: true, Value: value})
}

// A program that waits for the 8254's third counter, as boot loaders do to learn
// how fast the processor is.
func TestPIT(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		const ticks = 20000 // 16.8 ms
		out(g, 0x61, in(g, 0x61, 1)&^3)
		out(g, 0x43, 0xb0) // counter 2, both bytes, mode 0
		out(g, 0x42, ticks&0xff)
		out(g, 0x42, ticks>>8)
		out(g, 0x61, 1)
		reads := 0
		took := after(g, func() {
			for in(g, 0x61, 1)&0x20 == 0 {
				if reads++; reads > 10000 {
					g.T.Fatal("it never comes to its end")
				}
			}
		})
		about(g, "20000 ticks", took, 16762e3)
		out(g, 0x61, 0)
		same(g, "output with the gate closed", in(g, 0x61, 1)&0x23, 0)

		out(g, 0x43, 0x34) // counter 0, both bytes, mode 2
		out(g, 0x40, 0)
		out(g, 0x40, 0)
		last, fell := uint64(1<<16), 0
		for range 100 {
			out(g, 0x43, 0x00) // latch
			v := in(g, 0x40, 1) | in(g, 0x40, 1)<<8
			if v < last {
				fell++
			}
			last = v
		}
		if fell < 90 {
			g.T.Errorf("counter 0 fell %d times of 100", fell)
		}
		seen := map[uint64]bool{}
		for range 100 {
			seen[in(g, 0x61, 1)&0x10] = true
		}
		same(g, "levels of the refresh toggle", len(seen), 2)
	})
}

// acpi is the tables of ACPI that lead to the power management timer.
func acpi(at efi.Addr, port uint32, flags uint32, extended uint64) []byte {
	raw := make([]byte, 0x400)
	copy(raw, "RSD PTR ")
	raw[15] = 2
	binary.LittleEndian.PutUint32(raw[16:], uint32(at)+0x300) // the tables as ACPI 1.0 has them
	copy(raw[0x300:], "RSDT")
	binary.LittleEndian.PutUint32(raw[0x304:], 36+4)
	binary.LittleEndian.PutUint32(raw[0x300+36:], uint32(at)+0x100)
	binary.LittleEndian.PutUint64(raw[24:], uint64(at)+0x40)
	copy(raw[0x40:], "XSDT")
	binary.LittleEndian.PutUint32(raw[0x44:], 36+16)
	binary.LittleEndian.PutUint64(raw[0x40+36:], uint64(at)+0x80) // no table
	binary.LittleEndian.PutUint64(raw[0x40+44:], uint64(at)+0x100)
	copy(raw[0x100:], "FACP")
	binary.LittleEndian.PutUint32(raw[0x104:], 276)
	binary.LittleEndian.PutUint32(raw[0x100+76:], port)
	binary.LittleEndian.PutUint32(raw[0x100+112:], flags)
	raw[0x100+208] = 1
	binary.LittleEndian.PutUint64(raw[0x100+212:], extended)
	return raw
}

func TestPowerManagementTimer(t *testing.T) {
	const at = 0x1000_0000
	for _, row := range []struct {
		name           string
		port, flags    uint32
		extended       uint64
		where, nowhere uint32
		mask           uint64
	}{
		{"24 bits", 0x608, 0, 0, 0x608, 0x408, 1<<24 - 1},
		{"32 bits", 0x608, 1 << 8, 0, 0x608, 0x408, 1<<32 - 1},
		{"extended", 0x608, 0, 0x408, 0x408, 0x608, 1<<24 - 1},
		{"no port", 0, 0, 0x10000, 0x608, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := emu.Config{
				Arch: cpu.AMD64, Clock: emu.VirtualClock(start),
				Contents: []emu.Content{{Addr: at, Data: acpi(at, row.port, row.flags, row.extended)}},
			}
			_, err := emutest.Go(t, cfg, func(m *emu.Machine) {
				if err := m.InstallConfigurationTable(efi.ACPI20TableGUID, at); err != nil {
					t.Fatal(err)
				}
			}, func(g *guest) efi.Status {
				same(g, "another port", in(g, row.nowhere, 4), 0xffffffff)
				first := in(g, row.where, 4)
				if row.mask == 0 {
					same(g, "a timer that is none", first, 0xffffffff)
					return efi.Success
				}
				var last uint64
				took := after(g, func() {
					for range 100 {
						last = in(g, row.where, 4)
					}
				})
				if last > row.mask {
					g.T.Errorf("%#x is more than %#x", last, row.mask)
				}
				counted := float64((last-first)&row.mask) / 3579545
				if counted < took.Seconds()*0.9 || counted > took.Seconds()*1.1 {
					g.T.Errorf("counted %v s in %v", counted, took)
				}
				same(g, "a byte of it", in(g, row.where, 1), 0xff)
				return efi.Success
			})
			wantSuccess(t, err)
		})
	}
}

// A BIOS has but the tables of ACPI 1.0.
func TestPowerManagementTimerOfBIOS(t *testing.T) {
	const at = 0x1000_0000
	raw := acpi(at, 0x608, 0, 0)
	raw[15] = 0
	clear(raw[0x40:0x80])
	cfg := emu.Config{Arch: cpu.AMD64, Clock: emu.VirtualClock(start), Contents: []emu.Content{{Addr: at, Data: raw}}}
	_, err := emutest.Go(t, cfg, func(m *emu.Machine) {
		if err := m.InstallConfigurationTable(efi.ACPITableGUID, at); err != nil {
			t.Fatal(err)
		}
	}, func(g *guest) efi.Status {
		if first, second := in(g, 0x608, 4), in(g, 0x608, 4); first == 0xffffffff || first == second {
			g.T.Errorf("%#x, then %#x", first, second)
		}
		return efi.Success
	})
	wantSuccess(t, err)
}

// Tables that lead nowhere are no timer, and nothing else.
func TestPowerManagementTimerOfBrokenTables(t *testing.T) {
	const at = 0x1000_0000
	for offset, value := range map[int]uint64{
		24: 0xffff_ffff_f000, 0x40: 0, 0x44: 0xffffffff, 0x40 + 44: 7, 0x104: 20, 0x100: 0,
	} {
		raw := acpi(at, 0x608, 0, 0)
		binary.LittleEndian.PutUint64(raw[offset:], value)
		cfg := emu.Config{Arch: cpu.AMD64, Clock: emu.VirtualClock(start), Contents: []emu.Content{{Addr: at, Data: raw}}}
		_, err := emutest.Go(t, cfg, func(m *emu.Machine) {
			if err := m.InstallConfigurationTable(efi.ACPI20TableGUID, at); err != nil {
				t.Fatal(err)
			}
		}, func(g *guest) efi.Status {
			same(g, "no timer", in(g, 0x608, 4), 0xffffffff)
			return efi.Success
		})
		wantSuccess(t, err)
	}
}
