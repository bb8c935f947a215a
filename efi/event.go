// SPDX-License-Identifier: BSD-3-Clause

package efi

import "fmt"

// Event is an EFI_EVENT: an opaque number (§7.1). Zero is no event.
type Event uint64

func (e Event) String() string { return fmt.Sprintf("%#x", uint64(e)) }

// TPL is an EFI_TPL, a task priority level (§7.1).
type TPL uint64

// The levels that the specification names. Those between are the firmware's.
const (
	TPLApplication TPL = 4
	TPLCallback    TPL = 8
	TPLNotify      TPL = 16
	TPLHighLevel   TPL = 31
)

func (t TPL) String() string {
	switch t {
	case TPLApplication:
		return "APPLICATION"
	case TPLCallback:
		return "CALLBACK"
	case TPLNotify:
		return "NOTIFY"
	case TPLHighLevel:
		return "HIGH_LEVEL"
	}
	return fmt.Sprintf("%d", uint64(t))
}

// EventType is the type and the attributes of an event (§7.1.1).
type EventType uint32

// The bits of an EventType, and the two types that are numbers of their own.
const (
	EventTimer        EventType = 0x80000000
	EventRuntime      EventType = 0x40000000
	EventNotifyWait   EventType = 0x00000100
	EventNotifySignal EventType = 0x00000200

	EventSignalExitBootServices     EventType = 0x00000201
	EventSignalVirtualAddressChange EventType = 0x60000202
)

func (t EventType) String() string {
	switch t {
	case EventSignalExitBootServices:
		return "SIGNAL_EXIT_BOOT_SERVICES"
	case EventSignalVirtualAddressChange:
		return "SIGNAL_VIRTUAL_ADDRESS_CHANGE"
	}
	return flagString(uint64(t), []string{8: "NOTIFY_WAIT", 9: "NOTIFY_SIGNAL", 30: "RUNTIME", 31: "TIMER"})
}

// TimerDelay is an EFI_TIMER_DELAY (§7.1.7). Trigger times count 100 ns.
type TimerDelay uint32

// What SetTimer can do to a timer.
const (
	TimerCancel TimerDelay = iota
	TimerPeriodic
	TimerRelative
)

func (d TimerDelay) String() string {
	switch d {
	case TimerCancel:
		return "Cancel"
	case TimerPeriodic:
		return "Periodic"
	case TimerRelative:
		return "Relative"
	}
	return fmt.Sprintf("%d", uint32(d))
}
