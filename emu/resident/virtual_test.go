// SPDX-License-Identifier: BSD-3-Clause

package resident_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/resident"
	"github.com/uefiexec/uefiexec/tables"
)

// The virtual addresses of the tests: RAM is there too, into which the runtime
// memory is moved.
const (
	virtualCodeAt efi.Addr = 0x40000000
	virtualDataAt efi.Addr = 0x50000000
	mapAt                  = dataAt + 0x280000
	notifyAt               = dataAt + 0x4000
	handlerAt              = codeAt + 0x4000
	storeRoom              = 0x1800
)

var virtualRAM = []efi.Range{
	{Start: virtualCodeAt, End: virtualCodeAt + 0x10000},
	{Start: virtualDataAt, End: virtualDataAt + 0x10000},
}

// virtualMap is a map as Linux passes it: runtime memory with its virtual
// addresses, among others that do not count.
func virtualMap() []efi.MemoryDescriptor {
	return []efi.MemoryDescriptor{
		{Type: efi.BootServicesData, PhysicalStart: dataAt, VirtualStart: 0x66660000, NumberOfPages: 0x1000},
		{Type: efi.RuntimeServicesData, PhysicalStart: dataAt, VirtualStart: virtualDataAt, NumberOfPages: 16, Attribute: efi.MemoryRuntime | efi.MemoryWB},
		{Type: efi.MemoryMappedIO, PhysicalStart: 0xffffffff_fffff000, VirtualStart: 0x77770000, NumberOfPages: 1, Attribute: efi.MemoryRuntime},
		{Type: efi.MemoryMappedIO, PhysicalStart: 0x200000000, VirtualStart: 0x300000000, NumberOfPages: 1 << 52, Attribute: efi.MemoryRuntime},
		{Type: efi.RuntimeServicesCode, PhysicalStart: codeAt, VirtualStart: virtualCodeAt, NumberOfPages: 16, Attribute: efi.MemoryRuntime | efi.MemoryWB},
	}
}

// setMap calls SetVirtualAddressMap with descriptors of stride bytes.
func (s *services) setMap(m []efi.MemoryDescriptor, stride int) efi.Status {
	s.Helper()
	var raw []byte
	for _, d := range m {
		b, err := binary.Append(nil, binary.LittleEndian, d)
		if err != nil {
			s.Fatal(err)
		}
		raw = append(raw, append(b, bytes.Repeat([]byte{0xee}, stride-len(b))...)...)
	}
	s.write(mapAt, raw)
	return s.call(s.functions["SetVirtualAddressMap"], uint64(len(raw)), uint64(stride), uint64(efi.MemoryDescriptorVersion)|0xdead<<32, uint64(mapAt))
}

// putNotification makes a function that converts the pointer at its context, and
// has it told of SetVirtualAddressMap.
func (s *services) putNotification(context efi.Addr) {
	s.Helper()
	convert := binary.LittleEndian.AppendUint64([]byte{
		0x31, 0xc9, // xorl %ecx, %ecx
		0x48, 0xb8, // movabsq $ConvertPointer, %rax
	}, uint64(s.functions["ConvertPointer"]))
	s.write(handlerAt, append(convert, 0xff, 0xe0)) // jmpq *%rax
	raw, err := binary.Append(nil, binary.LittleEndian, resident.Notification{Function: uint64(handlerAt), Event: 5, Context: uint64(context)})
	if err != nil {
		s.Fatal(err)
	}
	s.write(notifyAt, raw)
}

func newVirtual(t *testing.T, v *tables.Variables) *services {
	t.Helper()
	p := resident.RuntimeParams{StoreSize: storeRoom, Notify: uint64(notifyAt), NotifyCount: 1, MaxSize: 1 << 10}
	s := newServices(t, v, p, virtualRAM...)
	s.setWord(notifyAt+0x100, uint64(vendorAt))
	s.putNotification(notifyAt + 0x100)
	return s
}

