// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// decodeBranch is branches, exceptions and system instructions (C4.1.93). It
// reports whether the instruction ends its block.
func decodeBranch(i *inst, pc uint64, index int) bool {
	raw := i.raw
	switch {
	case raw>>26&0x1f == 0x05:
		i.imm = pc + signExtend(uint64(raw)<<2, 28)
		i.do(opB)
		if raw>>31 != 0 {
			i.do(opBL)
		}
	case raw>>25&0x3f == 0x1a:
		i.imm = pc + signExtend(uint64(field(raw, 5, 19))<<2, 21)
		i.rd = zr(raw)
		if raw>>24&1 == 0 {
			i.pick(opCbz, opCbzW)
		} else {
			i.pick(opCbnz, opCbnzW)
		}
	case raw>>25&0x3f == 0x1b:
		i.imm = pc + signExtend(uint64(field(raw, 5, 14))<<2, 16)
		i.rd = zr(raw)
		i.sh = uint8(raw>>31<<5 | field(raw, 19, 5))
		i.do(opTbz)
		if raw>>24&1 != 0 {
			i.do(opTbnz)
		}
	case raw>>24 == 0x54 && raw>>4&1 == 0:
		i.imm = pc + signExtend(uint64(field(raw, 5, 19))<<2, 21)
		i.ra = uint8(raw & 15)
		i.do(opBCond)
	case raw>>24 == 0xd4:
		i.call(exception)
	case raw>>22 == 0x354:
		return decodeSystem(i, index)
	case raw>>25 == 0x6b && raw&0x1ffc1f == 0x1f0000:
		i.rn = zr(raw >> 5)
		switch raw >> 21 & 15 {
		case 0, 2:
			i.do(opBR)
		case 1:
			i.do(opBLR)
		case 4, 5: // eret, drps
			if i.rn == regZR {
				i.call(protected)
			}
		}
	}
	return true
}

// exception is what calls another exception level, or a debugger.
func exception(c *core, i *inst) status {
	c.exit = cpu.Exit{Kind: cpu.Fault, Cause: cpu.Illegal}
	switch op := i.raw >> 21 & 7; {
	case op == 0 && i.raw&0x1f == 1:
		c.exit.Cause = cpu.SystemCall
	case op == 0 && (i.raw&0x1f == 2 || i.raw&0x1f == 3): // hvc, smc
		c.exit.Cause = cpu.Protection
	case op == 1 && i.raw&0x1f == 0:
		c.exit.Cause = cpu.Trap
	}
	return fault
}

// protected is a privileged instruction that no machine answers.
func protected(c *core, i *inst) status {
	c.exit = cpu.Exit{Kind: cpu.Fault, Cause: cpu.Protection}
	return fault
}

// Numbers of system registers, as an exit has them: op0, op1, CRn, CRm, op2.
const (
	regNZCV     = 3<<14 | 3<<11 | 4<<7 | 2<<3
	regFPCR     = 3<<14 | 3<<11 | 4<<7 | 4<<3
	regFPSR     = 3<<14 | 3<<11 | 4<<7 | 4<<3 | 1
	regTPIDR    = 3<<14 | 3<<11 | 13<<7 | 2
	regTPIDRRO  = 3<<14 | 3<<11 | 13<<7 | 3
	regCTR      = 3<<14 | 3<<11 | 1
	regDCZID    = 3<<14 | 3<<11 | 7
	regCNTFRQ   = 3<<14 | 3<<11 | 14<<7
	regCNTPCT   = 3<<14 | 3<<11 | 14<<7 | 1
	regCNTVCT   = 3<<14 | 3<<11 | 14<<7 | 2
	regID       = 3 << 14 // from here on, 64 registers that identify the processor
	regMIDR     = regID
	regMPIDR    = regID | 5
	regPFR0     = regID | 4<<3
	regDFR0     = regID | 5<<3
	regISAR0    = regID | 6<<3
	regISAR1    = regID | 6<<3 | 1
	regMMFR0    = regID | 7<<3
	idRegisters = 64
)

// The counter: a tick is so many instructions.
const (
	counterDivider   = 4
	counterFrequency = 62_500_000
)

// constant is what a register of the model holds that never changes.
func constant(number uint32) (uint64, bool) {
	switch number {
	case regCTR:
		return 0x8444c004, true // lines of 64 bytes
	case regDCZID:
		return 4, true // dc zva clears 64 bytes
	case regCNTFRQ:
		return counterFrequency, true
	case regMIDR:
		return 0x000f0000, true
	case regMPIDR:
		return 1 << 31, true
	case regPFR0:
		return 0x11, true
	case regDFR0:
		return 6, true
	case regISAR0:
		return 2<<20 | 1<<16 | 1<<12 | 1<<8 | 2<<4, true // LSE, CRC32, SHA256, SHA1, AES with PMULL
	case regISAR1:
		return 1 << 20, true // LRCPC
	case regMMFR0:
		return 1<<20 | 2<<4 | 5, true // pages of 4, 16 and 64 KiB, 48 bits
	}
	return 0, number-regID < idRegisters
}

