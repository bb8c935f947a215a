// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"fmt"
	"testing"
)

func TestStrings(t *testing.T) {
	for _, test := range []struct {
		value fmt.Stringer
		want  string
	}{
		{Handle(0x10), "0x10"},
		{Event(0x10), "0x10"},
		{TPLApplication, "APPLICATION"},
		{TPLHighLevel, "HIGH_LEVEL"},
		{TPLCallback, "CALLBACK"},
		{TPLNotify, "NOTIFY"},
		{TPL(5), "5"},
		{False, "FALSE"},
		{BooleanOf(true), "TRUE"},
		{Boolean(2), "0x2"},
		{AllHandles, "AllHandles"},
		{ByRegisterNotify, "ByRegisterNotify"},
		{ByProtocol, "ByProtocol"},
		{LocateSearchType(3), "3"},
		{OpenProtocolByDriver | OpenProtocolExclusive, "BY_DRIVER|EXCLUSIVE"},
		{ResetCold, "Cold"},
		{ResetWarm, "Warm"},
		{ResetShutdown, "Shutdown"},
		{ResetPlatformSpecific, "PlatformSpecific"},
		{ResetType(4), "4"},
		{EventTimer | EventNotifySignal, "NOTIFY_SIGNAL|TIMER"},
		{EventSignalExitBootServices, "SIGNAL_EXIT_BOOT_SERVICES"},
		{EventSignalVirtualAddressChange, "SIGNAL_VIRTUAL_ADDRESS_CHANGE"},
		{EventRuntime | 0x1, "RUNTIME|0x1"},
		{TimerCancel, "Cancel"},
		{TimerPeriodic, "Periodic"},
		{TimerRelative, "Relative"},
		{TimerDelay(3), "3"},
		{VariableNonVolatile | VariableBootServiceAccess | VariableRuntimeAccess, "NV|BS|RT"},
		{VariableTimeBasedAuthenticatedWriteAccess | VariableAppendWrite, "AT|AP"},
		{VariableAttribute(0), "0x0"},
		{VariableBootServiceAccess | 0x100, "BS|0x100"},
		{FileDirectory | FileReadOnly, "READ_ONLY|DIRECTORY"},
		{FileModeRead | FileModeWrite | FileModeCreate, "READ|WRITE|CREATE"},
		{LoadOptionActive | LoadOptionHidden, "ACTIVE|HIDDEN"},
		{AllocateAnyPages, "AnyPages"},
		{AllocateMaxAddress, "MaxAddress"},
		{AllocateAddress, "Address"},
		{AllocateType(3), "3"},
		{LoaderCode, "LoaderCode"},
		{UnacceptedMemory, "Unaccepted"},
		{MaxMemoryType, "0x10"},
		{OSMemoryType, "0x80000000"},
	} {
		if got := test.value.String(); got != test.want {
			t.Errorf("%T(%#v) = %q, want %q", test.value, test.value, got, test.want)
		}
	}
}

func TestBoolean(t *testing.T) {
	if False.Bool() || !True.Bool() || !Boolean(0x80).Bool() || BooleanOf(false) != False {
		t.Error("a Boolean is true unless it is zero")
	}
}

func TestString16(t *testing.T) {
	for _, test := range []struct{ text, wire string }{
		{"", "\x00\x00"},
		{`\EFI`, "\\\x00E\x00F\x00I\x00\x00\x00"},
		{"€", "\xac\x20\x00\x00"},
		{"😀", "\x3d\xd8\x00\xde\x00\x00"},
	} {
		if got := EncodeString(test.text); string(got) != test.wire {
			t.Errorf("EncodeString(%q) = %q", test.text, got)
		}
		if got := DecodeString([]byte(test.wire)); got != test.text {
			t.Errorf("DecodeString(%q) = %q", test.wire, got)
		}
	}
	for wire, want := range map[string]string{
		"":                                 "",
		"A":                                "",
		"A\x00":                            "A",
		"A\x00\x00\x00B\x00":               "A",
		"A\x00B":                           "A",
		"\x3d\xd8A\x00":                    "\uFFFDA",
		"\x00\xdeA\x00":                    "\uFFFDA",
		"\x3d\xd8":                         "\uFFFD",
		"\x3d\xd8\x3d\xd8\x00\xde\x00\x00": "\uFFFD😀",
	} {
		if got := DecodeString([]byte(wire)); got != want {
			t.Errorf("DecodeString(%q) = %q, want %q", wire, got, want)
		}
	}
	if got := EncodeString("\xff"); string(got) != "\xfd\xff\x00\x00" {
		t.Errorf("EncodeString of no UTF-8 = %q", got)
	}
}