func smallStore(t *testing.T) *tables.Variables {
	t.Helper()
	v := &tables.Variables{}
	if err := v.Define(tables.Variable{Name: "StubInfo", GUID: loaderGUID, Attributes: bs | rt, Data: []byte("stub")}); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSetVirtualAddressMap(t *testing.T) {
	for _, stride := range []int{40, 48, 64} {
		s := newVirtual(t, smallStore(t))
		toCode := func(a efi.Addr) efi.Addr { return a - codeAt + virtualCodeAt }
		toData := func(a efi.Addr) efi.Addr { return a - dataAt + virtualDataAt }
		before, err := mem.Load(s.mem, efi.Ptr[efi.RuntimeServices](runtimeAt))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.setMap(virtualMap(), stride); got != efi.Success {
			t.Fatalf("stride %d: %v", stride, got)
		}
		system, err := mem.Load(s.mem, efi.Ptr[efi.SystemTable](systemAt))
		if err != nil {
			t.Fatal(err)
		}
		wantSystem := system
		wantSystem.FirmwareVendor = efi.Ptr[efi.Char16](toData(vendorAt))
		wantSystem.RuntimeServices = efi.Ptr[efi.RuntimeServices](toData(runtimeAt))
		wantSystem.ConfigurationTable = efi.Ptr[efi.ConfigurationTable](toData(configAt))
		if system != wantSystem {
			t.Errorf("system table %+v, want %+v", system, wantSystem)
		}
		services, err := mem.Load(s.mem, efi.Ptr[efi.RuntimeServices](runtimeAt))
		if err != nil {
			t.Fatal(err)
		}
		want := before
		want.CRC32 = services.CRC32
		for _, f := range []*efi.Addr{
			&want.GetTime, &want.SetTime, &want.GetWakeupTime, &want.SetWakeupTime, &want.GetVariable, &want.GetNextVariableName, &want.SetVariable,
			&want.GetNextHighMonotonicCount, &want.ResetSystem, &want.UpdateCapsule, &want.QueryCapsuleCapabilities, &want.QueryVariableInfo,
		} {
			*f = toCode(*f)
		}
		if services != want {
			t.Errorf("runtime services %+v, want %+v", services, want)
		}
		for at, size := range map[efi.Addr]uint64{systemAt: 120, runtimeAt: 136} {
			raw := s.read(at, size)
			if sum, err := tables.Checksum(raw); err != nil || sum != binary.LittleEndian.Uint32(raw[16:]) {
				t.Errorf("checksum of the table at %v is %#x, want %#x, %v", at, raw[16:20], sum, err)
			}
		}
		if got := s.word(notifyAt + 0x100); got != uint64(toData(vendorAt)) {
			t.Errorf("the notified function has made %#x of its pointer", got)
		}
		if got := s.setMap(virtualMap(), stride); got != efi.Unsupported {
			t.Errorf("the second call: %v", got)
		}
		if got := s.call(s.functions["ConvertPointer"], 0, uint64(notifyAt+0x100)); got != efi.Unsupported {
			t.Errorf("ConvertPointer afterwards: %v", got)
		}
		// Now it is where the map says, and nowhere else.
		for from, to := range map[efi.Addr]efi.Addr{codeAt: virtualCodeAt, dataAt: virtualDataAt} {
			s.write(to, s.read(from, 0x10000))
			s.write(from, bytes.Repeat([]byte{0xcc}, 0x10000))
		}
		s.functions["GetVariable"], s.functions["SetVariable"] = services.GetVariable, services.SetVariable
		s.functions["QueryVariableInfo"] = services.QueryVariableInfo
		if x, status := s.get("StubInfo", loaderGUID); status != efi.Success || string(x.Data) != "stub" {
			t.Errorf("virtual GetVariable: %v, %v", x, status)
		}
		if status := s.set("fresh", loaderGUID, bs|rt, []byte{1}); status != efi.Success {
			t.Errorf("virtual SetVariable: %v", status)
		}
		if info, status := s.info(bs | rt); status != efi.Success || info.MaximumStorage != storeRoom-24 {
			t.Errorf("virtual QueryVariableInfo: %+v, %v", info, status)
		}
		if n := s.word(toData(storeAt) + 16); n>>32 != 2 {
			t.Errorf("the store has %d entries, want 2", n>>32)
		}
		if used := stackTop - s.deep; used > 512 {
			t.Errorf("%d bytes of stack were used", used)
		}
	}
}

func TestSetVirtualAddressMapRefuses(t *testing.T) {
	s := newVirtual(t, smallStore(t))
	without := func(i int) []efi.MemoryDescriptor {
		m := virtualMap()
		return append(m[:i:i], m[i+1:]...)
	}
	change := func(i int, f func(*efi.MemoryDescriptor)) []efi.MemoryDescriptor {
		m := virtualMap()
		f(&m[i])
		return m
	}
	for _, test := range []struct {
		what string
		m    []efi.MemoryDescriptor
	}{
		{"an empty map", nil},
		{"no data", without(1)},
		{"no code", without(4)},
		{"data that is no runtime memory", change(1, func(d *efi.MemoryDescriptor) { d.Attribute = efi.MemoryWB })},
		{"code that is no runtime memory", change(4, func(d *efi.MemoryDescriptor) { d.Attribute = efi.MemoryWB })},
		{"no pages of code", change(4, func(d *efi.MemoryDescriptor) { d.NumberOfPages = 0 })},
		{"data without the store", change(1, func(d *efi.MemoryDescriptor) { d.NumberOfPages = 2 })},
		{"data with half of the store", change(1, func(d *efi.MemoryDescriptor) { d.NumberOfPages = 3 })},
		{"the store in two pieces", append(change(1, func(d *efi.MemoryDescriptor) { d.NumberOfPages = 3 }), efi.MemoryDescriptor{
			PhysicalStart: dataAt + 0x3000, VirtualStart: 0x66660000, NumberOfPages: 13, Attribute: efi.MemoryRuntime})},
		{"data that starts behind", change(1, func(d *efi.MemoryDescriptor) { d.PhysicalStart += efi.PageSize })},
	} {
		code, data := s.read(codeAt, 0x10000), s.read(dataAt, 0x10000)
		if got := s.setMap(test.m, 48); got != efi.NoMapping {
			t.Errorf("%s: %v, want NoMapping", test.what, got)
		}
		now := s.read(codeAt, 0x10000)
		block := int(s.blockAt() - codeAt)
		copy(now[block+72:block+80], code[block+72:]) // the stride
		if !bytes.Equal(now, code) || !bytes.Equal(s.read(dataAt, 0x10000), data) {
			t.Errorf("%s: something has changed", test.what)
		}
	}
	set := s.functions["SetVirtualAddressMap"]
	for _, args := range [][]uint64{
		{80, 39, 1, uint64(mapAt)},
		{80, 0, 1, uint64(mapAt)},
		{80, 44, 1, uint64(mapAt)},
		{80, 40, 2, uint64(mapAt)},
		{80, 40, 0, uint64(mapAt)},
		{80, 40, 1, 0},
	} {
		if got := s.call(set, args...); got != efi.InvalidParameter {
			t.Errorf("%#x: %v, want InvalidParameter", args, got)
		}
	}
	if got := s.call(s.functions["ConvertPointer"], 0, uint64(notifyAt+0x100)); got != efi.Unsupported {
		t.Errorf("ConvertPointer: %v", got)
	}
	if x, status := s.get("StubInfo", loaderGUID); status != efi.Success || string(x.Data) != "stub" {
		t.Errorf("GetVariable: %v, %v", x, status)
	}
	// None of this has used up the one call.
	if got := s.setMap(virtualMap(), 48); got != efi.Success {
		t.Errorf("a good map afterwards: %v", got)
	}
}

func (s *services) blockAt() efi.Addr {
	s.Helper()
	blob, err := resident.For("x64")
	if err != nil {
		s.Fatal(err)
	}
	return codeAt + efi.Addr(blob.ParamsOffset())
}

// A function that is told converts what ConvertPointer is given.
func TestConvertPointer(t *testing.T) {
	for _, test := range []struct {
		what     string
		from, to uint64
	}{
		{"data", uint64(dataAt) + 0xffff, uint64(virtualDataAt) + 0xffff},
		{"code", uint64(codeAt), uint64(virtualCodeAt)},
		{"behind the data", uint64(dataAt) + 0x10000, uint64(dataAt) + 0x10000},
		{"the last page there can be", ^uint64(0), 0x77770fff},
		{"memory without an end", 0x212345678, 0x312345678},
		{"null", 0, 0},
		{"nothing mapped", 0x123456789, 0x123456789},
	} {
		s := newVirtual(t, smallStore(t))
		s.setWord(notifyAt+0x100, test.from)
		if got := s.setMap(virtualMap(), 48); got != efi.Success {
			t.Fatalf("%s: %v", test.what, got)
		}
		if got := s.word(notifyAt + 0x100); got != test.to {
			t.Errorf("%s: %#x, want %#x", test.what, got, test.to)
		}
	}
}

// What ConvertPointer returns while a map is set, as the parameter block says.
func TestConvertPointerStatus(t *testing.T) {
	s := newVirtual(t, smallStore(t))
	if got := s.setMap(virtualMap(), 48); got != efi.Success {
		t.Fatal(got)
	}
	s.setWord(s.blockAt()+56, uint64(mapAt))
	s.setWord(s.blockAt()+64, uint64(len(virtualMap())))
	for _, test := range []struct {
		disposition, at, value uint64
		want                   efi.Status
	}{
		{0, 0, 0, efi.InvalidParameter},
		{0, uint64(argsAt), 0, efi.InvalidParameter},
		{1, uint64(argsAt), 0, efi.Success},
		{2, uint64(argsAt), 0, efi.InvalidParameter},
		{0, uint64(argsAt), 0x123456789, efi.NotFound},
		{1, uint64(argsAt), 0x123456789, efi.NotFound},
		{0, uint64(argsAt), uint64(dataAt), efi.Success},
	} {
		s.setWord(argsAt, test.value)
		if got := s.call(s.functions["ConvertPointer"], test.disposition, test.at); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
