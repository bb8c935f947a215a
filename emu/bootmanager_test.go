// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/tables"
)

// shelf is a volume for the boot manager: images by name.
type shelf map[string][]byte

func (s shelf) ReadFile(name string, limit int64) ([]byte, error) {
	if data, ok := s[strings.ToUpper(name)]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("no %s: %w", name, efi.NotFound)
}

// shelfProtocol are no services: only the boot manager reads a shelf.
var shelfProtocol = emu.Protocol{GUID: efi.SimpleFileSystemProtocolGUID, Name: "Shelf", Services: []emu.Service{emu.Field("Revision")}}

// firmware is a machine with volumes whose images are Go functions; what has run is
// in log.
type firmware struct {
	t      *testing.T
	puppet puppet.Puppet
	m      *emu.Machine
	log    []string
}

func newFirmware(t *testing.T, arch cpu.Arch) *firmware {
	t.Helper()
	f := &firmware{t: t}
	var err error
	f.m, err = emu.Open(emu.Config{Arch: arch, Engine: f.puppet.New, MemoryMap: emu.Layout(arch, 64<<20), Clock: emu.VirtualClock(start)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.m.Close() })
	return f
}

// volume installs one with the given images, each of which returns its status.
func (f *firmware) volume(path efi.DevicePath, files map[string]efi.Status) {
	f.t.Helper()
	s := shelf{}
	for name, status := range files {
		code := f.puppet.Func(func(th *puppet.Thread) uint64 {
			info := puppet.Load(th, efi.Ptr[efi.LoadedImage](f.m.Interface(efi.Handle(th.Arg(0)), efi.LoadedImageProtocolGUID)))
			options := ""
			if n := info.LoadOptionsSize; n > 0 {
				raw, err := th.Memory().Read(info.LoadOptions, uint64(n))
				if err != nil {
					f.t.Error(err)
				}
				options = " " + string(raw)
			}
			current := "none"
			if v, err := f.m.Variables().Get("BootCurrent", efi.GlobalVariableGUID); err == nil {
				current = fmt.Sprintf("%04X", binary.LittleEndian.Uint16(v.Data))
			}
			f.log = append(f.log, name+" as "+current+options)
			return uint64(status)
		})
		s[strings.ToUpper(name)] = emutest.Image(f.m.Arch(), code[:])
	}
	if _, err := f.m.Install(0,
		emu.Interface{Protocol: &emu.Protocol{GUID: efi.DevicePathProtocolGUID, Name: "DevicePath"}, Data: path.Bytes()},
		emu.Interface{Protocol: &shelfProtocol, Value: s, Fields: func(*emu.Machine) ([]uint64, error) { return []uint64{0}, nil }},
	); err != nil {
		f.t.Fatal(err)
	}
}

func (f *firmware) define(name string, data []byte) {
	f.t.Helper()
	attributes := efi.VariableNonVolatile | efi.VariableBootServiceAccess | efi.VariableRuntimeAccess
	if err := f.m.Variables().Define(tables.Variable{Name: name, GUID: efi.GlobalVariableGUID, Attributes: attributes, Data: data}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *firmware) option(number uint16, attributes efi.LoadOptionAttribute, options string, nodes ...efi.Node) {
	f.t.Helper()
	raw, err := efi.LoadOption{
		Attributes: attributes, Description: fmt.Sprint("option ", number),
		FilePathList: []efi.DevicePath{nodes}, OptionalData: []byte(options),
	}.MarshalBinary()
	if err != nil {
		f.t.Fatal(err)
	}
	f.define(fmt.Sprintf("Boot%04X", number), raw)
}

func numbers(n ...uint16) []byte {
	var b []byte
	for _, v := range n {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

var (
	espGUID  = efi.GUID{Data1: 0x11111111}
	espNode  = efi.HardDriveGPT(1, 2048, 4096, espGUID)
	espPath  = efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0), espNode}
	dataPath = efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0), efi.HardDriveMBR(2, 8192, 4096, 0xabcd)}
)

