// SPDX-License-Identifier: BSD-3-Clause

package tcg2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// protocol are the rows of EFI_TCG2_PROTOCOL (§6).
var protocol = emu.Protocol{
	GUID: efi.TCG2ProtocolGUID,
	Name: "TCG2",
	Services: []emu.Service{
		emu.Func2("GetCapability", getCapability, "this", "&protocolCapability"),
		emu.Func5("GetEventLog", getEventLog, "this", "eventLogFormat", "*eventLogLocation", "*eventLogLastEntry", "*eventLogTruncated"),
		emu.Func5("HashLogExtendEvent", hashLogExtendEvent, "this", "flags", "dataToHash", "dataToHashLen", "efiTcgEvent"),
		emu.Func5("SubmitCommand", submitCommand, "this", "inputParameterBlockSize", "inputParameterBlock", "outputParameterBlockSize", "outputParameterBlock"),
		emu.Func2("GetActivePcrBanks", getActivePCRBanks, "this", "*activePcrBanks"),
		emu.Func2("SetActivePcrBanks", setActivePCRBanks, "this", "activePcrBanks").
			Partially("other banks than the active ones are refused: they would be another boot's"),
		emu.Func3("GetResultOfSetActivePcrBanks", getResultOfSetActivePCRBanks, "this", "*operationPresent", "*response"),
	},
}

// Formats of the event log (§6.4.2).
const (
	formatLegacy = 1 << 0 // EFI_TCG2_EVENT_LOG_FORMAT_TCG_1_2
	formatAgile  = 1 << 1 // EFI_TCG2_EVENT_LOG_FORMAT_TCG_2
)

// capability is EFI_TCG2_BOOT_SERVICE_CAPABILITY (§6.4.4).
type capability struct {
	Size                uint8
	StructureVersion    [2]uint8
	ProtocolVersion     [2]uint8
	_                   [3]uint8
	HashAlgorithmBitmap uint32
	SupportedEventLogs  uint32
	TPMPresentFlag      efi.Boolean
	_                   uint8
	MaxCommandSize      uint16
	MaxResponseSize     uint16
	_                   [2]uint8
	ManufacturerID      uint32
	NumberOfPCRBanks    uint32
	ActivePcrBanks      uint32
}

const (
	capabilitySize   = 36
	capabilitySize10 = 28 // of version 1.0, which ends with ManufacturerID
	maxCommand       = 4096
	manufacturer     = 0x55455845 // "UEXE", as there is no chip
)

// active is the bitmap of the active banks.
func (t *TPM) active() uint32 {
	var bits uint32
	for _, a := range t.banks {
		bits |= bitOf(a)
	}
	return bits
}

// getCapability fills in as much as the caller has room for: all, or what
// version 1.0 had. With less, BufferTooSmall and the size.
func getCapability(c *emu.Call, this efi.Addr, out efi.Addr) error {
	t, err := emu.This[*TPM](c, this)
	if err != nil {
		return err
	}
	if out == 0 {
		return efi.InvalidParameter
	}
	room, err := mem.Load(c.Memory(), efi.Ptr[uint8](out))
	if err != nil {
		return err
	}
	logs := uint32(formatAgile)
	if t.active()&bitOf(eventlog.SHA1) != 0 {
		logs |= formatLegacy
	}
	full := capability{
		Size: capabilitySize, StructureVersion: [2]uint8{1, 1}, ProtocolVersion: [2]uint8{1, 1},
		HashAlgorithmBitmap: t.active(), SupportedEventLogs: logs, TPMPresentFlag: efi.True,
		MaxCommandSize: maxCommand, MaxResponseSize: maxCommand, ManufacturerID: manufacturer,
		NumberOfPCRBanks: uint32(len(t.banks)), ActivePcrBanks: t.active(),
	}
	n := capabilitySize
	switch {
	case room >= capabilitySize:
	case room >= capabilitySize10:
		n = capabilitySize10
		full.Size, full.StructureVersion, full.ProtocolVersion = capabilitySize10, [2]uint8{1, 0}, [2]uint8{1, 0}
	default:
		if err := mem.Store(c.Memory(), efi.Ptr[uint8](out), capabilitySize); err != nil {
			return err
		}
		return efi.BufferTooSmall
	}
	raw, err := binary.Append(nil, binary.LittleEndian, full)
	if err != nil {
		return err
	}
	return c.Memory().Write(out, raw[:n])
}

