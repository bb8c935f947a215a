// SPDX-License-Identifier: BSD-3-Clause

package tcg2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
	"github.com/uefiexec/uefiexec/protocols/tcg2"
	"github.com/uefiexec/uefiexec/tables"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// names are the PCRs and types of events, and the texts of actions.
func names(events []eventlog.Event) []string {
	var list []string
	for _, e := range events {
		text := fmt.Sprintf("%d %v", e.PCR, e.Type)
		if e.Type == eventlog.EFIAction {
			text = fmt.Sprintf("%d %s", e.PCR, e.Data)
		}
		list = append(list, text)
	}
	return list
}

// TestExit: each ExitBootServices is measured that comes to a verdict, with it.
func TestExit(t *testing.T) {
	tpm, err := tcg2.New(tcg2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := emutest.Go(t, emu.Config{Measurer: tpm}, nil, func(g *emutest.Guest) efi.Status {
		in := &guest{Guest: g}
		in.want("a key that is old", g.Boot("ExitBootServices", g.Image, uint64(1)<<40), efi.InvalidParameter)
		size, key := g.Bytes(binary.LittleEndian.AppendUint64(nil, 0x8000)), g.Bytes(make([]byte, 8))
		room := g.Bytes(make([]byte, 0x8000))
		each, version := g.Bytes(make([]byte, 8)), g.Bytes(make([]byte, 8))
		in.want("GetMemoryMap", g.Boot("GetMemoryMap", size, room, key, each, version), efi.Success)
		return g.Boot("ExitBootServices", g.Image, in.word(key))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	want := []string{
		"4 EV_EFI_BOOT_SERVICES_APPLICATION",
		"5 Exit Boot Services Invocation", "5 Exit Boot Services Returned with Failure",
		"5 Exit Boot Services Invocation", "5 Exit Boot Services Returned with Success",
	}
	if got := names(tpm.Events()); !slices.Equal(got, want) || len(h.Measurements) != len(want) {
		t.Errorf("%q, %d measurements", got, len(h.Measurements))
	}
}

// policy refuses images by their subsystem.
type policy map[pecoff.Subsystem]error

func (p policy) Check(image *pecoff.Image, _ efi.DevicePath) error { return p[image.Subsystem] }

// TestImages: applications and drivers have their PCRs; what is refused is not
// measured, and neither is what is no image.
func TestImages(t *testing.T) {
	gpt := []byte("partitions")
	tpm, err := tcg2.New(tcg2.Options{GPT: gpt})
	if err != nil {
		t.Fatal(err)
	}
	refuse := policy{}
	disk := efi.DevicePath{efi.PCIRoot(0), efi.HardDriveGPT(1, 2048, 4096, efi.GUID{Data1: 1}), efi.FilePath(`\x.efi`)}
	mbr := efi.DevicePath{efi.PCIRoot(0), efi.HardDriveMBR(1, 2048, 4096, 7)}
	file := func(s pecoff.Subsystem) []byte {
		return petest.Image{Subsystem: s, Sections: []petest.Section{{Name: ".text", Data: []byte{0xc3}}}}.Bytes()
	}
	_, err = emutest.Go(t, emu.Config{Measurer: tpm, Policy: refuse}, nil, func(g *emutest.Guest) efi.Status {
		in := &guest{Guest: g}
		load := func(path efi.DevicePath, image []byte) efi.Status {
			at := efi.Addr(0)
			if path != nil {
				at = g.Bytes(path.Bytes())
			}
			return g.Boot("LoadImage", 0, g.Image, at, g.Bytes(image), len(image), g.Bytes(make([]byte, 8)))
		}
		in.want("application", load(mbr, file(pecoff.Application)), efi.Success)
		in.want("driver", load(disk, file(pecoff.BootServiceDriver)), efi.Success)
		in.want("runtime driver", load(disk, file(pecoff.RuntimeDriver)), efi.Success)
		refuse[pecoff.Application] = efi.AccessDenied
		in.want("denied", load(disk, file(pecoff.Application)), efi.AccessDenied)
		refuse[pecoff.Application] = efi.SecurityViolation
		in.want("not to be started", load(disk, file(pecoff.Application)), efi.SecurityViolation)
		if s := load(disk, []byte("no image")); !s.IsError() {
			t.Error("no image is loaded")
		}
		return efi.Success
	})
	var exit *emu.ExitError
	if !errors.As(err, &exit) || exit.Status != efi.Success {
		t.Fatal(err)
	}
	want := []string{
		"4 EV_EFI_BOOT_SERVICES_APPLICATION", "4 EV_EFI_BOOT_SERVICES_APPLICATION",
		"5 EV_EFI_GPT_EVENT", "2 EV_EFI_BOOT_SERVICES_DRIVER", "2 EV_EFI_RUNTIME_SERVICES_DRIVER",
	}
	events := tpm.Events()
	if got := names(events); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	if !bytes.Equal(events[2].Data, gpt) || !bytes.Equal(events[2].Digest(eventlog.SHA256), eventlog.SHA256.Sum(gpt)) {
		t.Errorf("partition table: %+v", events[2])
	}
	data := events[3].Data
	if le := binary.LittleEndian; le.Uint64(data) == 0 || le.Uint64(data[8:]) != uint64(len(file(pecoff.BootServiceDriver))) || !bytes.Equal(data[32:], disk.Bytes()) {
		t.Errorf("UEFI_IMAGE_LOAD_EVENT: %x", data)
	}
}

// TestFirmware: what comes before, from the variables.
func TestFirmware(t *testing.T) {
	vars := new(tables.Variables)
	for _, v := range []tables.Variable{
		{Name: "SecureBoot", GUID: efi.GlobalVariableGUID, Data: []byte{1}},
		{Name: "dbt", GUID: efi.ImageSecurityDatabaseGUID, Data: []byte("dbt")},
		{Name: "BootOrder", GUID: efi.GlobalVariableGUID, Data: []byte{0x0a, 0, 0x99, 0, 0x01, 0}},
		{Name: "Boot000A", GUID: efi.GlobalVariableGUID, Data: []byte("ten")},
		{Name: "Boot0001", GUID: efi.GlobalVariableGUID, Data: []byte("one")},
		{Name: "Boot0002", GUID: efi.GlobalVariableGUID, Data: []byte("not in BootOrder")},
	} {
		v.Attributes = efi.VariableBootServiceAccess
		if err := vars.Define(v); err != nil {
			t.Fatal(err)
		}
	}
	tpm, err := tcg2.New(tcg2.Options{Banks: []eventlog.Algorithm{eventlog.SHA256}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tpm.Firmware(vars); err != nil {
		t.Fatal(err)
	}
	log := tpm.Log()
	want := []string{
		"7 EV_EFI_VARIABLE_DRIVER_CONFIG", "7 EV_EFI_VARIABLE_DRIVER_CONFIG", "7 EV_EFI_VARIABLE_DRIVER_CONFIG",
		"7 EV_EFI_VARIABLE_DRIVER_CONFIG", "7 EV_EFI_VARIABLE_DRIVER_CONFIG", "7 EV_EFI_VARIABLE_DRIVER_CONFIG", "7 EV_SEPARATOR",
		"1 EV_EFI_VARIABLE_BOOT", "1 EV_EFI_VARIABLE_BOOT", "1 EV_EFI_VARIABLE_BOOT",
		"4 Calling EFI Application from Boot Option",
		"0 EV_SEPARATOR", "1 EV_SEPARATOR", "2 EV_SEPARATOR", "3 EV_SEPARATOR", "4 EV_SEPARATOR", "5 EV_SEPARATOR", "6 EV_SEPARATOR",
	}
	if got := names(log.Events); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	if len(tpm.Events()) != 0 || len(tpm.Measurements()) != 0 || log.Before() != len(log.Events) {
		t.Errorf("the boot has %d events, the firmware %d of %d", len(tpm.Events()), log.Before(), len(log.Events))
	}
	// The digest of a boot variable is of its contents, of the others of all the data.
	if got := log.Events[8].Digest(eventlog.SHA256); !bytes.Equal(got, eventlog.SHA256.Sum([]byte("ten"))) {
		t.Errorf("Boot000A: %x", got)
	}
	guid := efi.GlobalVariableGUID.Bytes()
	secure := append(guid[:], 10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)
	for _, c := range "SecureBoot" {
		secure = append(secure, byte(c), 0)
	}
	secure = append(secure, 1)
	if e := log.Events[0]; !bytes.Equal(e.Data, secure) || !bytes.Equal(e.Digest(eventlog.SHA256), eventlog.SHA256.Sum(secure)) {
		t.Errorf("SecureBoot: %x", e.Data)
	}
}
