// SPDX-License-Identifier: BSD-3-Clause

package resident_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/resident"
	"github.com/uefiexec/uefiexec/tables"
)

// The memory of the runtime services of an AArch64 machine.
const (
	armCodeAt    = 0x48000000
	armDataAt    = 0x48100000 // system table, runtime services, then the store
	armRuntimeAt = armDataAt + 0x1000
	armStoreAt   = armDataAt + 0x2000
	armCallsAt   = 0x48200000
	armArgsAt    = 0x48300000
)

// armCalls is a list of calls, with memory for their arguments.
type armCalls struct {
	list []uint64
	args []byte
}

// put reserves memory that starts with b, with so much room.
func (c *armCalls) put(b []byte, room int) uint64 {
	at := armArgsAt + uint64(len(c.args))
	c.args = append(append(c.args, b...), make([]byte, max(room-len(b), 0))...)
	c.args = append(c.args, make([]byte, -len(c.args)&15)...)
	return at
}

func (c *armCalls) call(fn uint64, args ...uint64) {
	c.list = append(c.list, fn)
	c.list = append(c.list, args...)
	for range 6 - len(args) {
		c.list = append(c.list, 0)
	}
}

// The services of AArch64, on a stream of calls as in TestVariablesAgainstTables
// but with the answers known beforehand, as QEMU runs it in one go.
func TestServicesInQEMUOnAArch64(t *testing.T) {
	const room, maxSize, maxName = 1024, 96, 12
	blob, err := resident.For("aa64")
	if err != nil {
		t.Fatal(err)
	}
	fn := func(name string) uint64 { return armCodeAt + blob.Functions()[name] }
	v := &tables.Variables{Limits: tables.VariableLimits{MaxSize: maxSize, MaxStorage: room - 24, MaxName: maxName}}
	if err := v.Define(tables.Variable{Name: "b", Attributes: nv | bs | rt, Data: []byte("bbbbbbb")}); err != nil {
		t.Fatal(err)
	}
	params := resident.RuntimeParams{
		Store: armStoreAt, StoreSize: room, SystemTable: armDataAt, RuntimeServices: armRuntimeAt,
		MaxSize: maxSize, MaxName: maxName, AcceptNonVolatile: true,
	}
	block, err := params.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	copy(blob.Code[blob.ParamsOffset():], block)
	data := make([]byte, 0x3000)
	for at, table := range map[int]any{
		0: efi.SystemTable{RuntimeServices: armRuntimeAt, FirmwareVendor: armDataAt + 0x800, ConfigurationTable: armDataAt + 0x900},
		0x1000: efi.RuntimeServices{
			GetTime: efi.Addr(fn("Unsupported")), SetVariable: efi.Addr(fn("SetVariable")),
			SetVirtualAddressMap: efi.Addr(fn("SetVirtualAddressMap")),
		},
	} {
		raw, err := tables.MarshalTable(table)
		if err != nil {
			t.Fatal(err)
		}
		copy(data[at:], raw)
	}
	copy(data[0x2000:], v.MarshalImage())

	var c armCalls
	var want []efi.Status
	var outputs []func(args []byte) // check what was written to arguments
	names := []string{"a", "b", "c", "HwErrRec0A1F", "name-too-long"}
	attributes := []efi.VariableAttribute{nv | bs | rt, nv | bs | rt | ap, nv | bs | rt | hr, bs | rt, 0, nv | bs | rt | at, 1<<31 | bs}
	r := rand.New(rand.NewPCG(9, 9))
	made := map[string]bool{}
	for i := range 400 {
		name := names[r.IntN(len(names))]
		guid := []efi.GUID{{}, hwErrGUID}[r.IntN(2)]
		raw, err := tables.EncodeVariableName(name)
		if err != nil {
			t.Fatal(err)
		}
		b := guid.Bytes()
		nameAt, guidAt := c.put(raw, 64), c.put(b[:], 16)
		switch r.IntN(5) {
		case 0:
			size, attrs, buffer := c.put(binary.LittleEndian.AppendUint64(nil, 128), 8), c.put(nil, 8), c.put(nil, 128)
			c.call(fn("GetVariable"), nameAt, guidAt, attrs, size, buffer)
			x, err := v.Get(name, guid)
			want = append(want, statusOf(t, err))
			outputs = append(outputs, func(args []byte) {
				got := args[buffer-armArgsAt:][:len(x.Data)]
				if err == nil && (!bytes.Equal(got, x.Data) || binary.LittleEndian.Uint64(args[size-armArgsAt:]) != uint64(len(x.Data)) ||
					binary.LittleEndian.Uint32(args[attrs-armArgsAt:]) != uint32(x.Attributes)) {
					t.Errorf("call %d: %q is % x, want %v", i, name, got, x)
				}
			})
		case 1:
			size := c.put(binary.LittleEndian.AppendUint64(nil, 64), 8)
			c.call(fn("GetNextVariableName"), size, nameAt, guidAt)
			next, _, err := v.Next(name, guid)
			want = append(want, statusOf(t, err))
			outputs = append(outputs, func(args []byte) {
				if got := tables.DecodeVariableName(args[nameAt-armArgsAt:][:64]); err == nil && got != next {
					t.Errorf("call %d: after %q is %q, want %q", i, name, got, next)
				}
			})
		default:
			attrs := attributes[r.IntN(len(attributes))]
			value := random(uint64(i), r.IntN(100))
			c.call(fn("SetVariable"), nameAt, guidAt, uint64(attrs)|0xdead<<32, uint64(len(value)), c.put(value, 16))
			want = append(want, expectSet(t, v, made, true, name, guid, attrs, value))
		}
	}
	outs := c.put(nil, 24)
	c.call(fn("QueryVariableInfo"), uint64(nv|bs|rt), outs, outs+8, outs+16)
	v.AtRuntime = true
	info, err := v.Info(nv | bs | rt)
	want = append(want, statusOf(t, err))
	var vmap []byte
	for _, d := range []efi.MemoryDescriptor{
		{PhysicalStart: armCodeAt, VirtualStart: 0x20000000, NumberOfPages: 2, Attribute: efi.MemoryRuntime},
		{PhysicalStart: armDataAt, VirtualStart: 0x20010000, NumberOfPages: 3, Attribute: efi.MemoryRuntime},
	} {
		if vmap, err = binary.Append(vmap, binary.LittleEndian, d); err != nil {
			t.Fatal(err)
		}
	}
	mapAt := c.put(vmap, 0)
	c.call(fn("SetVirtualAddressMap"), 80, 40, 1, mapAt)
	c.call(fn("SetVirtualAddressMap"), 80, 40, 1, mapAt)
	c.call(fn("ConvertPointer"), 0, outs)
	c.call(fn("Unsupported"))
	want = append(want, efi.Success, efi.Unsupported, efi.Unsupported, efi.Unsupported)
	c.list = append(c.list, 0)

	list, err := binary.Append(nil, binary.LittleEndian, c.list)
	if err != nil {
		t.Fatal(err)
	}
	m := newARMMachine(t, []resident.Range{
		{Start: armCallsAt, End: armCallsAt + uint64(len(list))},
		{Start: armArgsAt, End: armArgsAt + uint64(len(c.args))},
		{Start: armDataAt, End: armDataAt + uint64(len(data))},
	}, armCallsAt)
	m.more = map[uint64][]byte{armCodeAt: blob.Code, armDataAt: data, armCallsAt: list, armArgsAt: c.args}
	got := m.run(t, "")
	if len(got) != len(list)+len(c.args)+len(data) {
		t.Fatalf("%#x bytes", len(got))
	}
	results, args, after := got[:len(list)], got[len(list):len(list)+len(c.args)], got[len(list)+len(c.args):]
	for i, w := range want {
		if s := efi.Status(binary.LittleEndian.Uint64(results[56*i+48:])); s != w {
			t.Errorf("call %d: %v, want %v", i, s, w)
		}
	}
	for _, check := range outputs {
		check(args)
	}
	image := v.MarshalImage()
	if store := after[0x2000:][:len(image)]; !bytes.Equal(store, image) {
		t.Errorf("the store is % x, want % x", store, image)
	}
	for i, w := range []uint64{info.MaximumStorage, info.RemainingStorage, info.MaximumSize} {
		if got := binary.LittleEndian.Uint64(args[outs-armArgsAt+8*uint64(i):]); got != w {
			t.Errorf("QueryVariableInfo says %+v, want %d at %d", info, got, i)
		}
	}
	var system efi.SystemTable
	var services efi.RuntimeServices
	for at, table := range map[int]any{0: &system, 0x1000: &services} {
		if _, err := binary.Decode(after[at:], binary.LittleEndian, table); err != nil {
			t.Fatal(err)
		}
		if sum, err := tables.Checksum(after[at:]); err != nil || sum != binary.LittleEndian.Uint32(after[at+16:]) {
			t.Errorf("checksum of the table at %#x, %v", at, err)
		}
	}
	if system.RuntimeServices != 0x20011000 || system.FirmwareVendor != 0x20010800 || system.ConfigurationTable != 0x20010900 {
		t.Errorf("system table %+v", system)
	}
	if uint64(services.SetVariable)-0x20000000 != blob.Functions()["SetVariable"] || uint64(services.SetVirtualAddressMap) != fn("SetVirtualAddressMap") {
		t.Errorf("runtime services %+v", services)
	}
}