// getEventLog returns where the log lies and where its last entry begins, which
// is NULL if it has none. From then on events go to the final events table, too.
func getEventLog(c *emu.Call, this efi.Addr, format uint32, location, last efi.Ptr[efi.Addr], truncated efi.Ptr[efi.Boolean]) error {
	t, err := emu.This[*TPM](c, this)
	if err != nil {
		return err
	}
	var r region
	switch {
	case format == formatAgile:
		r = t.area.agile
	case format == formatLegacy && t.active()&bitOf(eventlog.SHA1) != 0:
		r = t.area.legacy
	default:
		return fmt.Errorf("format %#x of the event log: %w", format, efi.InvalidParameter)
	}
	if location != 0 {
		err = mem.Store(c.Memory(), location, r.at)
	}
	if last != 0 {
		err = errors.Join(err, mem.Store(c.Memory(), last, r.last))
	}
	if truncated != 0 {
		err = errors.Join(err, mem.Store(c.Memory(), truncated, efi.BooleanOf(r.truncated)))
	}
	if err == nil && format == formatAgile {
		t.area.asked = true
	}
	return err
}

// Flags of HashLogExtendEvent (§6.6.3).
const (
	flagExtendOnly = 1 << 0
	flagPECOFF     = 1 << 4
)

// eventHeader is the fixed part of EFI_TCG2_EVENT, which is packed (§6.6.2).
type eventHeader struct {
	Size          uint32
	HeaderSize    uint32
	HeaderVersion uint16
	PCRIndex      uint32
	EventType     uint32
}

const (
	eventHeaderSize = 18
	// maxEventData is the largest data of an event that is looked at, in bytes: no
	// log would have room for more.
	maxEventData = logRoom
)

// hashLogExtendEvent measures and logs, in that order: where the log is full the
// PCRs are extended and the status is VolumeFull. An image that is none is
// Unsupported.
func hashLogExtendEvent(c *emu.Call, this efi.Addr, flags uint64, data efi.Addr, n uint64, event efi.Ptr[eventHeader]) error {
	t, err := emu.This[*TPM](c, this)
	if err != nil {
		return err
	}
	if event == 0 {
		return efi.InvalidParameter
	}
	h, err := mem.Load(c.Memory(), event)
	if err != nil {
		return err
	}
	e := eventlog.Event{PCR: h.PCRIndex, Type: eventlog.EventType(h.EventType)}
	size := int64(h.Size) - 4 - int64(h.HeaderSize)
	switch {
	case size < 0:
		return fmt.Errorf("event of %d bytes with a header of %d: %w", h.Size, h.HeaderSize, efi.InvalidParameter)
	case e.PCR >= eventlog.Registers:
		return fmt.Errorf("PCR %d: %w", e.PCR, efi.InvalidParameter)
	case e.Extends() && data == 0:
		return fmt.Errorf("nothing to hash: %w", efi.InvalidParameter)
	}
	if size <= maxEventData {
		raw, err := c.Memory().Read(event.Addr()+eventHeaderSize, uint64(size))
		if err != nil {
			return err
		}
		e.Data = bytes.Clone(raw)
	}
	if !e.Extends() {
		for _, a := range t.banks {
			e.Digests = append(e.Digests, eventlog.Digest{Algorithm: a, Sum: make([]byte, a.Size())})
		}
	} else {
		measured, err := c.Memory().Read(data, n)
		if err != nil {
			return err
		}
		if flags&flagPECOFF != 0 {
			e.Digests, err = t.imageSums(measured)
		} else {
			e.Digests = t.sums(measured)
		}
		if err != nil {
			return err
		}
	}
	if size > maxEventData {
		return errors.Join(t.extend(e, true), fmt.Errorf("event data of %d bytes: %w", size, efi.VolumeFull))
	}
	if flags&flagExtendOnly != 0 && !e.Extends() {
		return nil
	}
	c.Notef("PCR %d, %s", e.PCR, e.Describe())
	return t.extend(e, flags&flagExtendOnly != 0)
}