func TestBootManager(t *testing.T) { // §3.1, §3.5.1
	const refused = efi.SecurityViolation
	for _, row := range []struct {
		name  string
		setup func(*firmware)
		want  []string
		ends  efi.Status // of the ExitError that ends it, or Aborted: nothing boots
	}{
		{"removable media", func(f *firmware) {}, []string{`\EFI\BOOT\BOOTX64.EFI as none`}, efi.Success},
		{"order", func(f *firmware) {
			f.define("BootOrder", numbers(2, 1))
			f.option(1, efi.LoadOptionActive, "", espNode, efi.FilePath(`\good.efi`))
			f.option(2, efi.LoadOptionActive, "what", espNode, efi.FilePath(`\bad.efi`))
		}, []string{`\bad.efi as 0002 what`, `\good.efi as 0001`}, efi.Success},
		{"next, once", func(f *firmware) {
			f.define("BootOrder", numbers(1))
			f.define("BootNext", numbers(0xa))
			f.option(1, efi.LoadOptionActive, "", espNode, efi.FilePath(`\good.efi`))
			f.option(0xa, 0, "", append(slices.Clone(espPath), efi.FilePath(`\bad.efi`))...)
		}, []string{`\bad.efi as 000A`, `\good.efi as 0001`}, efi.Success},
		{"neither inactive ones nor applications nor what is not there", func(f *firmware) {
			f.define("BootOrder", numbers(1, 2, 3, 4, 5, 4))
			f.option(1, 0, "", espNode, efi.FilePath(`\bad.efi`))
			f.option(2, efi.LoadOptionActive|efi.LoadOptionCategoryApp, "", espNode, efi.FilePath(`\bad.efi`))
			f.define("Boot0003", []byte("none"))
			f.option(4, efi.LoadOptionActive, "", efi.FilePath(`\good.efi`))
		}, []string{`\good.efi as 0004`}, efi.Success},
		{"another partition and no such file", func(f *firmware) {
			f.define("BootOrder", numbers(1, 2, 3))
			f.option(1, efi.LoadOptionActive, "", efi.HardDriveGPT(2, 2048, 4096, espGUID), efi.FilePath(`\bad.efi`))
			f.option(2, efi.LoadOptionActive, "", espNode, efi.FilePath(`\none.efi`))
			f.option(3, efi.LoadOptionActive, "", efi.HardDriveMBR(2, 8192, 4096, 0xabcd), efi.FilePath(`\other.efi`))
		}, []string{`\other.efi as 0003`, `\EFI\BOOT\BOOTX64.EFI as none`}, efi.Success},
		{"a device alone", func(f *firmware) {
			f.define("BootOrder", numbers(7))
			f.option(7, efi.LoadOptionActive, "", espPath...)
		}, []string{`\EFI\BOOT\BOOTX64.EFI as 0007`}, efi.Success},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFirmware(t, cpu.AMD64)
			f.volume(dataPath, map[string]efi.Status{`\other.efi`: efi.LoadError})
			f.volume(espPath, map[string]efi.Status{`\good.efi`: efi.Success, `\bad.efi`: refused, `\EFI\BOOT\BOOTX64.EFI`: efi.Success})
			row.setup(f)
			attempts := 0
			_, err := f.m.BootManager(context.Background(), emu.BootManagerOptions{Attempt: func(emu.BootOption) error {
				attempts++
				return nil
			}})
			var exit *emu.ExitError
			if !errors.As(err, &exit) || exit.Status != row.ends {
				t.Errorf("ends with %v", err)
			}
			if !slices.Equal(f.log, row.want) {
				t.Errorf("ran %q, want %q", f.log, row.want)
			}
			if attempts < len(row.want) {
				t.Errorf("%d attempts", attempts)
			}
			if _, err := f.m.Variables().Get("BootNext", efi.GlobalVariableGUID); err == nil {
				t.Error("BootNext is still there")
			}
		})
	}
}

// When nothing boots, everything that was tried is in the error.
func TestBootManagerWithoutAnything(t *testing.T) {
	f := newFirmware(t, cpu.ARM64)
	if _, err := f.m.BootManager(context.Background(), emu.BootManagerOptions{}); !errors.Is(err, efi.NotFound) {
		t.Errorf("without a volume: %v", err)
	}
	f.volume(espPath, map[string]efi.Status{`\bad.efi`: efi.LoadError})
	f.define("BootOrder", numbers(1, 2))
	f.option(1, efi.LoadOptionActive, "", espNode, efi.FilePath(`\bad.efi`))
	_, err := f.m.BootManager(context.Background(), emu.BootManagerOptions{})
	for _, part := range []string{`Boot0001 "option 1": emu: bad.efi exited with LOAD_ERROR`, "Boot0002: ", `removable media: `, "BOOTAA64.EFI"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	refusal := errors.New("no")
	if _, err := f.m.BootManager(context.Background(), emu.BootManagerOptions{Attempt: func(emu.BootOption) error { return refusal }}); !errors.Is(err, refusal) {
		t.Errorf("refused: %v", err)
	}
}
