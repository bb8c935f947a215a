// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"encoding/binary"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// ports are the devices of a PC that programs measure time by: the power
// management timer of ACPI and the 8254 timer with the gate of its third
// counter. At every other port there is no device. All of them run on the
// machine's clock.
type ports struct {
	pm     pmTimer
	pmDone bool // it has been looked for
	pit    [3]pitCounter
	gate   uint8 // what was written to port 0x61: bit 0 is the gate of counter 2
}

// How fast they count, in Hz.
const (
	pmTimerRate = 3579545
	pitRate     = 1193182
)

// portRead is the time that a look at a timer takes. It is more than on a real
// machine, so that a program that waits for one does not look very often.
const portRead = 100 * time.Microsecond

// The ports of the 8254 and of its gate.
const (
	portPIT     = 0x40
	portPITMode = 0x43
	portGate    = 0x61
)

// port answers an access to a port.
func (m *Machine) port(exit cpu.Exit) error {
	p := &m.system.ports
	if exit.Out {
		switch n := exit.Number; {
		case exit.Width != 1:
		case n == portGate:
			p.setGate(uint8(exit.Value), m.clock.Now())
		case n == portPITMode:
			p.setMode(uint8(exit.Value), m.clock.Now())
		case portPIT <= n && n < portPITMode:
			p.pit[n-portPIT].write(uint8(exit.Value), m.clock.Now())
		}
		return nil
	}
	value, timer := uint32(0xffffffff), true
	switch n := exit.Number; {
	case exit.Width == 1 && n == portGate:
		value = uint32(p.readGate(m.clock.Now()))
	case exit.Width == 1 && portPIT <= n && n < portPITMode:
		value = uint32(p.pit[n-portPIT].read(m.clock.Now()))
	case exit.Width == 4 && m.powerTimer().port == n && n != 0:
		value = p.pm.read(m.clock.Now())
	default:
		timer = false
	}
	exit.PortIn(&m.regs, value)
	if timer {
		return m.pause(portRead)
	}
	return nil
}

// pmTimer is the power management timer (ACPI 6.5, §4.8.3.3).
type pmTimer struct {
	port uint32 // 0: there is none
	mask uint32 // of 24 or 32 bits
}

func (t pmTimer) read(now time.Time) uint32 { return uint32(ticks(now, pmTimerRate)) & t.mask }

// ticks is how often something that counts at a rate has counted at a time.
func ticks(now time.Time, rate uint64) uint64 {
	ns := uint64(now.UnixNano())
	return ns/1e9*rate + ns%1e9*rate/1e9
}

// Where the tables of ACPI 6.5 have what leads to the timer, and how large they
// may be.
const (
	rsdpRevision  = 15
	rsdpRSDT      = 16
	rsdpXSDT      = 24
	tableHeader   = 36
	tableLength   = 4
	maxTable      = 1 << 20
	fadtTimer     = 76
	fadtFlags     = 112
	fadtXTimer    = 208
	fadtWideTimer = 1 << 8 // TMR_VAL_EXT
	gasSystemIO   = 1
)

// powerTimer finds the timer that the fixed ACPI description table of the guest
// names, once.
func (m *Machine) powerTimer() pmTimer {
	p := &m.system.ports
	if p.pmDone {
		return p.pm
	}
	p.pmDone = true
	for _, guid := range []efi.GUID{efi.ACPI20TableGUID, efi.ACPITableGUID} {
		if rsdp, ok := m.config.Get(guid); ok && p.pm.port == 0 {
			p.pm = m.findPowerTimer(rsdp)
		}
	}
	return p.pm
}

func (m *Machine) findPowerTimer(rsdp efi.Addr) pmTimer {
	root, err := m.mem.Read(rsdp, rsdpRSDT+4)
	if err != nil {
		return pmTimer{}
	}
	tables, size := m.acpiTable(efi.Addr(binary.LittleEndian.Uint32(root[rsdpRSDT:])), "RSDT"), 4
	if root[rsdpRevision] >= 2 {
		if root, err = m.mem.Read(rsdp, rsdpXSDT+8); err != nil {
			return pmTimer{}
		}
		tables, size = m.acpiTable(efi.Addr(leUint64(root[rsdpXSDT:])), "XSDT"), 8
	}
	for ; len(tables) >= size; tables = tables[size:] {
		var entry [8]byte
		copy(entry[:], tables[:size])
		fadt := m.acpiTable(efi.Addr(leUint64(entry[:])), "FACP")
		if fadt == nil {
			continue
		}
		at := func(offset int) []byte { // in the whole table, zeros behind its end
			if offset -= tableHeader; offset+12 > len(fadt) {
				return make([]byte, 12)
			}
			return fadt[offset:]
		}
		t := pmTimer{port: binary.LittleEndian.Uint32(at(fadtTimer)), mask: 1<<24 - 1}
		if x := at(fadtXTimer); x[0] == gasSystemIO {
			if port := leUint64(x[4:]); port != 0 {
				t.port = uint32(port)
			}
		}
		if binary.LittleEndian.Uint32(at(fadtFlags))&fadtWideTimer != 0 {
			t.mask = 1<<32 - 1
		}
		if t.port > 0xffff {
			return pmTimer{}
		}
		return t
	}
	return pmTimer{}
}

