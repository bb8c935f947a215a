// SPDX-License-Identifier: BSD-3-Clause

package resident_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/resident"
	"github.com/uefiexec/uefiexec/tables"
)

const (
	nv, bs, rt = efi.VariableNonVolatile, efi.VariableBootServiceAccess, efi.VariableRuntimeAccess
	hr, aw, at = efi.VariableHardwareErrorRecord, efi.VariableAuthenticatedWriteAccess, efi.VariableTimeBasedAuthenticatedWriteAccess
	ap, ea     = efi.VariableAppendWrite, efi.VariableEnhancedAuthenticatedAccess
)

var (
	loaderGUID = efi.GUID{Data1: 0x4a67b082, Data2: 0x0a4c, Data3: 0x41cf, Data4: [8]byte{0xb6, 0xc7, 0x44, 0x0b, 0x29, 0xbb, 0x8c, 0x4f}}
	hwErrGUID  = efi.GUID{Data1: 0x414e6bdd, Data2: 0xe47b, Data3: 0x47cc, Data4: [8]byte{0xb2, 0x44, 0xbb, 0x61, 0x02, 0x0c, 0xf5, 0x16}}
)

// frozen is a store as a payload leaves it.
func frozen(t testing.TB) *tables.Variables {
	t.Helper()
	v := &tables.Variables{}
	for _, x := range []tables.Variable{
		{Name: "SecureBoot", Attributes: bs | rt, Data: []byte{0}},
		{Name: "Boot0000", Attributes: nv | bs | rt, Data: []byte("option")},
		{Name: "secret", GUID: loaderGUID, Attributes: nv | bs, Data: []byte("hidden")},
		{Name: "db", Attributes: nv | bs | rt | at, Data: make([]byte, 3000)},
		{Name: "StubInfo", GUID: loaderGUID, Attributes: bs | rt, Data: []byte("s\x00t\x00u\x00b\x00\x00\x00")},
		{Name: "HwErrRec00A9", GUID: hwErrGUID, Attributes: nv | bs | rt | hr, Data: []byte{1, 2, 3}},
		{Name: "\xed\xa0\x80lone", Attributes: nv | bs | rt, Data: []byte{4}},
	} {
		if err := v.Define(x); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func statusOf(t testing.TB, err error) efi.Status {
	t.Helper()
	var status efi.Status
	if err != nil && !errors.As(err, &status) {
		t.Fatalf("%v is no status", err)
	}
	return status
}

// What a kernel and its user space do, in their order.
func TestVariablesAsLinuxUsesThem(t *testing.T) {
	s := newServices(t, frozen(t), resident.RuntimeParams{StoreSize: 0x10000})
	// efi_delete_dummy_variable, generic_ops_supported, efivar_init.
	if got := s.set("DUMMY", loaderGUID, nv|bs|rt, nil); got != efi.NotFound {
		t.Errorf("deletion of what is not there: %v", got)
	}
	s.write(nameAt, []byte{0xcd, 0xcd, 0xcd, 0xcd})
	s.setWord(sizeAt, 2)
	s.want(efi.InvalidParameter, s.functions["GetNextVariableName"], uint64(sizeAt), uint64(nameAt), uint64(guidAt))
	s.write(nameAt, []byte{0, 0})
	s.want(efi.BufferTooSmall, s.functions["GetNextVariableName"], uint64(sizeAt), uint64(nameAt), uint64(guidAt))
	if got := s.word(sizeAt); got != 22 {
		t.Errorf("the first name needs %d bytes, want 22", got)
	}
	var names []string
	name, guid, status := s.next("", efi.GUID{}, 512)
	for ; status == efi.Success; name, guid, status = s.next(name, guid, 512) {
		names = append(names, name)
		if x, status := s.get(name, guid); status != efi.Success || x.Attributes&rt == 0 {
			t.Errorf("%s: %v, %v", name, x, status)
		}
	}
	if got, want := strings.Join(names, " "), "SecureBoot Boot0000 db StubInfo HwErrRec00A9 \xed\xa0\x80lone"; got != want || status != efi.NotFound {
		t.Errorf("names %q, want %q; at the end %v", got, want, status)
	}
	if _, status := s.get("secret", loaderGUID); status != efi.NotFound {
		t.Errorf("a variable without runtime access: %v", status)
	}
	// efi_query_variable_store wants 5 KiB left.
	if info, status := s.info(nv | bs | rt); status != efi.Success || info.RemainingStorage < 5120+1000 || info.MaximumSize < 1000 {
		t.Errorf("%+v, %v", info, status)
	}
	for _, test := range []struct {
		name  string
		guid  efi.GUID
		attrs efi.VariableAttribute
		data  string
		want  efi.Status
	}{
		{"LoaderEntryOneShot", loaderGUID, nv | bs | rt, "x", efi.WriteProtected}, // would be lost
		{"Boot0000", efi.GUID{}, nv | bs | rt, "y", efi.WriteProtected},
		{"Boot0000", efi.GUID{}, nv | bs | rt, "", efi.WriteProtected},
		{"Boot0000", efi.GUID{}, 0, "", efi.WriteProtected},
		{"SecureBoot", efi.GUID{}, bs | rt, "\x01", efi.WriteProtected}, // read-only after ExitBootServices
		{"StubInfo", loaderGUID, bs | rt | ap, "z", efi.WriteProtected},
		{"db", efi.GUID{}, nv | bs | rt | at, "z", efi.SecurityViolation},
		{"fresh", loaderGUID, bs | rt, "one", efi.Success},
		{"fresh", loaderGUID, bs | rt | ap, " two", efi.Success},
		{"fresh", loaderGUID, nv | bs | rt, "other attributes", efi.InvalidParameter},
		{"hidden", loaderGUID, bs, "not seen at runtime", efi.InvalidParameter},
	} {
		if test.name == "db" {
			test.want = efi.WriteProtected // it was there before
		}
		if got := s.set(test.name, test.guid, test.attrs, []byte(test.data)); got != test.want {
			t.Errorf("set %s %v %q: %v, want %v", test.name, test.attrs, test.data, got, test.want)
		}
	}
	if x, status := s.get("fresh", loaderGUID); status != efi.Success || string(x.Data) != "one two" || x.Attributes != bs|rt {
		t.Errorf("fresh is %v, %v", x, status)
	}
	if got := s.set("fresh", loaderGUID, bs|rt, nil); got != efi.Success {
		t.Errorf("deletion: %v", got)
	}
	if _, status := s.get("fresh", loaderGUID); status != efi.NotFound {
		t.Errorf("after the deletion: %v", status)
	}
	if want := frozen(t).MarshalImage(); !bytes.Equal(s.image(), want) {
		t.Error("the store is not what it was")
	}
	if used := stackTop - s.deep; used > 512 {
		t.Errorf("%d bytes of stack were used", used)
	}
}

func TestVariablesFull(t *testing.T) {
	v := &tables.Variables{}
	s := newServices(t, v, resident.RuntimeParams{StoreSize: 1024, MaxSize: 600})
	for i, want := range []efi.Status{efi.Success, efi.OutOfResources} {
		if got := s.set(string(rune('a'+i)), efi.GUID{}, bs|rt, make([]byte, 500)); got != want {
			t.Errorf("set %d: %v, want %v", i, got, want)
		}
	}
	if got := s.set("a", efi.GUID{}, bs|rt|ap, make([]byte, 96)); got != efi.Success { // 600 with its name
		t.Errorf("as large as can be: %v", got)
	}
	for _, size := range []uint64{1, 1 << 31, 1<<32 - 600, 1 << 32, 1 << 63, 1<<64 - 32, 1<<64 - 1} {
		// No byte of such a buffer may be read: it is not there.
		s.putName("a", efi.GUID{})
		s.want(efi.InvalidParameter, s.functions["SetVariable"], uint64(nameAt), uint64(guidAt), uint64(bs|rt|ap), size, uint64(valueAt))
	}
	info, status := s.info(bs | rt)
	if want := (tables.VariableInfo{MaximumStorage: 1000, RemainingStorage: 1000 - 632, MaximumSize: 1000 - 632 - 32}); info != want || status != efi.Success {
		t.Errorf("%+v, %v, want %+v", info, status, want)
	}
	// To the last byte.
	if got := s.set("b", efi.GUID{}, bs|rt, make([]byte, info.MaximumSize-3)); got != efi.OutOfResources {
		t.Errorf("one byte more than there is room for: %v", got)
	}
	if got := s.set("b", efi.GUID{}, bs|rt, make([]byte, info.MaximumSize-4)); got != efi.Success {
		t.Errorf("just as much as there is room for: %v", got)
	}
	if info, status := s.info(bs | rt); info.RemainingStorage != 0 || info.MaximumSize != 0 || status != efi.Success {
		t.Errorf("full: %+v, %v", info, status)
	}
	if got := s.set("a", efi.GUID{}, bs|rt, []byte{1}); got != efi.Success {
		t.Errorf("to make it smaller: %v", got)
	}
	// What was deleted or overwritten is not left in memory.
	size := s.word(storeAt + 8)
	if rest := s.read(storeAt+efi.Addr(size), 1024-size); !bytes.Equal(rest, make([]byte, len(rest))) {
		t.Error("behind the store there is data")
	}
}

// Arguments that no kernel should pass.
func TestVariablesHostile(t *testing.T) {
	s := newServices(t, frozen(t), resident.RuntimeParams{StoreSize: 0x10000})
	const long = 511
	endless := bytes.Repeat([]byte{'x', 0}, long+1)
	get, next, set, query := s.functions["GetVariable"], s.functions["GetNextVariableName"], s.functions["SetVariable"], s.functions["QueryVariableInfo"]
	name, guid, size, value := uint64(nameAt), uint64(guidAt), uint64(sizeAt), uint64(valueAt)
	last := uint64(ramEnd) - 2*(long+1) // RAM ends where the longest name does
	for _, test := range []struct {
		what string
		name []byte
		size uint64
		want efi.Status
		fn   efi.Addr
		args []uint64
	}{
		{"get: no name", nil, 10, efi.InvalidParameter, get, []uint64{0, guid, 0, size, value}},
		{"get: no GUID", nil, 10, efi.InvalidParameter, get, []uint64{name, 0, 0, size, value}},
		{"get: no size", nil, 10, efi.InvalidParameter, get, []uint64{name, guid, 0, 0, value}},
		{"get: empty name", []byte{0, 0}, 10, efi.NotFound, get, []uint64{name, guid, 0, size, value}},
		{"get: no end", endless, 10, efi.NotFound, get, []uint64{last, guid, 0, size, value}},
		{"get: no attributes", []byte("S\x00e\x00c\x00u\x00r\x00e\x00B\x00o\x00o\x00t\x00\x00\x00"), 1, efi.Success, get, []uint64{name, guid, 0, size, value}},
		{"next: no size", nil, 10, efi.InvalidParameter, next, []uint64{0, name, guid}},
		{"next: no name", nil, 10, efi.InvalidParameter, next, []uint64{size, 0, guid}},
		{"next: no GUID", nil, 10, efi.InvalidParameter, next, []uint64{size, name, 0}},
		{"next: size 0", []byte{0, 0}, 0, efi.InvalidParameter, next, []uint64{size, name, guid}},
		{"next: size 1", []byte{0, 0}, 1, efi.InvalidParameter, next, []uint64{size, name, guid}},
		{"next: end behind the size", []byte("d\x00b\x00\x00\x00"), 4, efi.InvalidParameter, next, []uint64{size, name, guid}},
		{"next: odd size", []byte("d\x00b\x00\x00\x00"), 5, efi.InvalidParameter, next, []uint64{size, name, guid}},
		{"next: end within an odd size", []byte("d\x00b\x00\x00\x00"), 7, efi.BufferTooSmall, next, []uint64{size, name, guid}},
		{"next: no end", endless, 1 << 63, efi.InvalidParameter, next, []uint64{size, last, guid}},
		{"next: no end, any size", endless, 1<<64 - 1, efi.InvalidParameter, next, []uint64{size, last, guid}},
		{"set: no name", nil, 0, efi.InvalidParameter, set, []uint64{0, guid, uint64(bs | rt), 1, value}},
		{"set: no GUID", nil, 0, efi.InvalidParameter, set, []uint64{name, 0, uint64(bs | rt), 1, value}},
		{"set: empty name", []byte{0, 0}, 0, efi.InvalidParameter, set, []uint64{name, guid, uint64(bs | rt), 1, value}},
		{"set: no end", endless, 0, efi.InvalidParameter, set, []uint64{last, guid, uint64(bs | rt), 1, value}},
		{"set: no data", []byte{'a', 0, 0, 0}, 0, efi.InvalidParameter, set, []uint64{name, guid, uint64(bs | rt), 1, 0}},
		{"query: no attributes", nil, 0, efi.InvalidParameter, query, []uint64{0, size, size, size}},
		{"query: no total", nil, 0, efi.InvalidParameter, query, []uint64{uint64(bs | rt), 0, size, size}},
		{"query: no rest", nil, 0, efi.InvalidParameter, query, []uint64{uint64(bs | rt), size, 0, size}},
		{"query: no largest", nil, 0, efi.InvalidParameter, query, []uint64{uint64(bs | rt), size, size, 0}},
		{"query: not at runtime", nil, 0, efi.InvalidParameter, query, []uint64{uint64(bs), size, size, size}},
		{"query: authenticated", nil, 0, efi.Unsupported, query, []uint64{uint64(bs | rt | at), size, size, size}},
		{"query: unknown", nil, 0, efi.Unsupported, query, []uint64{uint64(bs|rt) | 0x80000000, size, size, size}},
	} {
		s.setWord(sizeAt, test.size)
		s.write(guidAt, make([]byte, 16))
		s.write(nameAt, test.name)
		if len(test.name) == len(endless) {
			s.write(efi.Addr(last), test.name)
		}
		if got := s.call(test.fn, test.args...); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
	if want := frozen(t).MarshalImage(); !bytes.Equal(s.image(), want) {
		t.Error("the store has changed")
	}
}

// A store that something has damaged is not walked off.
func TestVariablesDamaged(t *testing.T) {
	s := newServices(t, frozen(t), resident.RuntimeParams{StoreSize: 0x1000})
	image := frozen(t).MarshalImage()
	le := binary.LittleEndian
	last := 24 // the offset of the last entry
	for next := last; next < len(image); {
		last = next
		next += (32 + int(le.Uint32(image[next+4:])) + int(le.Uint32(image[next+8:])) + 7) &^ 7
	}
	for what, damage := range map[string]func(b []byte){
		"magic":                 func(b []byte) { b[0]++ },
		"version":               func(b []byte) { b[16]++ },
		"size beyond the room":  func(b []byte) { le.PutUint64(b[8:], 0x1008) },
		"size of all memory":    func(b []byte) { le.PutUint64(b[8:], ^uint64(7)) },
		"size below the header": func(b []byte) { le.PutUint64(b[8:], 16) },
		"size not aligned":      func(b []byte) { le.PutUint64(b[8:], 28) },
		"size and last entry beyond the room": func(b []byte) {
			b[last+9] += 0x20
			le.PutUint64(b[8:], uint64(len(b))+0x2000)
		},
		"half an entry":            func(b []byte) { le.PutUint64(b[8:], uint64(last)+16) },
		"long name":                func(b []byte) { le.PutUint32(b[last+4:], 0xfffffffe) },
		"odd name":                 func(b []byte) { b[last+4]++ },
		"no name":                  func(b []byte) { le.PutUint32(b[last+4:], 2) },
		"long data":                func(b []byte) { le.PutUint32(b[last+8:], 0xffffffff) },
		"data longer by a word":    func(b []byte) { b[last+8] += 8 },
		"data into the next entry": func(b []byte) { b[24+8] += 8 },
	} {
		b := bytes.Clone(image)
		damage(b)
		s.write(storeAt, b)
		s.putName("not there", loaderGUID)
		s.setWord(sizeAt, 0)
		if got := s.call(s.functions["GetVariable"], uint64(nameAt), uint64(guidAt), 0, uint64(sizeAt), 0); got != efi.DeviceError {
			t.Errorf("%s: get: %v", what, got)
		}
		if got := s.set("not there", loaderGUID, bs|rt, []byte{1}); got != efi.DeviceError {
			t.Errorf("%s: set: %v", what, got)
		}
		name, guid, status := s.next("", efi.GUID{}, 512)
		for n := 0; status == efi.Success && n < 100; n++ {
			name, guid, status = s.next(name, guid, 512)
		}
		if status != efi.DeviceError {
			t.Errorf("%s: next: %v", what, status)
		}
		if _, got := s.info(bs | rt); !bytes.Equal(b[:24], image[:24]) && !strings.Contains(what, "entry") && got != efi.DeviceError {
			t.Errorf("%s: query: %v", what, got)
		}
	}
}

// Where RAM ends with the store, nothing behind it is read.
func TestVariablesAtTheEndOfRAM(t *testing.T) {
	v := frozen(t)
	image := v.MarshalImage()
	const last = 48 // the size of the last entry, which is cut off
	for _, left := range []uint64{0, 8, 16, 24} {
		size := uint64(len(image)) - last + left
		s := newServices(t, v, resident.RuntimeParams{StoreSize: 0x10000})
		at := uint64(ramEnd) - size
		binary.LittleEndian.PutUint64(image[8:], size)
		s.write(efi.Addr(at), image[:size])
		s.setWord(s.blockAt(), at)
		s.setWord(s.blockAt()+8, size)
		want := efi.NotFound
		if left > 0 {
			want = efi.DeviceError
		}
		s.setWord(sizeAt, 0)
		s.putName("not there", loaderGUID)
		s.want(want, s.functions["GetVariable"], uint64(nameAt), uint64(guidAt), 0, uint64(sizeAt), 0)
	}
}

// expectSet is what SetVariable is to answer and to do to v, a copy of what the
// store holds; made are the variables that were created at runtime.
func expectSet(t testing.TB, v *tables.Variables, made map[string]bool, accept bool, name string, guid efi.GUID, attrs efi.VariableAttribute, data []byte) efi.Status {
	v.AtRuntime = accept
	_, err := v.Get(name, guid)
	exists := err == nil
	if !accept {
		empty := &tables.Variables{Limits: v.Limits}
		early := statusOf(t, empty.Set(name, guid, attrs, data[:min(1, len(data))]))
		creates := attrs&(at|ea) == 0 && attrs != 0 && len(data) > 0
		switch {
		case early == efi.InvalidParameter || early == efi.Unsupported:
			return early
		case exists && !made[name+guid.String()]:
			return efi.WriteProtected
		case !exists && creates && attrs&rt == 0:
			return efi.InvalidParameter
		case !exists && creates && attrs&nv != 0:
			return efi.WriteProtected
		}
	}
	status := statusOf(t, v.Set(name, guid, attrs, data))
	if status == efi.Success && !exists {
		made[name+guid.String()] = true
	}
	if _, err := v.Get(name, guid); err != nil {
		delete(made, name+guid.String())
	}
	return status
}

// runOps makes a stream of calls, each checked against tables.Variables.
func runOps(t testing.TB, accept bool, ops []byte) {
	const room, maxSize, maxName = 640, 96, 12
	limits := tables.VariableLimits{MaxSize: maxSize, MaxStorage: room - 24, MaxName: maxName}
	v := &tables.Variables{Limits: limits}
	for _, x := range []tables.Variable{
		{Name: "a", Attributes: bs | rt, Data: []byte{1}},
		{Name: "b", Attributes: nv | bs | rt, Data: []byte("bbbbbbb")},
		{Name: "db", Attributes: nv | bs | rt | at, Data: []byte{2}},
		{Name: "HwErrRec0A1F", GUID: hwErrGUID, Attributes: nv | bs | rt | hr, Data: []byte{3}},
	} {
		if err := v.Define(x); err != nil {
			t.Fatal(err)
		}
	}
	s := newServices(t, v, resident.RuntimeParams{StoreSize: room, MaxSize: maxSize, MaxName: maxName, AcceptNonVolatile: accept})
	made := map[string]bool{}
	names := []string{"a", "b", "c", "d", "db", "HwErrRec0A1F", "HwErrRec0a1f", "HwErrRec0A1", "exactly12chr", "name-too-long", ""}
	guids := []efi.GUID{{}, loaderGUID, hwErrGUID}
	attributes := []efi.VariableAttribute{bs | rt, nv | bs | rt, bs | rt | ap, nv | bs | rt | ap, 0, ap, bs, nv | bs, nv | bs | rt | hr, bs | rt | hr,
		nv | bs | rt | at, nv | bs | rt | at | ap, nv | bs | aw, nv | bs | rt | ea, rt, nv, 0x100 | bs | rt, 1<<31 | bs | rt}
	pop := func() int {
		if len(ops) == 0 {
			return 0
		}
		b := ops[0]
		ops = ops[1:]
		return int(b)
	}
	for n := 0; len(ops) > 0 && n < 300; n++ {
		op := pop()
		name, guid := names[op/8%len(names)], guids[pop()%3]
		switch op % 8 {
		case 0: // the whole list
			got, gotGUID, status := s.next("", efi.GUID{}, 2*maxName+2)
			want, wantGUID, err := v.Next("", efi.GUID{})
			for status == efi.Success && err == nil && got == want && gotGUID == wantGUID {
				x, hidden := v.Get(want, wantGUID)
				if y, status := s.get(got, gotGUID); hidden != nil || status != efi.Success || y.Attributes != x.Attributes || !bytes.Equal(y.Data, x.Data) {
					t.Fatalf("%d: %q is %v, %v, want %v, %v", n, got, y, status, x, hidden)
				}
				got, gotGUID, status = s.next(got, gotGUID, 2*maxName+2)
				want, wantGUID, err = v.Next(want, wantGUID)
			}
			if status != efi.NotFound || statusOf(t, err) != efi.NotFound {
				t.Fatalf("%d: next %q %v, want %q %v", n, got, status, want, err)
			}
		case 1:
			attrs := attributes[pop()%len(attributes)]
			got, status := s.info(attrs)
			v.AtRuntime = true
			if want, err := v.Info(attrs); got != want || status != statusOf(t, err) {
				t.Fatalf("%d: info %v: %+v, %v, want %+v, %v", n, attrs, got, status, want, err)
			}
		case 2:
			x, err := v.Get(name, guid)
			if y, status := s.get(name, guid); status != statusOf(t, err) || !bytes.Equal(x.Data, y.Data) || x.Attributes != y.Attributes {
				t.Fatalf("%d: get %q: %v, %v, want %v, %v", n, name, y, status, x, err)
			}
		case 3:
			got, _, status := s.next(name, guid, 2*maxName+4)
			want, _, err := v.Next(name, guid)
			if name == "name-too-long" {
				err = efi.InvalidParameter
			}
			if got != want || status != statusOf(t, err) {
				t.Fatalf("%d: after %q: %q, %v, want %q, %v", n, name, got, status, want, err)
			}
		default:
			attrs := attributes[pop()%len(attributes)]
			size := pop()
			data := bytes.Repeat([]byte{byte(n)}, size%110)
			if size >= 220 {
				data = nil
			}
			want := expectSet(t, v, made, accept, name, guid, attrs, data)
			if got := s.set(name, guid, attrs, data); got != want {
				t.Fatalf("%d: set %q %v %v of %d bytes: %v, want %v", n, name, guid, attrs, len(data), got, want)
			}
		}
		if got, want := s.image(), v.MarshalImage(); !bytes.Equal(got, want) {
			t.Fatalf("%d: the store is\n% x, want\n% x", n, got, want)
		}
		size := s.word(storeAt + 8)
		if rest := s.read(storeAt+efi.Addr(size), room-size); !bytes.Equal(rest, make([]byte, len(rest))) {
			t.Fatalf("%d: behind the store there is % x", n, rest)
		}
	}
	if used := stackTop - s.deep; used > 512 {
		t.Errorf("%d bytes of stack were used", used)
	}
}

func TestVariablesAgainstTables(t *testing.T) {
	for _, accept := range []bool{false, true} {
		for seed := range uint64(12) {
			r := rand.New(rand.NewPCG(seed, 1))
			ops := make([]byte, 900)
			for i := range ops {
				ops[i] = byte(r.Uint32())
			}
			t.Run("", func(t *testing.T) { runOps(t, accept, ops) })
		}
	}
}

func FuzzVariables(f *testing.F) {
	f.Add(false, []byte("\x14\x00\x00\x05\x14\x00\x02\x20\x14\x00\x00\x00\x00\x00"))
	f.Add(true, []byte("\x14\x00\x01\x05\x1c\x00\x01\x30\x14\x00\x03\x20\x0c\x00\x04\x00\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, accept bool, ops []byte) { runOps(t, accept, ops) })
}
