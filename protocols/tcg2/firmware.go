// SPDX-License-Identifier: BSD-3-Clause

package tcg2

import (
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/tables"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// The texts of EV_EFI_ACTION events (PC Client Platform Firmware Profile, §10.4.4).
const (
	actionCalling    = "Calling EFI Application from Boot Option"
	actionReturning  = "Returning from EFI Application from Boot Option"
	actionInvocation = "Exit Boot Services Invocation"
	actionFailed     = "Exit Boot Services Returned with Failure"
	actionSucceeded  = "Exit Boot Services Returned with Success"
)

// The PCRs of what firmware measures (PC Client Platform Firmware Profile, §3.3.4).
const (
	pcrConfig     = 1
	pcrDrivers    = 2
	pcrBootLoader = 4
	pcrPartitions = 5
	pcrSecureBoot = 7
)

// Firmware measures what EDK2 does before it starts a boot loader, as far as it
// can be known without the machine: the Secure Boot variables and their separator,
// BootOrder and what it names, "Calling EFI Application from Boot Option", the
// separators of PCR 0 to 6. What the machine itself adds to PCR 0 to 3 is not
// there. It is for a TPM without Options.Log, whose machine has measured all that.
func (t *TPM) Firmware(vars *tables.Variables) error {
	for _, v := range []struct {
		name   string
		vendor efi.GUID
		always bool
	}{
		{"SecureBoot", efi.GlobalVariableGUID, true},
		{"PK", efi.GlobalVariableGUID, true},
		{"KEK", efi.GlobalVariableGUID, true},
		{"db", efi.ImageSecurityDatabaseGUID, true},
		{"dbx", efi.ImageSecurityDatabaseGUID, true},
		{"dbt", efi.ImageSecurityDatabaseGUID, false},
	} {
		x, err := vars.Get(v.name, v.vendor)
		if err != nil && !v.always {
			continue
		}
		data := variableData(v.vendor, v.name, x.Data)
		if err := t.measure(pcrSecureBoot, eventlog.EFIVariableDriverConfig, data, data); err != nil {
			return err
		}
	}
	if err := t.separator(pcrSecureBoot); err != nil {
		return err
	}
	if err := t.bootVariables(vars); err != nil {
		return err
	}
	if err := t.action(pcrBootLoader, actionCalling); err != nil {
		return err
	}
	for pcr := uint32(0); pcr < pcrSecureBoot; pcr++ {
		if err := t.separator(pcr); err != nil {
			return err
		}
	}
	t.before, t.measured = len(t.log.Events), nil
	return nil
}

// Returned measures that a boot option has failed and that the boot manager goes on
// to the next.
func (t *TPM) Returned() error {
	for _, text := range []string{actionReturning, actionCalling} {
		if err := t.action(pcrBootLoader, text); err != nil {
			return err
		}
	}
	return nil
}

// bootVariables measures BootOrder and the boot options that it names.
func (t *TPM) bootVariables(vars *tables.Variables) error {
	order, err := vars.Get("BootOrder", efi.GlobalVariableGUID)
	if err != nil || len(order.Data) == 0 {
		return nil
	}
	names := []string{"BootOrder"}
	for b := order.Data; len(b) >= 2; b = b[2:] {
		names = append(names, fmt.Sprintf("Boot%04X", binary.LittleEndian.Uint16(b)))
	}
	for _, name := range names {
		x, err := vars.Get(name, efi.GlobalVariableGUID)
		if err != nil {
			continue // it names one that there is not
		}
		if err := t.measure(pcrConfig, eventlog.EFIVariableBoot, x.Data, variableData(efi.GlobalVariableGUID, name, x.Data)); err != nil {
			return err
		}
	}
	return nil
}

// variableData is UEFI_VARIABLE_DATA (PC Client Platform Firmware Profile,
// §10.2.6): the name without its NUL.
func variableData(vendor efi.GUID, name string, data []byte) []byte {
	guid := vendor.Bytes()
	text := efi.EncodeString(name)
	text = text[:len(text)-2]
	b := binary.LittleEndian.AppendUint64(guid[:], uint64(len(text)/2))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	return append(append(b, text...), data...)
}

func (t *TPM) separator(pcr uint32) error {
	return t.measure(pcr, eventlog.Separator, make([]byte, 4), make([]byte, 4))
}

func (t *TPM) action(pcr uint32, text string) error {
	return t.measure(pcr, eventlog.EFIAction, []byte(text), []byte(text))
}

// MeasureExit measures an ExitBootServices into PCR 5.
func (t *TPM) MeasureExit(succeeds bool) error {
	result := actionFailed
	if succeeds {
		result = actionSucceeded
	}
	for _, text := range []string{actionInvocation, result} {
		if err := full(t.action(pcrPartitions, text)); err != nil {
			return err
		}
	}
	return nil
}

// MeasureImage measures an image that is loaded, its Authenticode digest, into PCR
// 4 or 2 (DxeTpm2MeasureBootLib), and before the first from a partition with a
// GUID its disk's partition table into PCR 5.
func (t *TPM) MeasureImage(image *pecoff.Image, at efi.Addr, path efi.DevicePath) error {
	if !t.gptDone && t.opts.GPT != nil && onGPT(path) {
		t.gptDone = true
		if err := full(t.measure(pcrPartitions, eventlog.EFIGPTEvent, t.opts.GPT, t.opts.GPT)); err != nil {
			return err
		}
	}
	pcr, typ := uint32(pcrBootLoader), eventlog.EFIBootServicesApplication
	switch image.Subsystem {
	case pecoff.BootServiceDriver:
		pcr, typ = pcrDrivers, eventlog.EFIBootServicesDriver
	case pecoff.RuntimeDriver:
		pcr, typ = pcrDrivers, eventlog.EFIRuntimeServicesDriver
	}
	sums, err := t.authenticode(image)
	if err != nil {
		return err
	}
	return full(t.extend(eventlog.Event{PCR: pcr, Type: typ, Digests: sums, Data: imageLoadEvent(image, at, path)}, false))
}

// imageLoadEvent is UEFI_IMAGE_LOAD_EVENT (PC Client Platform Firmware Profile,
// §10.2.3). The location is that of the file in memory, as EDK2 has it, and 0 for
// a file that the guest does not have in memory.
func imageLoadEvent(image *pecoff.Image, at efi.Addr, path efi.DevicePath) []byte {
	var raw []byte
	if len(path) > 0 {
		raw = path.Bytes()
	}
	var b []byte
	for _, v := range []uint64{uint64(at), uint64(image.Size()), image.ImageBase, uint64(len(raw))} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return append(b, raw...)
}

// onGPT reports whether a path leads through a partition with a GUID.
func onGPT(path efi.DevicePath) bool {
	for _, n := range path {
		if hd, _, ok := efi.DecodeNode[efi.HardDriveNode](n); ok {
			return hd.Format == efi.HardDriveFormatGPT && hd.SignatureType == efi.HardDriveSignatureGUID
		}
	}
	return false
}