// decodeSystem is system instructions and hints (C4.1.93).
func decodeSystem(i *inst, index int) bool {
	raw := i.raw
	op1, crn, crm, op2 := field(raw, 16, 3), field(raw, 12, 4), field(raw, 8, 4), field(raw, 5, 3)
	switch op0 := field(raw, 19, 2); {
	case op0 == 0 && raw>>21&1 == 0 && raw&0x1f == 0x1f && op1 == 3:
		switch {
		case crn == 2 && crm == 0 && op2 == 3:
			i.call(wfi)
			return true
		case crn == 2:
			i.nop()
			return false
		case crn == 3 && op2 == 2:
			i.call(clrex)
			return false
		case crn == 3 && op2 >= 4 && op2 <= 6:
			i.nop()
			return false
		case crn == 4 && op2 >= 6:
			i.call(daif)
		}
	case op0 == 0 && raw>>21&1 == 0 && raw&0x1f == 0x1f && crn == 4 && op1 == 0 && op2 == 5: // SPSel
		i.call(protected)
	case op0 == 1 && raw>>21&1 == 0 && crn == 7:
		i.rn = zr(raw)
		switch {
		case op1 == 3 && op2 == 1 && crm == 4:
			i.call(dczva)
			return false
		case op1 == 3 && op2 == 1 && (crm == 5 || crm == 10 || crm == 11 || crm == 14):
			i.nop() // caches are coherent
			return false
		case op1 == 0 && op2 == 0 && (crm == 1 || crm == 5),
			op1 == 0 && op2 == 1 && crm == 6,
			op1 == 0 && op2 == 2 && (crm == 6 || crm == 10 || crm == 14):
			i.call(cacheSync)
		case op1 == 0 || op1 == 4:
			i.call(protected) // at
		}
	case op0 == 1 && crn == 8:
		i.call(protected) // tlbi
	case op0 >= 2:
		return decodeSystemRegister(i, index)
	}
	return true
}

func decodeSystemRegister(i *inst, index int) bool {
	number := field(i.raw, 5, 16)
	i.imm = uint64(number)
	if i.raw>>21&1 == 0 { // msr
		i.rn = zr(i.raw)
		switch number {
		case regNZCV, regFPCR, regFPSR, regTPIDR:
			i.call(msr)
			return false
		case regCTR, regDCZID, regCNTVCT, regCNTPCT:
			return true // undefined
		}
		i.call(writeSys)
		return true
	}
	i.rd = sink(i.raw)
	if v, ok := constant(number); ok {
		i.imm = v
		i.do(opMovImm)
		return false
	}
	switch number {
	case regNZCV, regFPCR, regFPSR, regTPIDR, regTPIDRRO:
		i.call(mrs)
		return false
	case regCNTVCT, regCNTPCT:
		i.imm = uint64(index)
		i.call(counter)
		return false
	}
	i.call(readSys)
	return true
}

const (
	fpcrMask = fpcrModes
	fpsrMask = 0xf800009f
	flagQC   = 1 << 27
)

func msr(c *core, i *inst) status {
	v := c.x[i.rn]
	switch uint32(i.imm) {
	case regNZCV:
		c.setNZCV(v)
	case regFPCR:
		c.fpcr = uint32(v) & fpcrMask
	case regFPSR:
		c.fpsr = uint32(v) & fpsrMask
	case regTPIDR:
		c.tpidr[0] = v
	}
	return next
}

func mrs(c *core, i *inst) status {
	var v uint64
	switch uint32(i.imm) {
	case regNZCV:
		v = c.nzcv()
	case regFPCR:
		v = uint64(c.fpcr)
	case regFPSR:
		v = uint64(c.fpsr)
	case regTPIDR:
		v = c.tpidr[0]
	case regTPIDRRO:
		v = c.tpidr[1]
	}
	c.x[i.rd] = v
	return next
}

func counter(c *core, i *inst) status {
	c.x[i.rd] = (c.count + i.imm) / counterDivider
	return next
}

func readSys(c *core, i *inst) status {
	c.exit = cpu.Exit{Kind: cpu.System, Op: cpu.ReadSys, Number: uint32(i.imm), Reg: int(i.raw & 31)}
	return ask
}

func writeSys(c *core, i *inst) status {
	c.exit = cpu.Exit{Kind: cpu.System, Op: cpu.WriteSys, Number: uint32(i.imm), Reg: int(i.raw & 31), Value: c.x[i.rn]}
	return ask
}

// daif is msr daifset and daifclr. Only the mask of interrupts matters to
// anyone.
func daif(c *core, i *inst) status {
	if i.raw>>8&2 == 0 {
		return next
	}
	c.exit = cpu.Exit{Kind: cpu.System, Op: cpu.DisableIRQ}
	if i.raw>>5&7 == 7 {
		c.exit.Op = cpu.EnableIRQ
	}
	return ask
}

func wfi(c *core, i *inst) status {
	c.exit = cpu.Exit{Kind: cpu.Halt}
	return ask
}

func cacheSync(c *core, i *inst) status {
	c.exit = cpu.Exit{Kind: cpu.System, Op: cpu.CacheSync}
	return ask
}

func clrex(c *core, i *inst) status {
	c.monitor.valid = false
	return next
}

func dczva(c *core, i *inst) status {
	var zeros [64]byte
	return c.write(c.x[i.rn]&^63, zeros[:])
}