// acpiTable is a table behind its header, nil if it is not there.
func (m *Machine) acpiTable(a efi.Addr, signature string) []byte {
	header, err := m.mem.Read(a, tableHeader)
	if err != nil || string(header[:4]) != signature {
		return nil
	}
	size := binary.LittleEndian.Uint32(header[tableLength:])
	if size < tableHeader || size > maxTable {
		return nil
	}
	table, err := m.mem.Read(a, uint64(size))
	if err != nil {
		return nil
	}
	return table[tableHeader:]
}

// pitCounter is a counter of the 8254, as far as time is measured by it: it
// counts down from what was written, once (mode 0 and 1) or again and again.
type pitCounter struct {
	mode    uint8
	access  uint8 // 1 low byte, 2 high byte, 3 low byte and then high byte
	high    bool  // the high byte is next
	low     uint8
	start   uint64 // what it counts from; 0 is 65536
	since   uint64 // in ticks
	running bool
	latched []uint8 // what is to be read next
}

// setMode takes a control word (8254, "Control Word Format").
func (p *ports) setMode(word uint8, now time.Time) {
	if word>>6 == 3 {
		return // read-back
	}
	c := &p.pit[word>>6]
	if access := word >> 4 & 3; access == 0 {
		c.latched = c.bytes(c.value(now))
	} else {
		*c = pitCounter{mode: word >> 1 & 7, access: access}
	}
}

func (c *pitCounter) write(b uint8, now time.Time) {
	switch {
	case c.access == 3 && !c.high:
		c.low, c.high, c.running = b, true, false
		return
	case c.access == 3:
		c.start, c.high = uint64(c.low)|uint64(b)<<8, false
	case c.access == 2:
		c.start = uint64(b) << 8
	default:
		c.start = uint64(b)
	}
	if c.start == 0 {
		c.start = 1 << 16
	}
	c.since, c.running = ticks(now, pitRate), true
}

// passed is how many ticks it has counted.
func (c *pitCounter) passed(now time.Time) uint64 {
	if !c.running {
		return 0
	}
	return ticks(now, pitRate) - c.since
}

func (c *pitCounter) value(now time.Time) uint16 {
	start := max(c.start, 1)
	if c.mode&^1 == 0 {
		return uint16(start - c.passed(now)) // it goes on below 0
	}
	return uint16(start - c.passed(now)%start)
}

// out is the counter's output.
func (c *pitCounter) out(now time.Time) bool {
	start := max(c.start, 1)
	switch c.mode & 3 {
	case 0, 1:
		return c.running && c.passed(now) >= start
	case 3:
		return c.passed(now)%start < (start+1)/2
	}
	return c.passed(now)%start != start-1
}

func (c *pitCounter) bytes(v uint16) []uint8 {
	switch c.access {
	case 1:
		return []uint8{uint8(v)}
	case 2:
		return []uint8{uint8(v >> 8)}
	}
	return []uint8{uint8(v), uint8(v >> 8)}
}

func (c *pitCounter) read(now time.Time) uint8 {
	if len(c.latched) == 0 {
		c.latched = c.bytes(c.value(now))
	}
	b := c.latched[0]
	c.latched = c.latched[1:]
	return b
}

// Bits of port 0x61.
const (
	gateCounter2 = 1 << 0
	gateSpeaker  = 1 << 1
	gateRefresh  = 1 << 4 // changes with each refresh of memory, every 15 µs
	gateOut2     = 1 << 5
)

// setGate writes port 0x61; opening the gate of counter 2 starts it again.
func (p *ports) setGate(v uint8, now time.Time) {
	v &= gateCounter2 | gateSpeaker
	if c := &p.pit[2]; v&^p.gate&gateCounter2 != 0 && c.running {
		c.since = ticks(now, pitRate)
	}
	p.gate = v
}

func (p *ports) readGate(now time.Time) uint8 {
	v := p.gate
	if now.UnixNano()/15085&1 != 0 {
		v |= gateRefresh
	}
	if p.gate&gateCounter2 != 0 && p.pit[2].out(now) {
		v |= gateOut2
	}
	return v
}
