// SPDX-License-Identifier: BSD-3-Clause

package efi

import "time"

// UnspecifiedTimezone is the TimeZone of a Time that is local time (§8.3.1).
const UnspecifiedTimezone int16 = 0x07ff

// The bits of Time.Daylight.
const (
	TimeAdjustDaylight uint8 = 0x01
	TimeInDaylight     uint8 = 0x02
)

// Time is an EFI_TIME (§8.3.1). TimeZone is in minutes: local time is UTC less
// TimeZone, or not known when it is UnspecifiedTimezone.
type Time struct {
	Year       uint16
	Month      uint8
	Day        uint8
	Hour       uint8
	Minute     uint8
	Second     uint8
	_          uint8
	Nanosecond uint32
	TimeZone   int16
	Daylight   uint8
	_          uint8
}

// TimeOf is t in UTC, with a TimeZone of 0.
func TimeOf(t time.Time) Time {
	t = t.UTC()
	return Time{
		Year:       uint16(t.Year()),
		Month:      uint8(t.Month()),
		Day:        uint8(t.Day()),
		Hour:       uint8(t.Hour()),
		Minute:     uint8(t.Minute()),
		Second:     uint8(t.Second()),
		Nanosecond: uint32(t.Nanosecond()),
	}
}

// Valid reports whether each field is within the bounds of §8.3.1, and the day
// is one that its month has.
func (t Time) Valid() bool {
	if t.Year < 1900 || t.Year > 9999 || t.Month < 1 || t.Month > 12 || t.Day < 1 {
		return false
	}
	if t.Hour > 23 || t.Minute > 59 || t.Second > 59 || t.Nanosecond > 999_999_999 {
		return false
	}
	if t.TimeZone != UnspecifiedTimezone && (t.TimeZone < -1440 || t.TimeZone > 1440) {
		return false
	}
	if t.Daylight&^(TimeAdjustDaylight|TimeInDaylight) != 0 {
		return false
	}
	date := time.Date(int(t.Year), time.Month(t.Month), int(t.Day), 0, 0, 0, 0, time.UTC)
	return date.Day() == int(t.Day)
}

// Std is t in UTC. An unspecified time zone is taken as UTC. Fields that are
// out of bounds run over into the next greater one, as they do in time.Date.
func (t Time) Std() time.Time {
	minute := int(t.Minute)
	if t.TimeZone != UnspecifiedTimezone {
		minute += int(t.TimeZone)
	}
	return time.Date(int(t.Year), time.Month(t.Month), int(t.Day), int(t.Hour), minute,
		int(t.Second), int(t.Nanosecond), time.UTC)
}

// TimeCapabilities is an EFI_TIME_CAPABILITIES (§8.3.1). Resolution is in
// counts per second, Accuracy in parts per million times 10^6.
type TimeCapabilities struct {
	Resolution uint32
	Accuracy   uint32
	SetsToZero Boolean
	_          [3]uint8
}