// imageSums are the Authenticode digests of an image in memory.
func (t *TPM) imageSums(file []byte) ([]eventlog.Digest, error) {
	image, err := pecoff.Parse(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, efi.Unsupported)
	}
	sums, err := t.authenticode(image)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, efi.Unsupported)
	}
	return sums, nil
}

func (t *TPM) authenticode(image *pecoff.Image) ([]eventlog.Digest, error) {
	return t.digests(func(a eventlog.Algorithm) ([]byte, error) {
		h, _ := a.Hash()
		sums, err := image.Authenticode(pecoff.AsIs, h)
		if err != nil {
			return nil, err
		}
		return sums[0], nil
	})
}

// submitCommand passes a command on. Without a TPM behind it the response is
// TPM_RC_COMMAND_CODE.
func submitCommand(c *emu.Call, this efi.Addr, inSize uint32, in efi.Addr, outSize uint32, out efi.Addr) error {
	t, err := emu.This[*TPM](c, this)
	if err != nil {
		return err
	}
	const header = 10
	if in == 0 || out == 0 || inSize < header || inSize > maxCommand || outSize == 0 {
		return fmt.Errorf("%d bytes, room for %d: %w", inSize, outSize, efi.InvalidParameter)
	}
	command, err := c.Memory().Read(in, uint64(inSize))
	if err != nil {
		return err
	}
	response := noCommand()
	if t.opts.Transport != nil {
		if response, err = t.opts.Transport.Send(bytes.Clone(command)); err != nil {
			return fmt.Errorf("%v: %w", err, efi.DeviceError)
		}
	}
	if uint64(len(response)) > uint64(outSize) {
		return fmt.Errorf("a response of %d bytes: %w", len(response), efi.BufferTooSmall)
	}
	return c.Memory().Write(out, response)
}

// noCommand is the response TPM_RC_COMMAND_CODE (TPM 2.0 Library, part 2,
// "TPM_RC"): TPM_ST_NO_SESSIONS, the size, the code; big-endian.
func noCommand() []byte {
	b := binary.BigEndian.AppendUint16(nil, 0x8001)
	b = binary.BigEndian.AppendUint32(b, 10)
	return binary.BigEndian.AppendUint32(b, 0x143)
}

func getActivePCRBanks(c *emu.Call, this efi.Addr, out efi.Ptr[uint32]) error {
	t, err := emu.This[*TPM](c, this)
	if err != nil {
		return err
	}
	if out == 0 {
		return efi.InvalidParameter
	}
	return mem.Store(c.Memory(), out, t.active())
}

// setActivePCRBanks accepts the banks that are active; of others it returns
// InvalidParameter for those that there are not, and Unsupported.
func setActivePCRBanks(c *emu.Call, this efi.Addr, banks uint32) error {
	t, err := emu.This[*TPM](c, this)
	switch {
	case err != nil:
		return err
	case banks == 0 || banks&^t.active() != 0:
		return fmt.Errorf("banks %#x: %w", banks, efi.InvalidParameter)
	case banks != t.active():
		return efi.Unsupported
	}
	return nil
}

// getResultOfSetActivePCRBanks says that no boot before has changed the banks.
func getResultOfSetActivePCRBanks(c *emu.Call, this efi.Addr, present, response efi.Ptr[uint32]) error {
	if _, err := emu.This[*TPM](c, this); err != nil {
		return err
	}
	if present == 0 || response == 0 {
		return efi.InvalidParameter
	}
	return errors.Join(mem.Store(c.Memory(), present, 0), mem.Store(c.Memory(), response, 0))
}
