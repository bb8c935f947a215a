// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import "fmt"

// EventType says what was measured (§10.4.1).
type EventType uint32

// The types of events.
const (
	PrebootCert         EventType = 0x00000000
	PostCode            EventType = 0x00000001
	NoAction            EventType = 0x00000003
	Separator           EventType = 0x00000004
	Action              EventType = 0x00000005
	EventTag            EventType = 0x00000006
	SCRTMContents       EventType = 0x00000007
	SCRTMVersion        EventType = 0x00000008
	CPUMicrocode        EventType = 0x00000009
	PlatformConfigFlags EventType = 0x0000000a
	TableOfDevices      EventType = 0x0000000b
	CompactHash         EventType = 0x0000000c
	IPL                 EventType = 0x0000000d
	IPLPartitionData    EventType = 0x0000000e
	NonhostCode         EventType = 0x0000000f
	NonhostConfig       EventType = 0x00000010
	NonhostInfo         EventType = 0x00000011
	OmitBootDevice      EventType = 0x00000012
	PostCode2           EventType = 0x00000013

	EFIEventBase               EventType = 0x80000000
	EFIVariableDriverConfig    EventType = 0x80000001
	EFIVariableBoot            EventType = 0x80000002
	EFIBootServicesApplication EventType = 0x80000003
	EFIBootServicesDriver      EventType = 0x80000004
	EFIRuntimeServicesDriver   EventType = 0x80000005
	EFIGPTEvent                EventType = 0x80000006
	EFIAction                  EventType = 0x80000007
	EFIPlatformFirmwareBlob    EventType = 0x80000008
	EFIHandoffTables           EventType = 0x80000009
	EFIPlatformFirmwareBlob2   EventType = 0x8000000a
	EFIHandoffTables2          EventType = 0x8000000b
	EFIVariableBoot2           EventType = 0x8000000c
	EFIGPTEvent2               EventType = 0x8000000d
	EFIHCRTMEvent              EventType = 0x80000010
	EFIVariableAuthority       EventType = 0x800000e0
	EFISPDMFirmwareBlob        EventType = 0x800000e1
	EFISPDMFirmwareConfig      EventType = 0x800000e2
	EFISPDMDevicePolicy        EventType = 0x800000e3
	EFISPDMDeviceAuthority     EventType = 0x800000e4
)

var eventTypes = map[EventType]string{
	PrebootCert: "EV_PREBOOT_CERT", PostCode: "EV_POST_CODE", NoAction: "EV_NO_ACTION", Separator: "EV_SEPARATOR",
	Action: "EV_ACTION", EventTag: "EV_EVENT_TAG", SCRTMContents: "EV_S_CRTM_CONTENTS", SCRTMVersion: "EV_S_CRTM_VERSION",
	CPUMicrocode: "EV_CPU_MICROCODE", PlatformConfigFlags: "EV_PLATFORM_CONFIG_FLAGS", TableOfDevices: "EV_TABLE_OF_DEVICES",
	CompactHash: "EV_COMPACT_HASH", IPL: "EV_IPL", IPLPartitionData: "EV_IPL_PARTITION_DATA", NonhostCode: "EV_NONHOST_CODE",
	NonhostConfig: "EV_NONHOST_CONFIG", NonhostInfo: "EV_NONHOST_INFO", OmitBootDevice: "EV_OMIT_BOOT_DEVICE_EVENTS",
	PostCode2: "EV_POST_CODE2", EFIEventBase: "EV_EFI_EVENT_BASE",
	EFIVariableDriverConfig: "EV_EFI_VARIABLE_DRIVER_CONFIG", EFIVariableBoot: "EV_EFI_VARIABLE_BOOT",
	EFIBootServicesApplication: "EV_EFI_BOOT_SERVICES_APPLICATION", EFIBootServicesDriver: "EV_EFI_BOOT_SERVICES_DRIVER",
	EFIRuntimeServicesDriver: "EV_EFI_RUNTIME_SERVICES_DRIVER", EFIGPTEvent: "EV_EFI_GPT_EVENT", EFIAction: "EV_EFI_ACTION",
	EFIPlatformFirmwareBlob: "EV_EFI_PLATFORM_FIRMWARE_BLOB", EFIHandoffTables: "EV_EFI_HANDOFF_TABLES",
	EFIPlatformFirmwareBlob2: "EV_EFI_PLATFORM_FIRMWARE_BLOB2", EFIHandoffTables2: "EV_EFI_HANDOFF_TABLES2",
	EFIVariableBoot2: "EV_EFI_VARIABLE_BOOT2", EFIGPTEvent2: "EV_EFI_GPT_EVENT2", EFIHCRTMEvent: "EV_EFI_HCRTM_EVENT",
	EFIVariableAuthority: "EV_EFI_VARIABLE_AUTHORITY", EFISPDMFirmwareBlob: "EV_EFI_SPDM_FIRMWARE_BLOB",
	EFISPDMFirmwareConfig: "EV_EFI_SPDM_FIRMWARE_CONFIG", EFISPDMDevicePolicy: "EV_EFI_SPDM_DEVICE_POLICY",
	EFISPDMDeviceAuthority: "EV_EFI_SPDM_DEVICE_AUTHORITY",
}

func (t EventType) String() string {
	if name, ok := eventTypes[t]; ok {
		return name
	}
	return fmt.Sprintf("EV_%#x", uint32(t))
}

// Digest is what was extended into one bank.
type Digest struct {
	Algorithm Algorithm
	Sum       []byte
}

// Event is one entry of a log (§10.2.2, TCG_PCR_EVENT2).
type Event struct {
	PCR     uint32
	Type    EventType
	Digests []Digest
	Data    []byte
}

// Digest is what the event extends into a bank, nil if it has none for it.
func (e *Event) Digest(a Algorithm) []byte {
	for _, d := range e.Digests {
		if d.Algorithm == a {
			return d.Sum
		}
	}
	return nil
}

// Extends reports whether the event was extended: EV_NO_ACTION events are not.
func (e *Event) Extends() bool { return e.Type != NoAction }

// New makes the event of measured bytes: it is extended with their hash in each
// of the banks.
func New(banks []Algorithm, pcr uint32, t EventType, measured, data []byte) Event {
	e := Event{PCR: pcr, Type: t, Data: data}
	for _, a := range banks {
		if sum := a.Sum(measured); sum != nil {
			e.Digests = append(e.Digests, Digest{a, sum})
		}
	}
	return e
}
